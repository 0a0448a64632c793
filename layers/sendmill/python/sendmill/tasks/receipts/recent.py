"""List what became of the last tasks: for ``GET /v1/tasks``, and for people who look.

The receipts themselves say it. The first claim of a task puts it into the index ``recent`` of the
receipts' table, spread over a few partitions a day, so that no single one takes every write::

    g1pk=DAY#2026-11-23#{shard}    g1sk={milliseconds since 1970, 13 digits}#{key}

The API asks :meth:`RecentTasks.list`; its role has ``dynamodb:Query`` on the index (among the
``operator_policies`` of terraform/modules/tasks), its environment
``SENDMILL_TASK_RECEIPTS_TABLE`` (output ``receipts_table``)::

    RecentTasks(client, table).list(now=time.time(), limit=100)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any, Literal

INDEX = "recent"
SHARDS = 4
_DAY = 86_400
# A quiet week still shows its last tasks; each empty day costs four small queries.
_DAYS = 7

Status = Literal["running", "waiting", "succeeded", "dead"]
_STATUS: Mapping[str, Status] = {"held": "running", "completed": "succeeded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTask:
    """Hold what is known of one task; times are seconds since 1970, 0 for not yet.

    ``waiting`` failed and will be tried again. ``task_id`` is the key of the receipt, which a
    deduplication key takes the place of where one was given.
    """

    task_id: str
    task: str
    status: Status
    attempts: int
    started_at: int
    finished_at: int
    error: str


class RecentTasks:
    """Read the index of the receipts."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def list(self, *, now: float, limit: int = 100) -> list[RecentTask]:
        """Return the last tasks that began, the latest first; raises StoreUnavailable."""
        found: list[RecentTask] = []
        for days_ago in range(_DAYS):
            partitions = [partition_of(now - days_ago * _DAY, shard) for shard in range(SHARDS)]
            items = (self._query(partition, limit) for partition in partitions)
            latest = merge(*items, key=lambda item: item["g1sk"]["S"], reverse=True)
            found += [_task(item) for item in islice(latest, limit - len(found))]
            if len(found) >= limit:
                break
        return found

    def _query(self, partition: str, limit: int) -> Iterator[Mapping[str, Any]]:
        from sendmill.store.item import translated

        with translated("listing tasks"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="g1pk = :day",
                ExpressionAttributeValues={":day": {"S": partition}},
                ScanIndexForward=False,
                Limit=limit,
            )
        return iter(answer["Items"])


def partition_of(moment: float, shard: int) -> str:
    """Return the partition of the index for a time."""
    return f"DAY#{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}#{shard}"


def shard_of(key: str) -> int:
    """Return the shard of a receipt."""
    return zlib.crc32(key.encode()) % SHARDS


def sort_key_of(moment: float, key: str) -> str:
    """Return the place of a receipt within its partition."""
    return f"{int(moment * 1000):013}#{key}"


def _task(item: Mapping[str, Any]) -> RecentTask:
    from sendmill.contact import redacted

    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    def number(name: str) -> int:
        return int(float(item.get(name, {}).get("N", 0)))

    status = _STATUS.get(text("state")) or ("dead" if "dead" in item else "waiting")
    return RecentTask(
        task_id=text("pk"),
        task=text("task"),
        status=status,
        attempts=number("dead") if status == "dead" else number("attempts"),
        started_at=number("started_at"),
        finished_at=number("finished_at"),
        error=redacted(text("error")),
    )
