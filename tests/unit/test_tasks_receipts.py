"""Every store of receipts keeps the same promises; DynamoDB's says when it is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from cloud import TASKS, Cloud
from moto import mock_aws

from sendmill.errors import StoreUnavailable
from sendmill.tasks import Receipts
from sendmill.tasks.receipts.dynamodb import DynamoReceipts
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.receipts.recent import RecentTasks
from sendmill.tasks.testing.contract import ReceiptsContract

TABLE = "receipts"


def make_table() -> Any:
    """Create what Terraform creates."""
    dynamodb: Any = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


@pytest.fixture
def dynamodb(offline_aws: None) -> Iterator[Any]:
    """A table in this process."""
    with mock_aws():
        yield make_table()


class TestMemory(ReceiptsContract):
    """In this process."""

    def make(self, clock: Callable[[], float]) -> Receipts:
        return MemoryReceipts(clock=clock)


class TestDynamo(ReceiptsContract):
    """In a table."""

    @pytest.fixture(autouse=True)
    def _table(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb

    def make(self, clock: Callable[[], float]) -> Receipts:
        return DynamoReceipts(TABLE, dynamodb=self.dynamodb, clock=clock)


def test_a_claim_whose_answer_was_lost_still_runs(dynamodb: Any) -> None:
    answers = 0

    def lose_the_first(**_: Any) -> None:
        nonlocal answers
        answers += 1
        if answers == 1:
            raise ReadTimeoutError(endpoint_url="http://lost")

    # after-call: the write was done, and its answer goes missing
    dynamodb.meta.events.register("after-call.dynamodb.UpdateItem", lose_the_first)
    store = DynamoReceipts(TABLE, dynamodb=dynamodb)
    with pytest.raises(StoreUnavailable):
        store.claim("key", owner="a", task="t", lease_seconds=60)
    assert store.claim("key", owner="a", task="t", lease_seconds=60).state == "acquired"
    assert store.claim("key", owner="b", task="t", lease_seconds=60).state == "held"


def test_an_item_holds_what_an_operator_asks_for(dynamodb: Any) -> None:
    store = DynamoReceipts(TABLE, dynamodb=dynamodb, keep_days=30, clock=lambda: 1000.5)
    store.claim("key", owner="a", task="resize", lease_seconds=60)
    store.release("key", owner="a", error="OSError: disk" + "x" * 1000)
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "key"}})["Item"]
    assert item["task"]["S"] == "resize"
    assert item["state"]["S"] == "free"
    assert item["attempts"]["N"] == "1"
    assert item["error"]["S"].startswith("OSError: disk")
    assert len(item["error"]["S"]) == 300
    assert item["expires_at"]["N"] == str(1000 + 30 * 86400), "DynamoDB wants whole seconds"


def test_a_table_that_is_not_there_is_said(dynamodb: Any) -> None:
    store = DynamoReceipts("nowhere", dynamodb=dynamodb)
    with pytest.raises(StoreUnavailable, match="ResourceNotFound"):
        store.claim("key", owner="a", task="t", lease_seconds=1)


def test_what_has_expired_is_claimed_before_dynamodb_deletes_it(dynamodb: Any) -> None:
    now = [1000.0]
    store = DynamoReceipts(TABLE, dynamodb=dynamodb, keep_days=1, clock=lambda: now[0])
    store.claim("key", owner="a", task="t", lease_seconds=1)
    store.complete("key", owner="a")
    now[0] += 86_401
    assert store.claim("key", owner="b", task="t", lease_seconds=1).state == "acquired"


def test_the_last_tasks_are_listed_with_what_became_of_them(cloud: Cloud) -> None:
    now = 1_790_000_000.0
    store = DynamoReceipts(TASKS, dynamodb=cloud.dynamodb, clock=lambda: now)
    for number, name in enumerate(("old", "done", "late", "dead", "busy")):
        now = 1_790_000_000.0 + (number * 60 if number else -86_400)
        store.claim(name, owner="o", task="t", lease_seconds=60)
        now += 5
        if name in ("old", "done"):
            store.complete(name, owner="o")
        elif name != "busy":
            store.release(name, owner="o", error="no ada@example.com", final=name == "dead")
    found = RecentTasks(cloud.dynamodb, TASKS).list(now=now)
    assert [(one.task_id, one.status, one.attempts) for one in found] == [
        ("busy", "running", 1),
        ("dead", "dead", 1),
        ("late", "waiting", 1),
        ("done", "succeeded", 1),
        ("old", "succeeded", 1),
    ]
    assert found[1].error == "no [address]"
    assert found[3].finished_at - found[3].started_at == 5
    assert found[0].finished_at == 0
    assert [one.task_id for one in RecentTasks(cloud.dynamodb, TASKS).list(now=now, limit=2)] == [
        "busy",
        "dead",
    ]


def test_a_dead_letter_that_was_sent_back_is_listed_as_what_it_is_now(cloud: Cloud) -> None:
    now = 1_790_000_000.0
    store = DynamoReceipts(TASKS, dynamodb=cloud.dynamodb, clock=lambda: now)
    store.claim("t", owner="a", task="t", lease_seconds=60)
    store.release("t", owner="a", error="no", final=True)
    store.claim("t", owner="b", task="t", lease_seconds=60)
    assert RecentTasks(cloud.dynamodb, TASKS).list(now=now)[0].status == "running"
    store.complete("t", owner="b")
    assert RecentTasks(cloud.dynamodb, TASKS).list(now=now)[0].status == "succeeded"
