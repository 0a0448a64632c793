"""Make the DynamoDB calls of every batch with little CPU, and leave everything else to boto3.

A call is tried once over a kept connection. An answer is returned as boto3 would return it, a
condition that did not hold is raised as boto3 would raise it. Whatever else happens (throttling,
a lost answer) the same call is handed to boto3 with its retries: to the caller it is one of them.
A transaction carries a token by which DynamoDB knows it again.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.wire import Answer, Endpoint, Loss

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Result = dict[str, Any] | ClientError | BotoCoreError

_THREADS = 16
# Refusals that are an answer: the caller wants to know which condition did not hold.
_CONDITIONS = ("ConditionalCheckFailedException", "TransactionCanceledException")


def prepare_read(client: Any) -> None:
    """Call an operation of the tables' endpoint."""
    client.get_item(TableName="any", Key={"pk": {"S": "any"}})


class HotCalls:
    """Stand in for a boto3 client of DynamoDB."""

    def __init__(self, client: DynamoDBClient, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    def __getattr__(self, name: str) -> Any:
        """Hand on whatever is not called for every batch."""
        return getattr(self._client, name)

    def get_item(self, **asked: Any) -> Any:
        """Read one item."""
        return _or_raise(self.side_by_side("get_item", [asked])[0])

    def batch_get_item(self, **asked: Any) -> Any:
        """Read up to 100 items."""
        return _or_raise(self.side_by_side("batch_get_item", [asked])[0])

    def update_item(self, **asked: Any) -> Any:
        """Change one item; raises ClientError when its condition does not hold."""
        return _or_raise(self.side_by_side("update_item", [asked])[0])

    def transact_write_items(self, **asked: Any) -> Any:
        """Write up to 100 items together; raises ClientError when the transaction is cancelled."""
        asked.setdefault("ClientRequestToken", uuid.uuid4().hex)
        return _or_raise(self.side_by_side("transact_write_items", [asked])[0])

    def side_by_side(self, name: str, asked: Sequence[Mapping[str, Any]]) -> list[Result]:
        """Make many calls of one kind; return what each returns or raises, in their order."""
        operation = name.title().replace("_", "")
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        bodies = (json.dumps(one, separators=(",", ":")).encode() for one in asked)
        try:
            answers: list[Answer | Loss] = self._endpoint.post_all(bodies, headers=headers)
        except BotoCoreError:
            return [self._patiently(name, one) for one in asked]
        return [
            self._result(name, operation, one, answer)
            for one, answer in zip(asked, answers, strict=True)
        ]

    def _result(
        self, name: str, operation: str, asked: Mapping[str, Any], answer: Answer | Loss
    ) -> Result:
        said = _said(answer)
        if said is None:
            return self._patiently(name, asked)
        code = str(said.pop("__type", "")).rpartition("#")[2]
        if code in _CONDITIONS:
            return ClientError(_as_boto3_says_it(code, said), operation)
        return self._patiently(name, asked) if code else said

    def _patiently(self, name: str, asked: Mapping[str, Any]) -> Result:
        return _outcome_of(getattr(self._client, name), asked)


def side_by_side(client: Any, name: str, asked: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Make many calls of one kind with any client; return what each returns or raises."""
    if isinstance(client, HotCalls):
        return client.side_by_side(name, asked)
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda one: _outcome_of(getattr(client, name), one), asked))


def _outcome_of(call: Callable[..., Any], asked: Mapping[str, Any]) -> Result:
    try:
        return dict(call(**asked))
    except (ClientError, BotoCoreError) as error:
        return error


def _or_raise(result: Result) -> dict[str, Any]:
    if isinstance(result, Exception):
        raise result
    return result


def _said(found: Answer | Loss) -> dict[str, Any] | None:
    """Return what DynamoDB answered, if it is whole; errors hold their name as ``__type``."""
    if isinstance(found, Loss) or found.status not in (200, 400):
        return None
    checksum = found.header("x-amz-crc32")
    if checksum and checksum != str(zlib.crc32(found.body)):
        return None
    try:
        said = json.loads(found.body)
    except ValueError:
        return None
    if not isinstance(said, dict) or (found.status == 400) != ("__type" in said):
        return None
    return said


def _as_boto3_says_it(code: str, said: dict[str, Any]) -> Any:
    message = said.get("Message") or said.get("message") or ""
    return {**said, "Error": {"Code": code, "Message": message}}
