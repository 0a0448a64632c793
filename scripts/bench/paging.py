"""Measure pages of a campaign of a million recipients, and the read routes of a stack that runs.

Every page is read through the store that the API uses, from a table that answers Query by key as
DynamoDB does and makes its items when they are asked for. So it shows what our own code costs a
page, and whether a late page costs more than the first; DynamoDB's own time is not in it.

With `--port N` the read routes of the stack on that emulator are asked too, one after another:
the emulator runs every function on this machine, so its times are no AWS times.

Parameters: --rows N (default 1,000,000)  --limit N (default 1000)  --port N  --asks N (default 40)
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from sendmill.contact import Contact, recipient_id
from sendmill.ledger import SHARDS, Row, shard_of
from sendmill.store.item import encode
from sendmill.store.look import RecipientSearch, Wanted
from sendmill.store.recipient_item import item_of
from stack import Stack

CAMPAIGN = "campaign_1"
KEY = b"a key of thirty-two characters.."
READS = (
    "/v1/me",
    "/v1/campaigns",
    "/v1/contact-lists",
    "/v1/suppressions",
    "/v1/templates",
    "/v1/account",
    "/v1/tasks",
    "/v1/dead-letters",
)


class KeyedTable:
    """Answer Query for the rows of one campaign: sorted keys in 16 partitions, items on demand."""

    def __init__(self, rows: int) -> None:
        self._keys: list[list[str]] = [[] for _ in range(SHARDS)]
        for number in range(rows):
            rid = recipient_id(KEY, CAMPAIGN, f"u{number}@example.com")
            self._keys[shard_of(rid)].append(rid)
        for keys in self._keys:
            keys.sort()

    def query(self, **asked: Any) -> dict[str, Any]:
        """Return a page of a partition and where the next one begins."""
        shard = int(asked["ExpressionAttributeValues"][":pk"]["S"].rpartition("#")[2])
        keys, start = self._keys[shard], 0
        if "ExclusiveStartKey" in asked:
            start = bisect_right(keys, asked["ExclusiveStartKey"]["sk"]["S"][2:])
        page = keys[start : start + asked["Limit"]]
        found: dict[str, Any] = {"Items": [self._item(rid) for rid in page]}
        if start + len(page) < len(keys):
            found["LastEvaluatedKey"] = {key: found["Items"][-1][key] for key in ("pk", "sk")}
        return found

    def _item(self, rid: str) -> dict[str, Any]:
        contact = Contact(email=f"{rid}@example.com", fields={"first_name": "Ada"})
        return encode(item_of(Row(campaign_id=CAMPAIGN, rid=rid, contact=contact)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--asks", type=int, default=40)
    asked = parser.parse_args()
    show_pages(asked.rows, asked.limit)
    if asked.port:
        show_routes(Stack.local(asked.port), asked.asks)


def show_pages(rows: int, limit: int) -> None:
    """Page through every row, and print how long a page took."""
    table: Any = KeyedTable(rows)
    gc.collect()
    gc.freeze()  # a million keys of this table are no part of what a function holds
    search, cursor, times, seen = RecipientSearch(table, "recipients"), "", [], 0
    while True:
        started = time.process_time()
        page, cursor = search.page(CAMPAIGN, Wanted(), cursor=cursor, limit=limit)
        times.append((time.process_time() - started) * 1000)
        seen += len(page)
        if not cursor:
            break
    first, p95 = statistics.median(times[:20]), percentile(times[1:], 95)
    print(f"{seen} recipients in {len(times)} pages of {limit} (CPU of our own code, no DynamoDB)")
    print(f"{'first pages':<16}{'p50':>10}{'p95':>10}{'p95/first':>12}   milliseconds")
    print(f"{first:<16.1f}{statistics.median(times):>10.1f}{p95:>10.1f}{p95 / first:>12.2f}")


def show_routes(stack: Stack, asks: int) -> None:
    """Ask the read routes, and print how long an answer took."""
    stack.sign_in()
    print(f"\n{'read route, warm, on the emulator':<40}{'p50':>8}{'p95':>8}   milliseconds")
    for path in READS:
        times = []
        for _ in range(asks + 3):
            started = time.perf_counter()
            stack.request("GET", path)
            times.append((time.perf_counter() - started) * 1000)
        warm = times[3:]
        print(f"{path:<40}{statistics.median(warm):>8.0f}{percentile(warm, 95):>8.0f}")


def percentile(times: Sequence[float], share: int) -> float:
    """Return the time below which this share (percent) of the times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


if __name__ == "__main__":
    main()
