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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.wire import Answer, Endpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
        return self._call("GetItem", self._client.get_item, asked)

    def batch_get_item(self, **asked: Any) -> Any:
        """Read up to 100 items."""
        return self._call("BatchGetItem", self._client.batch_get_item, asked)

    def update_item(self, **asked: Any) -> Any:
        """Change one item; raises ClientError when its condition does not hold."""
        return self._call("UpdateItem", self._client.update_item, asked)

    def transact_write_items(self, **asked: Any) -> Any:
        """Write up to 100 items together; raises ClientError when the transaction is cancelled."""
        asked.setdefault("ClientRequestToken", uuid.uuid4().hex)
        return self._call("TransactWriteItems", self._client.transact_write_items, asked)

    def _call(self, name: str, patiently: Callable[..., Any], asked: dict[str, Any]) -> Any:
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{name}",
        }
        body = json.dumps(asked, separators=(",", ":")).encode()
        try:
            (found,) = self._endpoint.post_all([body], headers=headers)
        except BotoCoreError:
            return patiently(**asked)
        if isinstance(found, Answer) and _is_whole(found):
            said = json.loads(found.body)
            if found.status == 200:
                return said
            code = str(said.pop("__type", "")).rpartition("#")[2]
            if code in _CONDITIONS:
                raise ClientError(_as_boto3_says_it(code, said), name)
        return patiently(**asked)


def _is_whole(found: Answer) -> bool:
    """Tell whether the body is what DynamoDB's checksum says, where it gives one."""
    said = found.header("x-amz-crc32")
    return not said or said == str(zlib.crc32(found.body))


def _as_boto3_says_it(code: str, said: dict[str, Any]) -> Any:
    message = said.get("Message") or said.get("message") or ""
    return {**said, "Error": {"Code": code, "Message": message}}
