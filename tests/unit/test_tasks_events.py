"""What lies on a task queue besides our own messages is understood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import FakeInbox
from sendmill.tasks import register_handler, task
from sendmill.tasks.config import configure, reset
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.worker.delivery import Delivery
from sendmill.tasks.worker.runner import Runner

ran: list[Any] = []
ROUTES = {"uploads/reports/": "e.report", "uploads": "e.other"}


@task(name="e.tick")
def tick(day: str = "") -> None:
    ran.append(day)


@task(name="e.report")
def report(bucket: str, key: str) -> None:
    ran.append((bucket, key))


@register_handler("e.other")
def other(payload: dict[str, Any]) -> None:
    ran.append(payload)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Fresh receipts, two routes."""
    ran.clear()
    reset()
    configure(receipts=MemoryReceipts(), s3_routes=ROUTES)
    yield
    reset()


def run(found: Any, message_id: str = "m") -> FakeInbox:
    """Handle one message, which must be acknowledged."""
    inbox = FakeInbox()
    text = found if isinstance(found, str) else json.dumps(found)
    delivery = Delivery(message_id=message_id, receipt_handle="h", body=text)
    assert Runner(inbox).run([delivery]) == []
    return inbox


def s3_event(key: str, bucket: str = "uploads", sequencer: str = "01") -> dict[str, Any]:
    """Return what S3 puts on a queue."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": bucket},
                    "object": {"key": key, "size": 9, "eTag": "e", "sequencer": sequencer},
                },
            }
        ]
    }


def test_an_upload_runs_the_task_of_its_place_once_for_each_write() -> None:
    event = s3_event("reports/a+b%26.jpg")
    run(event)
    run(event, "redelivered by S3")
    run(s3_event("reports/a+b%26.jpg", sequencer="02"))
    assert ran == [("uploads", "reports/a b&.jpg")] * 2


def test_an_upload_elsewhere_takes_the_next_best_route() -> None:
    run(s3_event("else/x"))
    assert ran[0]["key"] == "else/x"
    assert ran[0]["event_name"] == "ObjectCreated:Put"


def test_a_bucket_of_nobody_is_poison() -> None:
    assert run(s3_event("x", bucket="uploads2")).buried["m"]["reason"] == "poison"


def test_through_sns_it_is_the_same() -> None:
    run({"Type": "Notification", "Message": json.dumps(s3_event("reports/x"))})
    assert ran == [("uploads", "reports/x")]


def test_the_test_event_of_s3_is_nothing() -> None:
    assert not run({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"}).buried


def test_a_schedule_fires_once_for_each_of_its_times() -> None:
    body = {
        "task": "e.tick",
        "kwargs": {"day": "mon"},
        "schedule": "arn:aws:scheduler:us-east-1:0:schedule/g/n",
        "scheduled": "2026-11-23T05:00:00Z",
    }
    run(body)
    run(body, "Scheduler delivered it twice")
    run({**body, "scheduled": "2026-11-24T05:00:00Z"})
    assert ran == ["mon", "mon"]


def test_an_event_of_eventbridge_carries_a_task() -> None:
    event = {"id": "e1", "detail-type": "Nightly", "detail": {"task": "e.tick"}}
    run(event)
    run(event, "again")
    assert ran == [""]


def test_a_plain_body_runs_once_for_each_message() -> None:
    body = {"task_name": "e.tick", "payload": {"day": "tue"}}
    run(body, "a")
    run(body, "a")
    run(body, "b")
    assert ran == ["tue", "tue"]


@pytest.mark.parametrize(
    "body",
    ["[]", "5", "{}", '{"task": 5}', '{"task": "e.tick", "kwargs": []}', '{"Records": [{}]}'],
)
def test_whatever_else_is_poison(body: str) -> None:
    assert run(body).buried["m"]["reason"] == "poison"
