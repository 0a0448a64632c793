"""Keep suppressed addresses in the recipients table.

::

    pk=S#{address hash}     sk=S               what workers read: {reason, rank, at, src}
    pk=SUPPRESSED#{shard}   sk={address hash}  what people list:  {email, reason, at, src}

Both are written in one transaction. Erasing an address deletes the second and leaves the first,
which holds nothing of a person; removing an entry deletes both.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.errors import InvalidContactList, StoreUnavailable
from sendmill.ledger import SHARDS, shard_of
from sendmill.store.item import (
    CONFLICT_ATTEMPTS,
    Item,
    cancellation_codes,
    decode,
    encode,
    encode_value,
    number,
    on_condition,
    text,
    translated,
    wait,
)
from sendmill.suppression import Reason, Suppression

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITERS = 16
# Fewer entries are written before the writers have started.
_SIDE_BY_SIDE = 20
_CURSOR = re.compile(r"(0|[1-9]|1[0-5])\.([a-z2-7]{26})?\Z")


class SuppressionStore:
    """Keep suppressions beside the ledger's rows."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        writers: int = _WRITERS,
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep
        self._writers = writers

    def add_all(self, entries: Sequence[Suppression]) -> Sequence[bool]:
        """Add entries; say of each whether it was news. A stronger one that stands is left.

        Raises StoreUnavailable.
        """
        if len(entries) < _SIDE_BY_SIDE:
            return [self._add(entry) for entry in entries]
        with ThreadPoolExecutor(self._writers) as writers:
            return list(writers.map(self._add, entries))

    def page(self, *, cursor: str, limit: int) -> tuple[Sequence[Suppression], str]:
        """Return entries whose address is known, shard by shard, and the next page's cursor.

        Raises InvalidContactList for a cursor that no page gave.
        """
        if cursor and not _CURSOR.match(cursor):
            raise InvalidContactList(f"cursor must be one that a page gave (got {cursor[:80]!r})")
        shard, _, after = cursor.partition(".")
        at = int(shard or 0)
        found: list[Suppression] = []
        while at < SHARDS and len(found) < limit:
            entries, after = self._query(at, after, limit - len(found))
            found += entries
            at += not after
        return found, f"{at}.{after}" if at < SHARDS else ""

    def remove(self, key: str) -> bool:
        """Remove an entry for good; tell whether it was there."""
        return self._delete_both(key, {"ConditionExpression": "attribute_exists(pk)"})

    def release(self, key: str, *, reason: Reason, before: int) -> bool:
        """Remove an entry of this reason that is not younger; tell whether one was there."""
        condition = {
            "ConditionExpression": "reason = :reason AND #at <= :before",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": encode({":reason": str(reason), ":before": before}),
        }
        return self._delete_both(key, condition)

    def erase(self, key: str) -> bool:
        """Forget an entry's address and leave it in force; tell whether its address was known."""
        return on_condition(
            "erasing an address",
            self._client.delete_item,
            TableName=self._table,
            Key=_listed(key),
            ConditionExpression="attribute_exists(pk)",
        )

    def _add(self, entry: Suppression) -> bool:
        said: Item = {"reason": str(entry.reason), "at": entry.at, "src": entry.source}
        put = {
            "TableName": self._table,
            "Item": {**_guard(entry.hash), **encode({**said, "rank": entry.reason.strength})},
            "ConditionExpression": "attribute_not_exists(pk) OR #rank < :rank",
            "ExpressionAttributeNames": {"#rank": "rank"},
            "ExpressionAttributeValues": {":rank": encode_value(entry.reason.strength)},
        }
        listed = {
            "TableName": self._table,
            "Item": {**_listed(entry.hash), **encode({**said, "email": entry.email})},
        }
        return self._transact("adding a suppression", [{"Put": put}, {"Put": listed}])

    def _delete_both(self, key: str, condition: dict[str, Any]) -> bool:
        guard = {"TableName": self._table, "Key": _guard(key), **condition}
        listed = {"TableName": self._table, "Key": _listed(key)}
        return self._transact("removing a suppression", [{"Delete": guard}, {"Delete": listed}])

    def _transact(self, what: str, actions: list[Any]) -> bool:
        """Write all or nothing; tell whether the condition held."""
        codes: list[str] = []
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                with translated(what):
                    self._client.transact_write_items(TransactItems=actions)
            except ClientError as error:
                codes = cancellation_codes(error)
                if "ConditionalCheckFailed" in codes:
                    return False
            else:
                return True
            wait(self._sleep, attempt)
        raise StoreUnavailable(f"{what}: {', '.join(codes)}")

    def _query(self, shard: int, after: str, limit: int) -> tuple[list[Suppression], str]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": encode({":pk": _shard(shard)}),
            "ConsistentRead": True,
            "Limit": limit,
        }
        if after:
            asked["ExclusiveStartKey"] = _listed(after)
        with translated("listing suppressions"):
            page = self._client.query(**asked)
        last = page.get("LastEvaluatedKey")
        entries = [_entry(decode(item)) for item in page["Items"]]
        return entries, text(decode(last), "sk") if last else ""


def _entry(item: Item) -> Suppression:
    return Suppression(
        hash=text(item, "sk"),
        email=text(item, "email"),
        reason=Reason(text(item, "reason")),
        at=number(item, "at"),
        source=text(item, "src"),
    )


def _guard(key: str) -> dict[str, Any]:
    return encode({"pk": f"S#{key}", "sk": "S"})


def _listed(key: str) -> dict[str, Any]:
    return encode({"pk": _shard(shard_of(key)), "sk": key})


def _shard(shard: int) -> str:
    return f"SUPPRESSED#{shard:02}"
