"""What goes past boto3 behaves as if it had not."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from scripted_http import Caller, ScriptedHttp

from sendmill.store.hot_calls import HotCalls, prepare_read
from sendmill.wire import Endpoint

KEY = {"pk": {"S": "C#1"}, "sk": {"S": "META"}}
Say = Callable[[Caller], None]


class Tables:
    """A server that says one thing after the other, and then that all is well."""

    def __init__(self, http: ScriptedHttp) -> None:
        self.http = http
        self.sayings: list[Say] = []
        http.script = self._converse

    def _converse(self, caller: Caller) -> None:
        while caller.read():
            say = self.sayings.pop(0) if self.sayings else fine()
            say(caller)

    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for raw in self.http.requests:
            head, _, body = raw.partition(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            (name,) = (
                line.rpartition(".")[2] for line in lines if line.startswith("x-amz-target:")
            )
            found.append((name, json.loads(body)))
        return found


def fine(said: dict[str, Any] | None = None, *, checksum: int | None = None) -> Say:
    body = json.dumps(said or {}).encode()
    crc = zlib.crc32(body) if checksum is None else checksum
    return lambda caller: caller.answer(body, head=f"x-amz-crc32: {crc}\r\n")


def error(status: int, code: str, **said: Any) -> Say:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    body = json.dumps({"__type": kind, **said}).encode()
    return lambda caller: caller.answer(body, status=status)


def cut(caller: Caller) -> None:
    caller.reset()


@pytest.fixture
def tables() -> Iterator[Tables]:
    with ScriptedHttp() as http:
        yield Tables(http)


@pytest.fixture
def hot(tables: Tables) -> Any:
    session = boto3.session.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
    )
    client = session.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{tables.http.port}",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}, read_timeout=5),
    )
    endpoint = Endpoint(client, prepare_read, credentials=session.get_credentials(), lanes=2)
    return HotCalls(client, endpoint)


def test_an_item_is_what_boto3_would_return(hot: Any, tables: Tables) -> None:
    item = {**KEY, "n": {"N": "7"}, "yes": {"BOOL": True}, "text": {"S": "Zo\u00eb \u2709"}}
    tables.sayings = [fine({"Item": item}), fine({"Item": item}), fine(), fine()]
    asked = {"TableName": "t", "Key": KEY, "ConsistentRead": True}
    for _ in range(2):
        quick = hot.get_item(**asked)
        slow = hot._client.get_item(**asked)
        slow.pop("ResponseMetadata")
        assert quick == slow
        tables.sayings = []
    assert [name for name, _ in tables.asked()] == ["getitem"] * 4
    assert [body for _, body in tables.asked()] == [asked] * 4


def test_reads_and_writes_are_one_request_each(hot: Any, tables: Tables) -> None:
    hot.batch_get_item(RequestItems={"t": {"Keys": [KEY]}})
    hot.update_item(TableName="t", Key=KEY, UpdateExpression="SET a = :a")
    hot.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": KEY}}])
    names = [name for name, _ in tables.asked()]
    assert names == ["batchgetitem", "updateitem", "transactwriteitems"]
    assert tables.http.connections == 1


def test_what_is_not_called_for_every_batch_is_boto3s(hot: Any, tables: Tables) -> None:
    tables.sayings = [fine({"Items": [], "Count": 0})]
    assert hot.query(TableName="t", KeyConditionExpression="pk = :pk")["Items"] == []
    assert hot.meta.region_name == "us-east-1"


def test_a_condition_that_does_not_hold_is_raised_with_the_item(hot: Any, tables: Tables) -> None:
    tables.sayings = [error(400, "ConditionalCheckFailedException", message="no", Item=KEY)]
    with pytest.raises(ClientError) as raised:
        hot.update_item(TableName="t", Key=KEY)
    assert raised.value.response["Error"] == {
        "Code": "ConditionalCheckFailedException",
        "Message": "no",
    }
    assert raised.value.response["Item"] == KEY  # type: ignore[typeddict-item]
    assert len(tables.asked()) == 1


def test_a_cancelled_transaction_is_raised_with_its_reasons(hot: Any, tables: Tables) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": KEY, "Message": "no"}]
    tables.sayings = [
        error(400, "TransactionCanceledException", Message="m", CancellationReasons=reasons)
    ]
    with pytest.raises(ClientError) as raised:
        hot.transact_write_items(TransactItems=[])
    assert raised.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert raised.value.response["CancellationReasons"] == reasons
    assert len(tables.asked()) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        error(500, "InternalServerError"),
        error(503, "ServiceUnavailable"),
        error(400, "ProvisionedThroughputExceededException"),
        error(400, "ThrottlingException"),
        lambda caller: caller.answer(b"<html>", status=502),
        lambda caller: caller.answer(b"not json"),
        lambda caller: caller.answer(b"[]", status=400),
        fine(checksum=1),
        cut,
    ],
)
def test_after_trouble_the_same_call_is_boto3s_to_repeat(
    hot: Any, tables: Tables, trouble: Say
) -> None:
    tables.sayings = [trouble, fine({"ok": {}})]
    hot.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": KEY}}])
    (_, first), (_, second) = tables.asked()
    assert first == second
    assert len(first["ClientRequestToken"]) >= 32, "DynamoDB must know the transaction again"


def test_trouble_that_lasts_is_raised_as_boto3_raises_it(hot: Any, tables: Tables) -> None:
    tables.sayings = [error(400, "ResourceNotFoundException", message="no table")] * 9
    with pytest.raises(ClientError) as raised:
        hot.get_item(TableName="t", Key=KEY)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_every_transaction_has_a_token_of_its_own(hot: Any, tables: Tables) -> None:
    for _ in range(2):
        hot.transact_write_items(TransactItems=[])
    hot.transact_write_items(TransactItems=[], ClientRequestToken="mine")
    tokens = [body["ClientRequestToken"] for _, body in tables.asked()]
    assert len(set(tokens)) == 3
    assert tokens[2] == "mine"
