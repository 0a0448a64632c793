"""Look through the recipients of a campaign by state, reason and address.

The ledger has no index for these: a search reads rows and leaves out what does not match. One
answer reads a bounded number of them, so a page may be short, even empty, before the last one.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sendmill.advice import group_of
from sendmill.errors import InvalidCampaign
from sendmill.ledger import SHARDS, News, Row, State
from sendmill.store.item import decode, encode, text, translated
from sendmill.store.recipient_item import partition, row_from, row_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Queries of one search, each of up to 1 MB: below 2 s on AWS.
MAX_QUERIES = 25
_QUERY_ROWS = 2000
_COUNT_SECONDS = 5.0
# a shard, and after which recipient of it
_CURSOR = re.compile(r"(0|[1-9]|1[0-5])\.([a-z2-7]{26})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Say whom to look for; empty means anybody. ``reason`` and ``query`` are parts of texts."""

    state: str = ""
    reason: str = ""
    query: str = ""


class RecipientSearch:
    """Search the rows of a campaign."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._monotonic = monotonic

    def page(
        self, campaign_id: str, wanted: Wanted, *, cursor: str, limit: int
    ) -> tuple[Sequence[Row], str]:
        """Return up to ``limit`` rows and the cursor of the next page, empty on the last one.

        Raises InvalidCampaign for a cursor that no page gave.
        """
        if cursor and not _CURSOR.match(cursor):
            raise InvalidCampaign(f"cursor must be one that a page gave (got {cursor[:80]!r})")
        shard, _, after = cursor.partition(".")
        at = int(shard or 0)
        found: list[Row] = []
        for _ in range(MAX_QUERIES):
            if at >= SHARDS or len(found) >= limit:
                break
            rows, after = self._query(campaign_id, at, after, wanted, limit - len(found))
            found += rows
            at += not after
        return found, f"{at}.{after}" if at < SHARDS else ""

    def groups(self, campaign_id: str, expected: int) -> tuple[Mapping[tuple[str, str], int], bool]:
        """Count recipients with whom something is wrong, by (state, reason).

        ``expected`` is how many there are by the counters: once they are found, the rest of the
        rows need not be read. The second value says whether all of them were counted.
        """
        counts: Counter[tuple[str, str]] = Counter()
        end = self._monotonic() + _COUNT_SECONDS
        for shard in range(SHARDS):
            start: dict[str, Any] = {}
            while True:
                if counts.total() >= expected:
                    return counts, True
                if self._monotonic() > end:
                    return counts, False
                page = self._wrong(campaign_id, shard, start)
                for item in map(decode, page["Items"]):
                    group = group_of(text(item, "st"), text(item, "reason"), text(item, "news"))
                    if group is not None:
                        counts[group] += 1
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return counts, True

    def _wrong(self, campaign_id: str, shard: int, start: Mapping[str, Any]) -> Any:
        states = (State.FAILED, State.RETRY, State.UNKNOWN, State.SUPPRESSED)
        news = (News.BOUNCED, News.COMPLAINED)
        values = {
            ":pk": partition(campaign_id, shard),
            **{f":s{n}": str(state) for n, state in enumerate(states)},
            **{f":n{n}": str(one) for n, one in enumerate(news)},
        }
        with translated("counting failures"):
            return self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                FilterExpression="#st IN (:s0, :s1, :s2, :s3) OR #news IN (:n0, :n1)",
                ProjectionExpression="#st, #news, #reason",
                ExpressionAttributeNames={"#st": "st", "#news": "news", "#reason": "reason"},
                ExpressionAttributeValues=encode(values),
                **start,
            )

    def _query(
        self, campaign_id: str, shard: int, after: str, wanted: Wanted, limit: int
    ) -> tuple[list[Row], str]:
        conditions, names, values = _filter(wanted)
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": encode({":pk": partition(campaign_id, shard), **values}),
            "ConsistentRead": True,
            "Limit": limit,
        }
        if conditions:
            asked["FilterExpression"] = " AND ".join(conditions)
            asked["ExpressionAttributeNames"] = names
            asked["Limit"] = max(limit, _QUERY_ROWS)
        if after:
            asked["ExclusiveStartKey"] = row_key(campaign_id, after)
        with translated("reading recipients"):
            page = self._client.query(**asked)
        rows = [row_from(decode(item)) for item in page["Items"]]
        last = page.get("LastEvaluatedKey")
        if len(rows) > limit:
            return rows[:limit], rows[limit - 1].rid
        return rows, text(decode(last), "sk")[2:] if last else ""


def _filter(wanted: Wanted) -> tuple[list[str], dict[str, str], dict[str, str]]:
    conditions, names, values = [], {}, {}
    if wanted.state:
        conditions.append("#st = :st")
        names["#st"], values[":st"] = "st", wanted.state
    if wanted.reason:
        # a bounce is news of a mail that was accepted
        conditions.append("(contains(#reason, :reason) OR #news = :reason)")
        names |= {"#reason": "reason", "#news": "news"}
        values[":reason"] = wanted.reason
    if wanted.query:
        conditions.append("(contains(contact, :query) OR contains(contact, :lower))")
        values |= {":query": wanted.query, ":lower": wanted.query.lower()}
    return conditions, names, values
