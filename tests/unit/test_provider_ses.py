"""One mail is one HTTP request, whatever comes back; a real server counts them."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import boto3
import pytest
from botocore.config import Config as ClientConfig
from fake_ses import Answer, Body, FakeSes, drop, half_an_answer, no_http, refuse, reply

from fakes import CONFIG, make_mail
from sendmill import aws
from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome
from sendmill.provider.ses import LANES, SesProvider, client_config, prepare_send
from sendmill.template import Rendered
from sendmill.wire import Endpoint

# Messages in a batch of SQS.
SIDE_BY_SIDE = 10
RATE = "Maximum sending rate exceeded."
SANDBOX = "Email address is not verified."


@pytest.fixture(scope="module")
def running() -> Iterator[FakeSes]:
    with FakeSes() as found:
        yield found


@pytest.fixture
def ses(running: FakeSes) -> Iterator[FakeSes]:
    running.forget()
    yield running
    running.released.set()


def provider(url: str, *, read_timeout: float = 5, configuration_set: str = "") -> SesProvider:
    session = boto3.session.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
    )
    config = client_config().merge(ClientConfig(read_timeout=read_timeout))
    client = session.client("sesv2", endpoint_url=url, config=config)
    endpoint = Endpoint(client, prepare_send, credentials=session.get_credentials(), lanes=LANES)
    return SesProvider(endpoint, configuration_set=configuration_set)


def send(ses: SesProvider, mail: Mail | None = None) -> Outcome:
    (outcome,) = ses.send_all([mail or make_mail()])
    return outcome


@pytest.fixture(scope="module")
def plain(running: FakeSes) -> SesProvider:
    return provider(running.url, configuration_set="sendmill-test")


def test_an_accepted_mail_is_one_request_with_its_tags(ses: FakeSes, plain: SesProvider) -> None:
    mail = make_mail(
        rendered=Rendered(subject="Zo\u00eb", text="text\n", html="<p>html</p>"), attempt=3
    )
    outcome = send(plain, mail)
    assert (outcome.fate, outcome.message_id) == (Fate.ACCEPTED, "0102018c")
    (request,) = ses.requests
    assert request["FromEmailAddress"] == "noreply@example.com"
    assert request["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert request["ConfigurationSetName"] == "sendmill-test"
    simple = request["Content"]["Simple"]
    assert simple["Subject"] == {"Data": "Zo\u00eb", "Charset": "UTF-8"}
    assert simple["Body"] == {
        "Text": {"Data": "text\n", "Charset": "UTF-8"},
        "Html": {"Data": "<p>html</p>", "Charset": "UTF-8"},
    }
    tags = {tag["Name"]: tag["Value"] for tag in request["EmailTags"]}
    assert (
        tags.items() >= {"campaign_id": "spring", "recipient_id": mail.rid, "attempt": "3"}.items()
    )
    assert not any("@" in value for value in tags.values())


def test_a_whole_message_goes_to_its_one_recipient_as_it_is(
    ses: FakeSes, plain: SesProvider
) -> None:
    raw = b"From: desk@example.com\r\nTo: all@example.com\r\n\r\nNight\r\n"
    send(plain, make_mail(raw=raw))
    (request,) = ses.requests
    assert request["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert base64.b64decode(request["Content"]["Raw"]["Data"]) == raw
    assert "FromEmailAddress" not in request
    assert {"campaign_id", "recipient_id"} <= {tag["Name"] for tag in request["EmailTags"]}


def test_a_mail_without_html_has_a_text_alone(ses: FakeSes, plain: SesProvider) -> None:
    send(plain)
    assert set(ses.requests[0]["Content"]["Simple"]["Body"]) == {"Text"}


def test_display_names_are_sent_as_ses_wants_them(ses: FakeSes, plain: SesProvider) -> None:
    """SES takes 7-bit names only, others as encoded words."""
    named = "Zo\u00eb <noreply@example.com>"
    send(plain, make_mail(config=replace(CONFIG, from_email=named, reply_to=named)))
    for value in (ses.requests[0]["FromEmailAddress"], *ses.requests[0]["ReplyToAddresses"]):
        assert value == "=?utf-8?q?Zo=C3=AB?= <noreply@example.com>"


ANSWERS = [
    (refuse(429, "TooManyRequestsException", RATE), Fate.LATER, "throttled"),
    (refuse(429, "TooManyRequestsException", "Daily quota"), Fate.STOP, "daily_quota"),
    (refuse(400, "MessageRejected", "virus"), Fate.NEVER, "message_rejected"),
    (refuse(400, "MessageRejected", SANDBOX), Fate.STOP, "identity_not_verified"),
    (refuse(400, "BadRequestException", "no"), Fate.NEVER, "bad_request"),
    (refuse(400, "AccountSuspendedException"), Fate.STOP, "account_suspended"),
    (refuse(400, "SendingPausedException"), Fate.STOP, "sending_paused"),
    (refuse(404, "NotFoundException"), Fate.STOP, "configuration_set_not_found"),
    (refuse(403, "AccessDeniedException"), Fate.STOP, "access_denied"),
    (refuse(403, "ExpiredTokenException"), Fate.STOP, "credentials_rejected"),
    (refuse(403, "InvalidSignatureException", "old"), Fate.STOP, "credentials_rejected"),
    (refuse(403, "RequestTimeTooSkewed", "clock"), Fate.STOP, "access_denied"),
    (refuse(500, "InternalFailure"), Fate.UNKNOWN, "server_error"),
    (refuse(503, "ServiceUnavailable"), Fate.UNKNOWN, "server_error"),
    (lambda handler, _: reply(handler, 502, b"<html>bad gateway"), Fate.UNKNOWN, "server_error"),
    (lambda handler, _: reply(handler, 504, b""), Fate.UNKNOWN, "server_error"),
    (lambda handler, _: reply(handler, 200, b"{not json"), Fate.UNKNOWN, "answer_lost"),
    (lambda handler, _: reply(handler, 200, b"{}"), Fate.UNKNOWN, "answer_lost"),
    (drop, Fate.UNKNOWN, "answer_lost"),
    (half_an_answer, Fate.UNKNOWN, "answer_lost"),
    (no_http, Fate.UNKNOWN, "answer_lost"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "fate", "reason"), ANSWERS)
def test_whatever_comes_back_it_was_one_request(
    ses: FakeSes,
    plain: SesProvider,
    answer: Answer,
    fate: Fate,
    reason: str,
) -> None:
    ses.answer = answer
    outcome = send(plain)
    assert (outcome.fate, outcome.reason) == (fate, reason)
    time.sleep(0.02)
    assert len(ses.requests) == 1


def test_an_answer_that_never_comes_is_unknown_after_one_request(ses: FakeSes) -> None:
    ses.answer = lambda handler, body: drop(handler, body) if ses.released.wait(5) else None
    outcome = send(provider(ses.url, read_timeout=0.2))
    assert (outcome.fate, outcome.reason) == (Fate.UNKNOWN, "answer_lost")
    assert len(ses.requests) == 1


def test_a_server_that_is_not_there_has_not_got_the_mail() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        outcome = send(provider(url))
    assert (outcome.fate, outcome.reason) == (Fate.LATER, "unreachable")


def test_no_credentials_stop_the_campaign_before_a_request(
    ses: FakeSes, offline_aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url)
    outcome = send(SesProvider(aws.sesv2("us-east-1")))
    assert (outcome.fate, outcome.reason) == (Fate.STOP, "credentials_rejected")
    assert ses.requests == []


@pytest.mark.usefixtures("offline_aws")
def test_no_setting_of_the_sdk_brings_a_second_request(
    ses: FakeSes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    ses.answer = refuse(500, "InternalFailure")
    outcome = send(SesProvider(aws.sesv2("us-east-1")))
    assert outcome.fate is Fate.UNKNOWN
    assert len(ses.requests) == 1


def test_the_mails_of_a_batch_leave_side_by_side_and_keep_their_order(
    ses: FakeSes, plain: SesProvider
) -> None:
    together = threading.Barrier(SIDE_BY_SIDE)

    def wait_for_all(handler: BaseHTTPRequestHandler, body: Body) -> None:
        together.wait(5)
        refuse(400, "BadRequestException", "no")(handler, body)

    ses.answer = wait_for_all
    mails = [make_mail(f"user{n}@example.com") for n in range(SIDE_BY_SIDE)]
    outcomes = plain.send_all(mails)
    assert [outcome.fate for outcome in outcomes] == [Fate.NEVER] * SIDE_BY_SIDE
    assert ses.most_busy == SIDE_BY_SIDE


def test_outcomes_are_in_the_order_of_the_mails(ses: FakeSes, plain: SesProvider) -> None:
    def name_the_recipient(handler: BaseHTTPRequestHandler, body: Body) -> None:
        recipient = body["Destination"]["ToAddresses"][0]
        reply(handler, 200, json.dumps({"MessageId": f"for {recipient}"}).encode())

    ses.answer = name_the_recipient
    mails = [make_mail(f"user{n}@example.com") for n in range(25)]
    outcomes = plain.send_all(mails)
    assert [outcome.message_id for outcome in outcomes] == [f"for {mail.to}" for mail in mails]
    assert len(ses.requests) == 25
