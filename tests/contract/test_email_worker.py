"""The e-mail worker's contract with SQS: what it mails, and what it asks to see again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import CAMPAIGNS, RECIPIENTS, Cloud, Context
from fake_ses import FakeSes, drop, refuse

from fakes import HASH_KEY, make_campaign, make_row
from sendmill.contact import recipient_id
from sendmill.delivery import SEND_SECONDS
from sendmill.store import CampaignStore, RecipientStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]


@pytest.fixture
def worker(load: Load) -> ModuleType:
    return load("email_worker")


def records(event: MakeEvent, *bodies: str) -> dict[str, Any]:
    found = event("sqs_email")
    (plain,) = found["Records"]
    found["Records"] = [
        {**plain, "messageId": f"m{n}", "receiptHandle": f"h{n}", "body": body}
        for n, body in enumerate(bodies)
    ]
    return found


def test_the_documented_message_is_mailed(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes, cloud: Cloud
) -> None:
    answer = worker.handler(event("sqs_email"), context)
    assert json.dumps(answer) == '{"batchItemFailures": []}'
    (mail,) = ses.requests
    assert mail["FromEmailAddress"] == "noreply@example.com"
    assert mail["Destination"] == {"ToAddresses": ["user@example.com"]}
    simple = mail["Content"]["Simple"]
    assert simple["Subject"]["Data"] == "Hello John!"
    assert simple["Body"] == {"Text": {"Data": "Dear John Doe, ...", "Charset": "UTF-8"}}
    assert mail["ConfigurationSetName"] == "sendmill-test"
    rid = recipient_id(HASH_KEY, "campaign_1234567890", "user@example.com")
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    ours = {"campaign_id": "campaign_1234567890", "recipient_id": rid, "attempt": "1"}
    assert tags.items() >= ours.items()
    (row,) = cloud.rows()
    assert (row["st"]["S"], row["mid"]["S"]) == ("accepted", "0102018c")
    campaign = CampaignStore(cloud.dynamodb, CAMPAIGNS).get("campaign_1234567890")
    assert campaign is not None
    assert (campaign.name, campaign.total) == ("Monthly Newsletter", 1)


def test_the_same_event_again_mails_nobody(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes
) -> None:
    for _ in range(3):
        answer = worker.handler(event("sqs_email"), context)
        assert json.dumps(answer) == '{"batchItemFailures": []}'
    assert len(ses.requests) == 1


def test_what_nobody_can_act_on_is_asked_for_again_byte_for_byte(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes
) -> None:
    (good,) = event("sqs_email")["Records"]
    batch = records(
        event,
        "no json",
        good["body"],
        '{"campaign_id": "nobody", "contact": {"email": "x@example.com"}}',
        "[" * 100_000,
    )
    answer = worker.handler(batch, context)
    assert json.dumps(answer) == (
        '{"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}, '
        '{"itemIdentifier": "m3"}]}'
    )
    assert ses.recipients() == ["user@example.com"]


def test_a_poisonous_contact_does_not_harm_its_neighbours(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes
) -> None:
    (good,) = event("sqs_email")["Records"]
    message = json.loads(good["body"])
    bodies = []
    for n, name in enumerate(["=?utf-8?b?a?=", "a\x00b", "\ud800", "x" * 20_000, "Ada"]):
        contact = {**message["contact"], "email": f"u{n}@example.com", "first_name": name}
        bodies.append(json.dumps({**message, "contact": contact}))
    answer = worker.handler(records(event, *bodies), context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"m{n}"} for n in (1, 2, 3)]}
    assert ses.recipients() == ["u4@example.com"]


def test_what_was_refused_for_the_rate_waits_in_the_ledger_and_what_is_lost_is_unknown(
    worker: ModuleType, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    hurried = Context(seconds=SEND_SECONDS + 2)
    ses.answer = refuse(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
    body = event("sqs_email")["Records"][0]["body"]
    answer = worker.handler(records(event, body), hurried)
    assert json.dumps(answer) == '{"batchItemFailures": []}'
    assert cloud.rows()[0]["st"]["S"] == "retry"
    ses.answer = drop
    answer = worker.handler(records(event, body), hurried)
    assert json.dumps(answer) == '{"batchItemFailures": []}'
    (row,) = cloud.rows()
    assert row["st"]["S"] == "unknown"
    assert len(ses.requests) >= 2
    assert {tag["Value"] for tag in ses.requests[-1]["EmailTags"]} >= {"2"}


def test_a_message_of_dispatch_takes_its_content_from_the_campaign(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes, cloud: Cloud
) -> None:
    CampaignStore(cloud.dynamodb, CAMPAIGNS).add(make_campaign())
    RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS).put_all([make_row(chunk=0)])
    body = '{"campaign_id":"spring","contact":{"email":"ada@example.com","first_name":"Ada"}}'
    assert worker.handler(records(event, body), context) == {"batchItemFailures": []}
    assert ses.requests[0]["Content"]["Simple"]["Subject"]["Data"] == "Hello Ada!"


def test_an_invocation_that_is_nearly_over_starts_nothing(
    worker: ModuleType, event: MakeEvent, ses: FakeSes
) -> None:
    answer = worker.handler(event("sqs_email"), Context(seconds=1))
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}]
    }
    assert ses.requests == []


def test_a_ledger_that_is_away_keeps_every_message(
    worker: ModuleType, event: MakeEvent, context: Context, ses: FakeSes, cloud: Cloud
) -> None:
    cloud.dynamodb.delete_table(TableName=RECIPIENTS)
    body = event("sqs_email")["Records"][0]["body"]
    answer = worker.handler(records(event, body, body), context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    assert ses.requests == []


def test_no_line_of_the_log_holds_an_address_or_a_body(
    worker: ModuleType, event: MakeEvent, context: Context, log: io.StringIO
) -> None:
    bodies = [
        event("sqs_email")["Records"][0]["body"],
        '{"campaign_id": "victim@example.com"}',
        '{"campaign_id": "c", "contact": {"email": "victim@example.com\\n"}, "body": "secret"}',
    ]
    worker.handler(records(event, *bodies), context)
    written = log.getvalue()
    lines = [json.loads(line) for line in written.splitlines()]
    assert {line["message"] for line in lines} >= {"message_handled", "batch_handled"}
    for word in ("user@", "victim", "Dear", "secret", "John"):
        assert word not in written
