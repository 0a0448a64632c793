"""A campaign leaves by the way that its config names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from scripted_smtp import ScriptedServer

from fakes import CONFIG, Clock, make_mail
from sendmill.campaign import Service
from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome, accepted
from sendmill.provider import ProviderMailer
from sendmill.provider.smtp import REPLY_SECONDS
from sendmill.secret import SecretStore


class FakeSes:
    def send_all(self, mails: Sequence[Mail]) -> Sequence[Outcome]:
        return [accepted(mail.rid) for mail in mails]


class FakeSecrets:
    def __init__(self, value: object) -> None:
        self.value = value
        self.after: object = None
        self.asked: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(SecretId)
        if isinstance(self.value, Exception):
            raise self.value
        value, self.value = self.value, self.after or self.value
        return {"SecretString": json.dumps(value)}


def mailer(value: object = None) -> tuple[ProviderMailer, list[str], FakeSecrets]:
    regions: list[str] = []
    client = FakeSecrets(value)

    def ses(region: str) -> FakeSes:
        regions.append(region)
        return FakeSes()

    found = ProviderMailer(
        ses=ses,  # type: ignore[arg-type]
        secrets=SecretStore(client, monotonic=Clock()),  # type: ignore[arg-type]
        default_secret_name="default-mail",
    )
    return found, regions, client


SMTP = replace(CONFIG, email_service=Service.SMTP)


def test_each_region_of_ses_gets_one_client() -> None:
    found, regions, _ = mailer()
    for region in ("", "us-gov-west-1", "", "us-gov-west-1"):
        (outcome,) = found.send(replace(CONFIG, aws_region=region), [make_mail()])
        assert outcome.fate is Fate.ACCEPTED
    assert regions == ["", "us-gov-west-1"]


@pytest.mark.parametrize(("name", "asked"), [("", "default-mail"), ("of-the-campaign",) * 2])
def test_smtp_is_found_by_the_secret_of_the_campaign_or_the_default(name: str, asked: str) -> None:
    with ScriptedServer() as scripted:
        server = scripted.address
        secret = {"host": server.host, "port": server.port, "username": "u", "password": "p"}
        found, _, client = mailer({**secret, "tls": "none"})
        outcomes = found.send(replace(SMTP, aws_secret_name=name), [make_mail(), make_mail()])
    assert [outcome.fate for outcome in outcomes] == [Fate.ACCEPTED] * 2
    assert client.asked == [asked]


def test_the_time_there_is_bounds_smtp_and_not_the_one_call_of_ses() -> None:
    with ScriptedServer() as scripted:
        server = scripted.address
        secret = {"host": server.host, "port": server.port, "username": "u", "password": "p"}
        found, _, _ = mailer({**secret, "tls": "none"})
        (by_smtp,) = found.send(SMTP, [make_mail()], within=REPLY_SECONDS)
        (by_ses,) = found.send(CONFIG, [make_mail()], within=0)
    assert (by_smtp.fate, by_smtp.unasked, scripted.connections) == (Fate.LATER, True, 0)
    assert by_ses.fate is Fate.ACCEPTED


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("value", "fate", "reason"),
    [
        (EndpointConnectionError(endpoint_url="x"), Fate.LATER, "secret_unavailable"),
        (refused("AccessDeniedException"), Fate.STOP, "secret_invalid"),
        (refused("ThrottlingException"), Fate.LATER, "secret_unavailable"),
        ({}, Fate.STOP, "secret_invalid"),
        ("text", Fate.STOP, "secret_invalid"),
        ({"host": "h", "username": "u", "password": "p", "port": "x"}, Fate.STOP, "secret_invalid"),
    ],
)
def test_a_secret_that_cannot_be_used_is_an_outcome_for_every_mail(
    value: object, fate: Fate, reason: str
) -> None:
    found, _, _ = mailer(value)
    outcomes = found.send(SMTP, [make_mail(), make_mail()])
    assert [(outcome.fate, outcome.reason) for outcome in outcomes] == [(fate, reason)] * 2


def test_a_refused_password_is_read_anew_for_the_next_batch() -> None:
    with ScriptedServer(AUTH=["535 no"]) as scripted:
        server = scripted.address
        secret = {"host": server.host, "port": server.port, "username": "u", "password": "old"}
        found, _, client = mailer({**secret, "tls": "none"})
        (first,) = found.send(SMTP, [make_mail()])
        client.value = {**secret, "tls": "none", "password": "new"}
        (second,) = found.send(SMTP, [make_mail()])
    assert (first.fate, second.fate) == (Fate.STOP, Fate.ACCEPTED)
    # for the first batch, when that was refused, and for the next
    assert len(client.asked) == 3


def test_a_rotated_password_is_read_and_used_within_the_batch() -> None:
    with ScriptedServer(AUTH=["535 no"]) as scripted:
        server = scripted.address
        secret = {"host": server.host, "port": server.port, "username": "u", "password": "old"}
        found, _, client = mailer({**secret, "tls": "none"})
        client.after = {**secret, "tls": "none", "password": "new"}
        outcomes = found.send(SMTP, [make_mail()])
    assert [outcome.fate for outcome in outcomes] == [Fate.ACCEPTED]
    assert len(scripted.bodies) == 1


def test_a_secret_that_is_away_burns_no_try() -> None:
    found, _, _ = mailer(EndpointConnectionError(endpoint_url="x"))
    (outcome,) = found.send(SMTP, [make_mail()])
    assert outcome.unasked
