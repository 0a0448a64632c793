"""Keep the ledger: one row a recipient, written before anything is queued.

::

    recipients table  pk=C#{campaign}#{shard:02}  sk=R#{rid}   one row
                      g1pk=DUE#{shard:02}  g1sk=due            only while the row is not final
                      pk=S#{address hash}  sk=S                an address that must not be mailed

Every write is one conditional transaction that also moves the campaign's counters, so that
their sum is the ledger, always. A batch uses one counter shard, chosen by its owner: 2 writes
for each row and 2 for the batch. A transaction that is cancelled because a row has moved on is
sent again without that row; one that only met another transaction is sent again as it was.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.dispatch import Put
from sendmill.erasure import forgotten
from sendmill.errors import StoreUnavailable
from sendmill.ledger import (
    COUNTED_NEWS,
    FINAL,
    NEWS_ORDER,
    SHARDS,
    Row,
    State,
    Transition,
    contact_text,
)
from sendmill.store.campaign_item import counter_key, meta_key
from sendmill.store.hot_calls import Result, side_by_side
from sendmill.store.item import (
    CONDITION_FAILED,
    CONFLICT_ATTEMPTS,
    Item,
    cancellation_codes,
    decode,
    encode,
    encode_value,
    error_code,
    text,
    transact,
    translated,
    wait,
)
from sendmill.store.recipient_item import (
    attributes,
    due_partition,
    item_of,
    partition,
    row_from,
    row_key,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]

# Rows in one transaction: with a counter for each campaign still below DynamoDB's 100 actions.
_TRANSACTION_ROWS = 50
_READ_KEYS = 100
_SHARD_PAGE = 500
# A write applies only while these are as they were read.
_FENCE = ("st", "att", "owner", "news")
_UNCHANGED = " AND ".join(f"#{name} = :was_{name}" for name in _FENCE)


class RecipientStore:
    """Keep rows of recipients and suppressed addresses in one table, counters in another."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        campaigns_table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._campaigns_table = campaigns_table
        self._sleep = sleep

    def read(
        self, keys: Sequence[Key], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[Key, Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid), and the reasons by suppressed address hash."""
        wanted = [row_key(campaign_id, rid) for campaign_id, rid in keys]
        wanted += [encode({"pk": f"S#{found}", "sk": "S"}) for found in set(suppression_keys)]
        rows: dict[Key, Row] = {}
        reasons: dict[str, str] = {}
        for item in self._get_all(wanted):
            if text(item, "sk") == "S":
                reasons[text(item, "pk")[2:]] = text(item, "reason")
            else:
                row = row_from(item)
                rows[row.campaign_id, row.rid] = row
        return rows, reasons

    def adopt(self, rows: Sequence[Row]) -> Mapping[Key, Row]:
        """Create rows that messages brought, and count them in; return what stands now."""
        for row in rows:
            self._adopt_one(row)
        found, _ = self.read([(row.campaign_id, row.rid) for row in rows], suppression_keys=[])
        return found

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        """Create each row unless it stands; return what stands now, in the same order."""
        asked = [
            {
                "TableName": self._table,
                "Item": encode(item_of(row)),
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
            for row in rows
        ]
        answers = side_by_side(self._client, "put_item", asked)
        return [_put(row, answer) for row, answer in zip(rows, answers, strict=True)]

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write in one transaction what still can be; say for each whether it stands.

        More than 50 transitions take more than one transaction. Raises StoreUnavailable.
        """
        shard = zlib.crc32(owner.encode()) % SHARDS
        stands: list[bool] = []
        for first in range(0, len(transitions), _TRANSACTION_ROWS):
            part = transitions[first : first + _TRANSACTION_ROWS]
            stands += self._apply_part(part, shard)
        return stands

    def forget_contact(self, row: Row) -> None:
        """Keep a row without its contact, and without addresses in its reason.

        A worker that is just writing the row's outcome does not bring the contact back: no
        transition writes it.
        """
        kept = forgotten(row)
        with translated("erasing a contact"):
            self._client.update_item(
                TableName=self._table,
                Key=row_key(row.campaign_id, row.rid),
                UpdateExpression="SET contact = :contact",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues=encode({":contact": contact_text(kept.contact)}),
            )
        if kept.reason != row.reason:
            update: dict[str, Any] = {
                "TableName": self._table,
                "Key": row_key(row.campaign_id, row.rid),
                "UpdateExpression": "SET reason = :kept",
                "ConditionExpression": "reason = :was",
                "ExpressionAttributeValues": encode({":kept": kept.reason, ":was": row.reason}),
            }
            transact(self._client, "erasing a reason", [{"Update": update}])

    def in_shard(self, campaign_id: str, shard: int) -> Iterator[Row]:
        """Yield every row of one partition of a campaign."""
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": encode({":pk": partition(campaign_id, shard)}),
            "ConsistentRead": True,
            "Limit": _SHARD_PAGE,
        }
        while True:
            with translated("reading recipients"):
                page = self._client.query(**asked)
            yield from (row_from(decode(item)) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
        """Return rows of any campaign that wanted to be looked at before now, oldest first."""
        with translated("reading what is due"):
            found = self._client.query(
                TableName=self._table,
                IndexName="due",
                KeyConditionExpression="g1pk = :pk AND g1sk <= :now",
                ExpressionAttributeValues=encode({":pk": due_partition(shard), ":now": now}),
                Limit=limit,
            )
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in found["Items"]]
        return [row_from(item) for item in self._get_all(keys)]

    def count_states(self, campaign_id: str) -> Mapping[str, int]:
        """Return how many rows of a campaign are in which state, and their news, by counting.

        Only these two attributes are read: of a million whole rows, parsing takes minutes.
        """
        counts: Counter[str] = Counter()
        for shard in range(SHARDS):
            with translated("counting recipients"):
                pages = self._client.get_paginator("query").paginate(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=encode({":pk": partition(campaign_id, shard)}),
                    ProjectionExpression="st, news",
                    ConsistentRead=True,
                )
                for page in pages:
                    # as DynamoDB wrote them: decoding is half of the time of a million rows
                    counts.update(item["st"]["S"] for item in page["Items"])
                    counts.update(item["news"]["S"] for item in page["Items"] if "news" in item)
        known = {str(name) for name in (*State, *COUNTED_NEWS)}
        return {name: count for name, count in counts.items() if name in known}

    def _get_all(self, keys: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
        for first in range(0, len(keys), _READ_KEYS):
            left: Any = {
                self._table: {"Keys": keys[first : first + _READ_KEYS], "ConsistentRead": True}
            }
            for attempt in range(CONFLICT_ATTEMPTS):
                with translated("reading rows"):
                    found = self._client.batch_get_item(RequestItems=left)
                yield from (decode(item) for item in found["Responses"].get(self._table, []))
                left = found.get("UnprocessedKeys")
                if not left:
                    break
                wait(self._sleep, attempt)
            else:
                raise StoreUnavailable("reading rows: DynamoDB left keys unprocessed")

    def _adopt_one(self, row: Row) -> None:
        put = {
            "TableName": self._table,
            "Item": encode(item_of(row)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        count = {
            "TableName": self._campaigns_table,
            "Key": meta_key(row.campaign_id),
            "UpdateExpression": "ADD #total :one",
            # a draft may be deleted meanwhile, and half a campaign cannot be read
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#total": "total"},
            "ExpressionAttributeValues": {":one": encode_value(1)},
        }
        actions: list[Any] = [{"Put": put}, {"Update": count}]
        codes: list[str] = []
        # every worker of a campaign of plain messages adds to the same total
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                with translated("adopting a row"):
                    self._client.transact_write_items(TransactItems=actions)
            except ClientError as error:
                codes = cancellation_codes(error)
                if codes[0] == "ConditionalCheckFailed":
                    return
                if "ConditionalCheckFailed" in codes:
                    raise StoreUnavailable(
                        f"adopting a row: campaign {row.campaign_id} does not exist"
                    ) from error
            else:
                return
            wait(self._sleep, attempt)
        raise StoreUnavailable(f"adopting a row: {', '.join(codes)}")

    def _apply_part(self, part: Sequence[Transition], shard: int) -> list[bool]:
        stands = [True] * len(part)
        open_ = list(range(len(part)))
        for attempt in range(CONFLICT_ATTEMPTS):
            if not open_:
                return stands
            reasons = self._transact([part[n] for n in open_], shard)
            if reasons is None:
                return stands
            refused = {
                n: reason
                for n, reason in zip(open_, reasons, strict=False)
                if reason.get("Code") == "ConditionalCheckFailed"
            }
            for n, reason in refused.items():
                stands[n] = _shows(reason.get("Item"), part[n].after)
            open_ = [n for n in open_ if n not in refused]
            if not refused:
                wait(self._sleep, attempt)
        raise StoreUnavailable("writing rows: transactions kept conflicting")

    def _transact(
        self, part: Sequence[Transition], shard: int
    ) -> Sequence[Mapping[str, Any]] | None:
        """Send one transaction; return None, or why each of its parts was cancelled."""
        actions: list[Any] = [{"Update": self._update(step)} for step in part]
        actions += [
            {"Update": self._count(campaign_id, shard, counts)}
            for campaign_id, counts in _counts(part).items()
        ]
        try:
            with translated("writing rows"):
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", [])
            return reasons
        return None

    def _update(self, step: Transition) -> dict[str, Any]:
        before, after = step.before, step.after
        old = attributes(before)
        sets, removes = _changes(before, after, old)
        expression, names = _expression(tuple(sets), removes)
        values = {f":{name}": encode_value(value) for name, value in sets.items()}
        for name in _FENCE:
            values[f":was_{name}"] = encode_value(old[name])
        return {
            "TableName": self._table,
            "Key": row_key(before.campaign_id, before.rid),
            "UpdateExpression": expression,
            "ConditionExpression": _UNCHANGED,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _count(self, campaign_id: str, shard: int, counts: Mapping[str, int]) -> dict[str, Any]:
        return {
            "TableName": self._campaigns_table,
            "Key": counter_key(campaign_id, shard),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counts),
            "ExpressionAttributeNames": {f"#{name}": name for name in counts},
            "ExpressionAttributeValues": {
                f":{name}": encode_value(change) for name, change in counts.items()
            },
        }


def _put(row: Row, answer: Result) -> Put:
    try:
        with translated("creating a row"):
            if isinstance(answer, Exception):
                raise answer
    except ClientError as error:
        if error_code(error) != CONDITION_FAILED:
            raise
        standing = row_from(decode(error.response["Item"]))  # type: ignore[typeddict-item]
        return Put(row=standing, ours=standing.chunk == row.chunk)
    return Put(row=row, ours=True)


@lru_cache(maxsize=64)
def _expression(sets: tuple[str, ...], removes: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Return what sets and removes these attributes, and the names that it and the fence use."""
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    if removes:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
    return expression, {f"#{name}": name for name in (*sets, *removes, *_FENCE)}


def _changes(before: Row, after: Row, old: Item) -> tuple[Item, tuple[str, ...]]:
    """Return the attributes to set and to remove; the index entry goes with the final state.

    ``old`` are the attributes of ``before``.
    """
    new = attributes(after)
    # something must be set, also when a row is put off twice within one second
    sets = {
        name: value for name, value in new.items() if old[name] != value or name == "updated_at"
    }
    if after.state in FINAL:
        return sets, ("g1pk", "g1sk")
    if before.state in FINAL:
        # a person lets a failed recipient be tried again: back into the index
        sets |= {"g1pk": due_partition(after.shard), "g1sk": after.due}
    elif after.due != before.due:
        sets["g1sk"] = after.due
    return sets, ()


def _counts(part: Sequence[Transition]) -> Mapping[str, Mapping[str, int]]:
    sums: dict[str, Counter[str]] = {}
    for step in part:
        campaign = sums.setdefault(step.before.campaign_id, Counter())
        for name, change in step.counts.items():
            campaign[name] += change
    moved = {cid: {s: n for s, n in found.items() if n} for cid, found in sums.items()}
    return {cid: found for cid, found in moved.items() if found}


def _shows(item: Mapping[str, Any] | None, wanted: Row) -> bool:
    """Tell whether a refused row already is what we wanted: our own write, its answer lost.

    News may be ahead of ours: an event can be faster than the record of the send it is about.
    """
    if not item:
        return False
    row = row_from(decode(item))
    ours = (row.state, row.attempt, row.owner) == (wanted.state, wanted.attempt, wanted.owner)
    return ours and NEWS_ORDER.index(row.news) >= NEWS_ORDER.index(wanted.news)
