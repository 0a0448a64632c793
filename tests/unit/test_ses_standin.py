"""The pure parts of the SES stand-in: what it takes, refuses, delivers and tells."""

from __future__ import annotations

import base64
import email
import email.policy
import time
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from standin import events, page, rules, sigv4
from standin.errors import AccessDenied, AccountSuspended, BadRequest, SendingPaused, SesError
from standin.mailbox import Delivered, Mailbox, Stats
from standin.mime import Mime, build_mime, read_bodies
from standin.publisher import EventFaults, Publisher
from standin.quota import DAY_SECONDS, Account
from standin.request import Submission, bare_address, parse_send_email
from standin.rules import FaultProgramme
from standin.upstream import Cache, Scope, Upstream
from standin.wire import Request

NOON = 1_795_435_200.0


def call(**changes: Any) -> dict[str, Any]:
    """Return the JSON of a SendEmail call, with members of Simple and of the call changed."""
    simple = {
        "Subject": {"Data": "Hello", "Charset": "UTF-8"},
        "Body": {"Text": {"Data": "text", "Charset": "UTF-8"}},
        **changes.pop("simple", {}),
    }
    return {
        "FromEmailAddress": "noreply@example.com",
        "Destination": {"ToAddresses": ["user@example.org"]},
        "Content": {"Simple": simple},
        **changes,
    }


def delivered(**changes: Any) -> Delivered:
    submission = parse_send_email(call(**changes))
    mime = build_mime(submission, message_id="0100-1", region="us-gov-west-1", now=NOON)
    return Delivered(
        message_id="0100-1",
        account="000000000000",
        region="us-gov-west-1",
        accepted_at=NOON,
        envelope=submission.envelope(),
        mime_headers=mime.headers,
        subject=mime.subject,
        size=len(mime.data),
    )


def message(submission: Submission) -> email.message.EmailMessage:
    mime = build_mime(submission, message_id="0100-1", region="us-gov-west-1", now=NOON)
    return email.message_from_bytes(mime.data, policy=email.policy.default)


# What is refused.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Destination": {"ToAddresses": ["nobody"]}}, "Missing final '@domain'"),
        ({"Destination": {"ToAddresses": ["a b@example.org"]}}, "Missing final|Local address"),
        ({"Destination": {"ToAddresses": ["ü@example.org"]}}, "non-ASCII"),
        ({"Destination": {"ToAddresses": ["a@localhost"]}}, "no dot"),
        ({"Destination": {"ToAddresses": ["a@example.org\r\nBcc: b@c.d"]}}, "control characters"),
        (
            {"Destination": {"ToAddresses": [f"u{n}@e.org" for n in range(51)]}},
            r"exceeds 50 \(got 51",
        ),
        ({"Destination": {}}, "at least one recipient"),
        ({"FromEmailAddress": ""}, "FromEmailAddress is required"),
        ({"Content": {}}, "Simple or Raw"),
        ({"Content": {"Raw": {"Data": "no base64!"}}}, "must be base64"),
        ({"simple": {"Body": {}}}, "Subject and a Body"),
        ({"simple": {"Subject": {"Data": "a\nBcc: b@c.d"}}}, "Subject contains control"),
        ({"simple": {"Subject": {"Data": "a", "Charset": "klingon"}}}, "Charset is not known"),
        ({"simple": {"Headers": [{"Name": "X-A", "Value": "a\r\nBcc: b@c.d"}]}}, "Value of header"),
        ({"simple": {"Headers": [{"Name": "X-A:\r\nBcc", "Value": "b"}]}}, "Header name must be"),
        ({"simple": {"Headers": [{"Name": "Bcc", "Value": "b@c.d"}]}}, "is set by SES"),
        ({"simple": {"Headers": [{"Name": "X-A", "Value": "ü"}]}}, "Value of header"),
        ({"simple": {"Headers": [{"Name": "X-A", "Value": "a" * 994}]}}, "Value of header"),
        (
            {"simple": {"Headers": [{"Name": f"X-{n}", "Value": "a"} for n in range(16)]}},
            "exceeds 15",
        ),
        ({"EmailTags": [{"Name": "a.b", "Value": "c"}]}, "Tag name must be"),
        ({"EmailTags": [{"Name": "a", "Value": "user@example.org"}]}, "Value of tag a"),
        ({"EmailTags": [{"Name": "a", "Value": ""}]}, "Value of tag a"),
    ],
)
def test_a_malformed_call_is_refused_as_ses_does(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_send_email(call(**changes))


@pytest.mark.parametrize("body", [[], None, "text", 7])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(BadRequest):
        parse_send_email(body)


def test_a_name_before_the_address_is_fine() -> None:
    assert bare_address('"Doe, John" <john@example.org>') == "john@example.org"


def test_raw_mail_names_its_own_recipients() -> None:
    to = b"To: a@example.org, B <b@example.org>\r\nCc: c@example.org"
    raw = b"From: N <n@example.com>\r\n" + to + b"\r\n\r\nx"
    data = {"Content": {"Raw": {"Data": base64.b64encode(raw).decode()}}}
    submission = parse_send_email(data)
    assert submission.sender == "n@example.com"
    assert submission.recipients == ("a@example.org", "b@example.org", "c@example.org")


# What is delivered.


@pytest.mark.parametrize(
    "text", ["plain", "ü ß €", "a\nb\r\nc", ".dot\n..", "=20 =", "x" * 3000, "end\n", "  \t\n"]
)
def test_text_and_html_survive_the_mime_form(text: str) -> None:
    body = {
        "Text": {"Data": text, "Charset": "UTF-8"},
        "Html": {"Data": f"<p>{text}</p>", "Charset": "UTF-8"},
    }
    mime = build_mime(
        parse_send_email(call(simple={"Body": body})), message_id="m", region="us-east-1", now=NOON
    )
    plain, html = read_bodies(mime.data)
    wanted = text.replace("\r\n", "\n")
    assert (plain, html) == (wanted, f"<p>{wanted}</p>")
    assert max(len(line) for line in mime.data.split(b"\r\n")) <= 998
    assert b"\n" not in mime.data.replace(b"\r\n", b"")


@pytest.mark.parametrize("subject", ["Hello", "Grüße aus Köln " * 12, "a" * 1500, "日本語"])
def test_the_subject_survives_the_mime_form(subject: str) -> None:
    simple = {"Subject": {"Data": subject, "Charset": "UTF-8"}}
    mail = message(parse_send_email(call(simple=simple)))
    assert mail["Subject"].replace(" ", "") == subject.replace(" ", "")
    assert mail["Message-ID"] == "<0100-1@us-gov-west-1.amazonses.com>"


def test_without_a_charset_what_is_not_ascii_is_lost_as_with_ses() -> None:
    submission = parse_send_email(call(simple={"Body": {"Text": {"Data": "Grüße"}}}))
    assert message(submission).get_content() == "Gr??e"


def test_headers_and_reply_to_are_delivered() -> None:
    submission = parse_send_email(
        call(
            simple={"Headers": [{"Name": "List-Unsubscribe", "Value": "<https://e.org/u>"}]},
            ReplyToAddresses=["help@example.com"],
            FromEmailAddress="Büro <noreply@example.com>",
        )
    )
    mail = message(submission)
    assert mail["List-Unsubscribe"] == "<https://e.org/u>"
    assert mail["Reply-To"] == "help@example.com"
    assert mail["From"] == "Büro <noreply@example.com>"


# Faults.


def fired(programme: FaultProgramme, count: int, to: str = "user@example.org") -> list[int]:
    submission = parse_send_email(call(Destination={"ToAddresses": [to]}))
    return [n for n in range(1, count + 1) if programme.decide(submission)[1]]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"times": 2}, [1, 2]),
        ({"every_nth": 3}, [3, 6]),
        ({"after": 4}, [5, 6]),
        ({"after": 1, "every_nth": 2, "times": 1}, [3]),
        ({"to": "^other@"}, []),
        ({"tag": {"campaign_id": "c"}}, []),
    ],
)
def test_a_rule_fires_where_it_matches(match: dict[str, Any], expected: list[int]) -> None:
    programme = FaultProgramme()
    programme.replace([{"match": match, "action": "drop"}])
    assert fired(programme, 6) == expected


def test_a_seed_makes_chance_repeatable() -> None:
    runs = []
    for _ in range(2):
        programme = FaultProgramme()
        match = {"probability": 0.3, "seed": 7}
        programme.replace({"rules": [{"match": match, "action": "hang"}]})
        runs.append(fired(programme, 1000))
    assert runs[0] == runs[1]
    assert 250 < len(runs[0]) < 350


def test_latency_adds_up_and_the_first_ending_rule_decides() -> None:
    programme = FaultProgramme()
    programme.replace(
        [
            {"action": "latency_ms", "milliseconds": 20},
            {"action": "latency_ms", "milliseconds": 30},
            {"action": "throttle"},
            {"action": "drop"},
        ]
    )
    latency, rule = programme.decide(parse_send_email(call()))
    assert latency == pytest.approx(0.05)
    assert rule is not None and rule.action == "throttle"


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "explode"},
        {"action": "drop", "when": 1},
        {"action": "drop", "match": {"from": "x"}},
        {"action": "drop", "match": {"every_nth": 0}},
        {"action": "drop", "match": {"probability": 2}},
        "drop",
    ],
)
def test_a_wrong_rule_leaves_the_programme_as_it_was(rule: Any) -> None:
    programme = FaultProgramme()
    programme.replace([{"action": "hang"}])
    with pytest.raises((ValueError, TypeError)):
        programme.replace([{"action": "drop"}, rule])
    assert [r.action for r in programme.rules] == ["hang"]


def test_every_refusal_has_its_error() -> None:
    submission = parse_send_email(call())
    for action in rules.REFUSALS:
        error = rules.refusal(rules.Rule(action=action), submission, "us-gov-west-1")
        assert isinstance(error, SesError) and error.message and error.status >= 400
    own = rules.refusal(rules.Rule(action="reject", message="no"), submission, "us-gov-west-1")
    assert (own.message, own.kind) == ("no", "MessageRejected")


# Limits.


def test_the_rate_lets_one_second_burst_through_and_refills() -> None:
    account = Account()
    account.configure({"SendQuota": {"MaxSendRate": 5}, "EnforceRate": True})
    sent = [_charged(account, NOON) for _ in range(7)]
    assert sent == [True] * 5 + [False] * 2
    assert [_charged(account, NOON + 0.4) for _ in range(3)] == [True, True, False]
    assert account.sent_last_24_hours(NOON + 1) == 7


def test_the_daily_quota_counts_recipients_over_24_hours() -> None:
    account = Account()
    account.configure({"SendQuota": {"Max24HourSend": 3}, "EnforceDailyQuota": True})
    account.charge(3, NOON)
    assert not _charged(account, NOON + 1)
    assert _charged(account, NOON + DAY_SECONDS + 1)
    account.configure({"SendQuota": {"Max24HourSend": -1}})  # -1: no limit
    account.charge(1000, NOON + DAY_SECONDS + 2)


def _charged(account: Account, now: float) -> bool:
    try:
        account.charge(1, now)
    except SesError:
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"SendingEnabled": False}, SendingPaused),
        ({"EnforcementStatus": "SHUTDOWN"}, AccountSuspended),
    ],
)
def test_a_stopped_account_sends_nothing(settings: dict[str, Any], error: type[SesError]) -> None:
    account = Account()
    account.configure(settings)
    with pytest.raises(error):
        account.check_status()


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Sandbox"):
        Account().configure({"Sandbox": True})


# Events.


def test_events_have_the_shape_of_ses() -> None:
    mail = delivered(
        ConfigurationSetName="sendmill-local",
        EmailTags=[{"Name": "campaign_id", "Value": "c1"}],
        ReplyToAddresses=["help@example.com"],
    )
    send, delivery = events.events_for(mail, suppressed=set())
    assert (send["eventType"], send["send"]) == ("Send", {})
    envelope = send["mail"]
    assert envelope["timestamp"] == events.timestamp(NOON)
    assert envelope["timestamp"].endswith(".000Z")
    assert envelope["destination"] == ["user@example.org"]
    assert envelope["sourceArn"] == (
        "arn:aws:ses:us-gov-west-1:000000000000:identity/noreply@example.com"
    )
    assert envelope["tags"]["campaign_id"] == ["c1"]
    assert envelope["tags"]["ses:configuration-set"] == ["sendmill-local"]
    assert envelope["commonHeaders"]["replyTo"] == ["help@example.com"]
    assert {"name": "Subject", "value": "Hello"} in envelope["headers"]
    assert delivery["delivery"]["recipients"] == ["user@example.org"]


@pytest.mark.parametrize(
    ("address", "kinds", "subtype"),
    [
        ("success+1@simulator.amazonses.com", ["Send", "Delivery"], None),
        ("ooto@simulator.amazonses.com", ["Send", "Delivery"], None),
        ("Bounce+9@simulator.amazonses.com", ["Send", "Bounce"], "General"),
        ("suppressionlist@simulator.amazonses.com", ["Send", "Bounce"], "Suppressed"),
        ("complaint@simulator.amazonses.com", ["Send", "Delivery", "Complaint"], None),
        ("Stopped@example.org", ["Send", "Bounce"], "OnAccountSuppressionList"),
    ],
)
def test_an_address_decides_what_happens(
    address: str, kinds: list[str], subtype: str | None
) -> None:
    mail = delivered(Destination={"ToAddresses": [address]})
    found = events.events_for(mail, suppressed={"stopped@example.org"})
    assert [event["eventType"] for event in found] == kinds
    bounces = [event["bounce"] for event in found if "bounce" in event]
    assert [bounce["bounceSubType"] for bounce in bounces] == ([subtype] if subtype else [])


def test_a_virus_is_rejected_after_it_was_taken() -> None:
    found = events.events_for(delivered(), suppressed=set(), virus=True)
    assert [event["eventType"] for event in found] == ["Send", "Reject"]


def test_long_headers_are_cut_and_said_to_be() -> None:
    headers = [{"Name": f"X-{n}", "Value": "v" * 900} for n in range(14)]
    envelope = events.describe_mail(delivered(simple={"Headers": headers}))
    assert envelope["headersTruncated"] is True
    assert 14 < len(envelope["headers"]) < 20


class FakeTopics:
    """An emulator that has one topic and remembers what is published to it."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def topics(self, scope: Scope, name: str) -> list[tuple[str, frozenset[str]]]:
        return [("topic", frozenset({"SEND", "DELIVERY"}))]

    def client(self, service: str, scope: Scope) -> FakeTopics:
        return self

    def publish_batch(self, **call: Any) -> dict[str, Any]:
        entries = call["PublishBatchRequestEntries"]
        assert 1 <= len(entries) <= 10
        self.messages += [entry["Message"] for entry in entries]
        return {"Successful": entries}


def published(settings: dict[str, Any], count: int) -> tuple[FakeTopics, Publisher]:
    fake = FakeTopics()
    publisher = Publisher(cast(Upstream, fake))
    publisher.configure(EventFaults.parse(settings))
    scope = Scope(account="000000000000", region="us-gov-west-1")
    for number in range(count):
        publisher.put(scope, "set", [{"eventType": "Send", "n": number}, {"eventType": "Open"}])
    deadline = time.monotonic() + 60
    while publisher.describe()["waiting"] and time.monotonic() < deadline:
        time.sleep(0.005)
    return fake, publisher


def test_events_are_published_once_in_order_and_by_kind() -> None:
    fake, publisher = published({}, 25)
    assert [message[-3:-1].strip() for message in fake.messages] == [str(n) for n in range(25)]
    assert publisher.describe() == {"published": 25, "failed": 0, "lost": 0, "waiting": 0}


def test_events_get_lost_and_doubled_on_demand() -> None:
    lost, _ = published({"loss": 1.0}, 10)
    doubled, _ = published({"duplicate": 1.0}, 10)
    off, _ = published({"off": True}, 10)
    assert (lost.messages, len(doubled.messages), off.messages) == ([], 20, [])
    with pytest.raises(ValueError, match="loss"):
        EventFaults.parse({"loss": 2})


# Callers.


def signed(secret: str, *, body: bytes = b'{"a": 1}') -> Request:
    """Return a request as botocore signs it."""
    url = "http://127.0.0.1:4567/v2/email/suppression/addresses/a%40b.org?b=2&a=1%2F3"
    aws = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials("222222222222", secret), "ses", "us-gov-west-1").add_auth(aws)
    headers = {name.lower(): value for name, value in aws.headers.items()}
    headers["host"] = "127.0.0.1:4567"
    target = url.removeprefix("http://127.0.0.1:4567")
    return Request(method="POST", target=target, path="", headers=headers, body=body)


def test_account_and_region_come_from_the_signature() -> None:
    caller = sigv4.parse_caller(signed("test"))
    assert (caller.access_key, caller.region, caller.service) == (
        "222222222222",
        "us-gov-west-1",
        "ses",
    )


def test_a_signature_matches_its_own_secret_and_body_only() -> None:
    request = signed("test")
    caller = sigv4.parse_caller(request)
    assert sigv4.matches(request, caller, "test")
    assert not sigv4.matches(request, caller, "other")
    changed = Request(
        method="POST", target=request.target, path="", headers=request.headers, body=b"{}"
    )
    assert not sigv4.matches(changed, caller, "test")


@pytest.mark.parametrize("header", ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=a/b"])
def test_an_unsigned_call_is_refused(header: str) -> None:
    request = Request(
        method="GET", target="/", path="/", headers={"authorization": header}, body=b""
    )
    with pytest.raises(AccessDenied):
        sigv4.parse_caller(request)


# Mailbox and page.


def test_the_mailbox_finds_mails_by_recipient_tag_and_time(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    mail = delivered(EmailTags=[{"Name": "campaign_id", "Value": "c1"}])
    mailbox.keep(mail, Mime(data=b"raw", headers=(), subject=""))
    assert list(mailbox.select(to="USER@example.org", tags={"campaign_id": "c1"})) == [mail]
    assert list(mailbox.select(to="other@example.org")) == []
    assert list(mailbox.select(tags={"campaign_id": "c2"})) == []
    assert list(mailbox.select(since=NOON + 1)) == []
    assert mailbox.raw("0100-1") == b"raw"
    mailbox.clear()
    assert len(mailbox) == 0
    assert list(tmp_path.iterdir()) == []


def test_stats_name_who_was_mailed_twice() -> None:
    stats = Stats()
    stats.begin()
    stats.begin()
    stats.end()
    stats.per_recipient.update(["a@b.c", "a@b.c", "d@e.f"])
    described = stats.describe()
    assert (described["posts"], described["in_flight"], described["max_in_flight"]) == (2, 1, 2)
    assert described["recipients_mailed_twice"] == ["a@b.c"]


def test_the_page_escapes_all_that_a_mail_says() -> None:
    evil = "<img src=x onerror=alert(1)>'\""
    mail = delivered(
        simple={
            "Subject": {"Data": evil, "Charset": "UTF-8"},
            "Headers": [{"Name": "X-Evil", "Value": evil}],
        }
    )
    html = page.mailbox_page([mail], total=1)
    assert "<img" not in html and "&lt;img" in html
    shown = page.body_response(evil, "")
    assert b"<img" not in shown.body
    assert shown.headers["Content-Security-Policy"].startswith("sandbox;")


def test_a_cache_keeps_answers_for_a_while_and_asks_again_for_none() -> None:
    now = [0.0]
    cache = Cache(clock=lambda: now[0])
    answers = iter([None, "a", "b"])
    ask = [cache.ask("k", lambda: next(answers), 5) for _ in range(3)]
    now[0] = 6.0
    assert [*ask, cache.ask("k", lambda: next(answers), 5)] == [None, "a", "a", "b"]
