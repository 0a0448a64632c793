"""Keep results beside the receipts in DynamoDB: for workers that reach no database of the project.

One item a task, ``pk`` = ``R#`` and the task's id, the record as JSON, gone after ``keep_days`` by
the table's time to live. A role needs GetItem and PutItem. What is over 300 KB loses its arguments
first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from sendmill.errors import StoreUnavailable
from sendmill.tasks.clients import client

# DynamoDB takes items of 400 KB.
_MOST_BYTES = 300_000


class DynamoResults:
    """Keep records as items."""

    in_transaction = False

    def __init__(self, table: str, *, region: str = "", keep_days: int = 30) -> None:
        if not table:
            raise ImproperlyConfigured("result_store 'dynamodb' needs the option receipts_table")
        self._table = table
        self._region = region
        self._keep_seconds = keep_days * 86_400

    def create(self, record: Mapping[str, Any]) -> None:
        """Keep a new item; raises StoreUnavailable."""
        self._put(record, "attribute_not_exists(pk)", {})

    def update(self, record: Mapping[str, Any]) -> None:
        """Replace an item, unless it tells of a later run; raises StoreUnavailable."""
        mine = {":mine": {"N": str(_stamp(record))}}
        self._put(record, "attribute_not_exists(pk) OR attempted_at <= :mine", mine)

    def read(self, result_id: str) -> dict[str, Any] | None:
        """Return a record, or None; raises StoreUnavailable."""
        found = self._call(
            "get_item", TableName=self._table, Key=_key(result_id), ConsistentRead=True
        )
        item = (found or {}).get("Item")
        return json.loads(item["record"]["S"]) if item else None

    def _put(self, record: Mapping[str, Any], condition: str, values: Mapping[str, Any]) -> None:
        item = {
            **_key(record["id"]),
            "record": {"S": _fitting(record)},
            "status": {"S": record["status"]},
            "attempted_at": {"N": str(_stamp(record))},
            "expires_at": {"N": str(int(time.time()) + self._keep_seconds)},
        }
        asked = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        self._call("put_item", **asked, **({"ExpressionAttributeValues": values} if values else {}))

    def _call(self, name: str, **asked: Any) -> Any:
        """Return the answer, or None when the condition did not hold."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client("dynamodb", self._region), name)(**asked)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                return None
            raise StoreUnavailable(f"results: {error}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"results: {type(error).__name__}: {error}") from error


def _key(result_id: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"R#{result_id}"}}


def _stamp(record: Mapping[str, Any]) -> int:
    """Return when the run began, in microseconds; 0 before the first."""
    began = record["last_attempted_at"]
    return int(datetime.fromisoformat(began).timestamp() * 1_000_000) if began else 0


def _fitting(record: Mapping[str, Any]) -> str:
    text = json.dumps(record)
    shorter: tuple[dict[str, Any], ...] = (
        {"args": [], "kwargs": {}},
        {"return_value": None},
        {"errors": []},
    )
    for without in shorter:
        if len(text) <= _MOST_BYTES:
            break
        record = {**record, **without, "shortened": True}
        text = json.dumps(record)
    return text
