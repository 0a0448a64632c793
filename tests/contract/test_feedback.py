"""The feedback function's contract with SQS: what it takes in, and what it asks to see again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cloud import CAMPAIGNS, RECIPIENTS, Cloud, Context

from fakes import HASH_KEY, NOW, make_campaign, make_row
from sendmill.contact import address_hash
from sendmill.ledger import Row, State, claim, record
from sendmill.outcome import accepted
from sendmill.store import CampaignStore, RecipientStore, WatermarkStore

Load = Callable[[str], ModuleType]
SHAPES = Path(__file__).parent / "events/ses"
ADDRESS = "recipient@example.com"
ROW = make_row(ADDRESS)


@pytest.fixture
def feedback(load: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("SES_CONFIGURATION_SET", "ConfigSet")
    return load("feedback")


@pytest.fixture
def rows(cloud: Cloud) -> RecipientStore:
    """The ledger, with one mail that was accepted at its first attempt."""
    CampaignStore(cloud.dynamodb, CAMPAIGNS).add(make_campaign())
    store = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    store.adopt([ROW])
    claimed = claim(ROW, owner="w1", lease=NOW + 60, now=NOW)
    assert store.apply([claimed], owner="w1") == [True]
    done = record(claimed.after, accepted("ses-1"), now=NOW, jitter=0.5)
    assert store.apply([done], owner="w1") == [True]
    return store


def row(store: RecipientStore) -> Row:
    (found,) = store.read([("spring", ROW.rid)], suppression_keys=[])[0].values()
    return found


def shape(name: str) -> str:
    (path,) = SHAPES.glob(f"{name}.*")
    return path.read_text().replace("RECIPIENT_ID", ROW.rid)


def records(*bodies: str) -> dict[str, Any]:
    plain = {
        "receiptHandle": "MessageReceiptHandle",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1523232000000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1523232000001",
        },
        "messageAttributes": {},
        "md5OfBody": "EXAMPLE",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:sendmill-test-feedback-queue",
        "awsRegion": "us-east-1",
    }
    return {
        "Records": [{**plain, "messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
    }


def failures(answer: dict[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_every_recorded_shape_is_taken_in(
    feedback: ModuleType, rows: RecipientStore, context: Context, cloud: Cloud
) -> None:
    names = sorted(path.stem for path in SHAPES.iterdir() if path.stem != "README")
    for first in range(0, len(names), 10):
        bodies = [shape(name) for name in names[first : first + 10]]
        assert failures(feedback.handler(records(*bodies), context)) == []
    found = row(rows)
    assert (found.state, found.news) == (State.ACCEPTED, "complained")
    counters = CampaignStore(cloud.dynamodb, CAMPAIGNS).counters("spring")
    assert counters == {"accepted": 1, "complained": 1}


def test_a_bounce_suppresses_and_counts(
    feedback: ModuleType, rows: RecipientStore, context: Context, cloud: Cloud
) -> None:
    feedback.handler(records(shape("bounce_permanent_general")), context)
    key = address_hash(HASH_KEY, ADDRESS)
    _, reasons = rows.read([], suppression_keys=[key])
    assert reasons == {key: "bounced"}
    found = row(rows)
    assert (found.news, found.reason) == ("bounced", "permanent_general")
    counters = CampaignStore(cloud.dynamodb, CAMPAIGNS).counters("spring")
    assert counters == {"accepted": 1, "bounced": 1}


def test_a_send_moves_the_watermark(
    feedback: ModuleType, rows: RecipientStore, context: Context, cloud: Cloud
) -> None:
    feedback.handler(records(shape("send"), shape("other_sender_send")), context)
    found = WatermarkStore(cloud.dynamodb, CAMPAIGNS).read("ConfigSet")
    assert found.last_send_at == 1476421336
    assert row(rows).news == "sent"


def test_a_damaged_event_alone_is_kept(
    feedback: ModuleType, rows: RecipientStore, context: Context
) -> None:
    answer = feedback.handler(
        records(shape("delivery"), '{"eventType": "Bounce"}', shape("greeting")), context
    )
    assert json.dumps(answer) == '{"batchItemFailures": [{"itemIdentifier": "m1"}]}'
    assert row(rows).news == "delivered"


def test_a_ledger_that_is_away_keeps_the_whole_batch(
    feedback: ModuleType, context: Context, cloud: Cloud
) -> None:
    cloud.dynamodb.delete_table(TableName=RECIPIENTS)
    answer = feedback.handler(records(shape("delivery"), shape("greeting")), context)
    assert failures(answer) == ["m0", "m1"]


def test_an_event_of_another_configuration_set_is_refused_and_told(
    load: Load,
    rows: RecipientStore,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
) -> None:
    monkeypatch.setenv("SES_CONFIGURATION_SET", "sendmill-prod")
    module = load("feedback")
    assert failures(module.handler(records(shape("complaint_abuse")), context)) == []
    assert row(rows).news == ""
    (line,) = [line for line in lines(log) if line["message"] == "event_refused"]
    assert (line["level"], line["outcome"]) == ("WARNING", "foreign_configuration_set")


def test_a_change_is_one_line_and_a_repetition_is_none(
    feedback: ModuleType, rows: RecipientStore, context: Context, log: io.StringIO
) -> None:
    feedback.handler(records(shape("complaint_abuse"), shape("complaint_abuse")), context)
    feedback.handler(records(shape("complaint_abuse")), context)
    (line,) = [line for line in lines(log) if line["message"] == "news_heard"]
    told = {name: line[name] for name in ("news", "reason", "campaign_id", "recipient_id")}
    assert told == {
        "news": "complained",
        "reason": "abuse",
        "campaign_id": "spring",
        "recipient_id": ROW.rid,
    }
    assert "@" not in log.getvalue()
    assert "recipient@" not in log.getvalue()


def test_an_event_that_is_faster_than_our_own_record_takes_nothing_from_it(
    feedback: ModuleType, context: Context, cloud: Cloud
) -> None:
    campaigns = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    campaigns.add(make_campaign())
    store = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    store.adopt([ROW])
    claimed = claim(ROW, owner="w1", lease=NOW + 60, now=NOW)
    assert store.apply([claimed], owner="w1") == [True]
    feedback.handler(records(shape("send")), context)
    done = record(claimed.after, accepted("ses-1"), now=NOW, jitter=0.5)
    assert store.apply([done], owner="w1") == [True]
    assert row(store).news == "sent"
    assert campaigns.counters("spring") == {"accepted": 1}
    failed = replace(done, after=replace(done.after, state=State.FAILED))
    assert store.apply([failed], owner="w1") == [False]
