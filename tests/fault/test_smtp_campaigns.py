"""Whole campaigns over a real SMTP server, in a time that only the test moves.

Greylisting: a server that refuses everybody for a quarter of an hour. Secrets Manager: away before
the first mail or in the middle of a campaign, or with another password than a minute ago.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import EndpointConnectionError
from cloud import Cloud

from fakes import Clock
from fault.dynamo import refusal
from fault.yard import BATCH, SES, Yard
from sendmill.campaign import Service, Status
from sendmill.ledger import MAX_TRIES
from sendmill.observe import RedactingFormatter
from sendmill.provider import ProviderMailer
from sendmill.secret import CACHE_SECONDS, SecretStore
from smtp_faults import GREYLIST_REPLY, SmtpFault, SmtpFaults
from smtp_server import SmtpServer

LONG = os.environ.get("FAULT") == "long"
TURNS, PEOPLE = (20, 100) if LONG else (1, 20)
USER, PASSWORD, ROTATED = "mailer", "canary-password-1", "canary-password-2"
SECRET = "mail"
SMTP = replace(SES, email_service=Service.SMTP, aws_secret_name=SECRET)


class Greylist(SmtpFaults):
    """Refuse each recipient until so many seconds have passed since he was first named."""

    def __init__(self, clock: Clock, seconds: int) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds
        self.first: dict[str, int] = {}
        self.refused: Counter[str] = Counter()

    def pick(self, phase: str, recipients: list[str]) -> SmtpFault | None:
        """Refuse a recipient who comes too early."""
        if phase != "rcpt":
            return None
        now = self.clock()
        if now - self.first.setdefault(recipients[-1], now) >= self.seconds:
            return None
        self.refused[recipients[-1]] += 1
        return SmtpFault(phase="rcpt", do="reply", reply=GREYLIST_REPLY)


@dataclass(kw_only=True)
class Manager:
    """Secrets Manager (moto) below the real SDK, which can be away."""

    client: Any
    error: Callable[[], Exception] | None = None
    asked: int = 0

    def ask(self, **_: Any) -> None:
        """Let a call begin, or not."""
        self.asked += 1
        if self.error:
            raise self.error()


AWAY: list[Callable[[], Exception]] = [
    lambda: EndpointConnectionError(endpoint_url="https://secretsmanager"),
    lambda: refusal("InternalServiceError"),
    lambda: refusal("ThrottlingException"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("smtp")
    return found


@pytest.fixture
def server(folder: Path) -> Iterator[SmtpServer]:
    with SmtpServer(user=USER, password=PASSWORD, folder=folder) as found:
        yield found


@pytest.fixture
def manager(cloud: Cloud, server: SmtpServer) -> Iterator[Manager]:
    found = Manager(client=cloud.secrets)
    cloud.secrets.meta.events.register("before-call.secrets-manager.GetSecretValue", found.ask)
    put_password(found, server, PASSWORD)
    yield found
    cloud.secrets.meta.events.unregister("before-call.secrets-manager.GetSecretValue", found.ask)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the worker writes as it does in Lambda, and whatever a library logs beside it."""
    written = io.StringIO()
    beside = logging.StreamHandler(written)
    logging.getLogger().addHandler(beside)
    yield written
    logging.getLogger().removeHandler(beside)


@pytest.fixture
def yard(manager: Manager, log: io.StringIO) -> Yard:
    clock = Clock()
    logger = Logger(
        service=f"test-{id(log)}",  # a logger of this name keeps its first stream
        stream=log,
        logger_formatter=RedactingFormatter(),
        level="DEBUG",
    )

    def mailer() -> ProviderMailer:
        secrets = SecretStore(manager.client, monotonic=clock)
        return ProviderMailer(ses=_no_ses, secrets=secrets, default_secret_name=SECRET)

    return Yard(mailer, clock=clock, logger=logger)


def _no_ses(_: str) -> Any:
    raise AssertionError("this campaign has nothing to do with SES")


def put_password(manager: Manager, server: SmtpServer, password: str) -> None:
    """Put the server's address and a password into the secret."""
    value = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": USER,
        "password": password,
        "ca_certificate": server.authority.read_text(),
    }
    manager.client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(value))


def begin(yard: Yard, turn: int, count: int = PEOPLE) -> str:
    """Start a campaign; its messages are on the queue."""
    campaign_id = f"c{turn}"
    people = [f"{campaign_id}p{n}@example.com" for n in range(count)]
    yard.add(people, campaign_id=campaign_id, **yard.configured(SMTP))
    yard.office.start(campaign_id)
    yard.dispatch()
    return campaign_id


def check_all_mailed_once(yard: Yard, server: SmtpServer, campaign_id: str, count: int) -> None:
    """Fail unless everybody was mailed, once, and the sums are exact."""
    assert yard.states(campaign_id) == {"accepted": count}
    mine = {to: n for to, n in server.per_recipient.items() if to.startswith(f"{campaign_id}p")}
    assert len(mine) == count
    assert set(mine.values()) == {1}
    yard.check_sums(campaign_id)
    assert yard.campaign(campaign_id).status is Status.COMPLETE


def check_no_secret(log: io.StringIO) -> None:
    """Fail if a line holds a password or an address."""
    written = log.getvalue()
    assert '"outcomes":{' in written
    for word in (PASSWORD, ROTATED, USER, "@example.com", "BEGIN CERTIFICATE"):
        assert word not in written


@pytest.mark.parametrize("seconds", [300, 900, 1500])
def test_a_greylisting_server_takes_everybody_at_the_second_or_third_try(
    yard: Yard, server: SmtpServer, log: io.StringIO, seconds: int
) -> None:
    greylist = Greylist(yard.clock, seconds)
    server.faults = greylist
    campaign_id = begin(yard, 0, count=PEOPLE)
    yard.send()
    assert yard.states(campaign_id) == {"retry": PEOPLE}
    assert server.mails == []
    yard.minutes(40)
    check_all_mailed_once(yard, server, campaign_id, PEOPLE)
    assert len(greylist.refused) == PEOPLE
    assert set(greylist.refused.values()) == {1 if seconds <= 900 else 2}
    assert max(yard.attempts(campaign_id)) <= 3
    check_no_secret(log)


def test_an_outage_of_secrets_manager_goes_unnoticed_by_a_worker_that_has_begun(
    yard: Yard, server: SmtpServer, manager: Manager, log: io.StringIO
) -> None:
    for turn in range(TURNS):
        manager.error = None
        campaign_id = begin(yard, turn)
        yard.send_batches(1)
        assert yard.states(campaign_id)["accepted"] == BATCH
        # far beyond what it keeps a secret for
        manager.error, asked = AWAY[turn % len(AWAY)], manager.asked
        yard.clock.advance(10 * CACHE_SECONDS)
        yard.send()
        assert manager.asked > asked
        assert set(yard.attempts(campaign_id)) == {1}
        yard.minutes(1)
        check_all_mailed_once(yard, server, campaign_id, PEOPLE)
    check_no_secret(log)


def test_an_outage_of_secrets_manager_fails_nobody_however_long_it_is(
    yard: Yard, server: SmtpServer, manager: Manager, log: io.StringIO
) -> None:
    count = 2 * BATCH
    minutes = (12 if LONG else 3) * MAX_TRIES
    for turn in range(TURNS):
        manager.error = AWAY[turn % len(AWAY)]
        campaign_id = begin(yard, turn, count)
        yard.new_worker()
        yard.work()
        yard.minutes(minutes)
        assert yard.states(campaign_id) == {"retry": count}
        assert yard.campaign(campaign_id).status is Status.RUNNING
        assert not [to for to in server.per_recipient if to.startswith(campaign_id)]
        manager.error = None
        yard.minutes(3)
        check_all_mailed_once(yard, server, campaign_id, count)
    assert "secret_unavailable" in log.getvalue()
    check_no_secret(log)


def test_a_password_rotated_in_mid_campaign_delays_nobody(
    yard: Yard, server: SmtpServer, manager: Manager, log: io.StringIO
) -> None:
    for turn in range(TURNS):
        old, new = (PASSWORD, ROTATED) if turn % 2 == 0 else (ROTATED, PASSWORD)
        campaign_id = begin(yard, turn)
        yard.send_batches(1)
        server.set_password(new)
        put_password(manager, server, new)
        yard.send()
        assert yard.states(campaign_id) == {"accepted": PEOPLE}, old
        assert set(yard.attempts(campaign_id)) == {1}
        yard.minutes(1)
        check_all_mailed_once(yard, server, campaign_id, PEOPLE)
    check_no_secret(log)


def test_a_password_that_the_secret_does_not_hold_yet_pauses_the_campaign(
    yard: Yard, server: SmtpServer, manager: Manager, log: io.StringIO
) -> None:
    campaign_id = begin(yard, 0)
    yard.send_batches(1)
    server.set_password(ROTATED)
    yard.send()
    yard.minutes(30)
    found = yard.campaign(campaign_id)
    assert (found.status, found.reason) == (Status.PAUSED, "credentials_rejected")
    states = yard.states(campaign_id)
    assert states["accepted"] == BATCH
    assert sum(states.values()) == PEOPLE
    assert set(states) <= {"accepted", "retry", "pending"}

    put_password(manager, server, ROTATED)
    yard.office.resume(campaign_id)
    yard.work()
    yard.minutes(3)
    check_all_mailed_once(yard, server, campaign_id, PEOPLE)
    check_no_secret(log)
