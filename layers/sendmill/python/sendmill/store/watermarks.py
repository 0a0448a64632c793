"""Keep how far the provider's event stream has provably come.

::

    campaigns table   pk=WM#{configuration set}  sk=WM
                      {last_send_ts, seen_at, marked_ts, marked_at, older_ts}

Written by feedback for each Send event, only ever forwards; read by the sweep, which sends an
unknown mail again only when the stream has passed its attempt and said nothing of it.

After an outage the events of hours come within seconds and in any order, the youngest perhaps
first. So the sweep goes by what had been known for a minute: every minute or so the watermark of
that moment is marked, and the mark before it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sendmill.store.item import (
    decode,
    encode,
    number,
    on_condition,
    translated,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORWARDS = "attribute_not_exists(pk) OR last_send_ts < :sent"
_MOVE = "SET last_send_ts = :sent, seen_at = :seen, marked_at = if_not_exists(marked_at, :seen)"
_MARKABLE = "last_send_ts < :sent AND marked_at <= :due"
# every right side is what stood before the write
_MARK = (
    "SET last_send_ts = :sent, seen_at = :seen, marked_at = :seen, "
    "marked_ts = last_send_ts, older_ts = if_not_exists(marked_ts, :zero)"
)
# What was sent before a mail whose event is known for so long has been heard of too, in seconds.
SETTLE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Say when the youngest mail was sent of which a Send event came, and when that event came.

    ``marked_send_at`` is what that time had been at ``marked_at``, and ``older_send_at`` what it
    had been a mark earlier. All are seconds since 1970, and 0 when no event ever came.
    """

    last_send_at: int = 0
    seen_at: int = 0
    marked_send_at: int = 0
    marked_at: int = 0
    older_send_at: int = 0

    def settled(self, now: int) -> int:
        """Return how far the stream had come ``SETTLE_SECONDS`` ago, or a little before."""
        if now - self.seen_at >= SETTLE_SECONDS:
            return self.last_send_at
        if now - self.marked_at >= SETTLE_SECONDS:
            return self.marked_send_at
        return self.older_send_at


class WatermarkStore:
    """Keep one watermark for each configuration set."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._written: dict[str, int] = {}
        self._marked: dict[str, int] = {}

    def advance(self, configuration_set: str, *, sent_at: int, seen_at: int) -> None:
        """Move a watermark forwards; one that is further already is left alone."""
        if sent_at <= self._written.get(configuration_set, 0):
            return
        said = {":sent": sent_at, ":seen": seen_at}
        if seen_at - self._marked.get(configuration_set, 0) >= SETTLE_SECONDS:
            self._marked[configuration_set], due = seen_at, seen_at - SETTLE_SECONDS
            if self._write(configuration_set, _MARK, _MARKABLE, {**said, ":zero": 0, ":due": due}):
                self._written[configuration_set] = sent_at
                return
        self._write(configuration_set, _MOVE, _FORWARDS, said)
        self._written[configuration_set] = sent_at

    def _write(self, name: str, update: str, condition: str, said: dict[str, int]) -> bool:
        """Return whether the condition held, and it was written."""
        return on_condition(
            "moving the watermark",
            self._client.update_item,
            TableName=self._table,
            Key=_key(name),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=encode(said),
        )

    def read(self, configuration_set: str) -> Watermark:
        """Return a watermark as it stands now."""
        with translated("reading the watermark"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(configuration_set), ConsistentRead=True
            )
        item = decode(found.get("Item", {}))
        return Watermark(
            last_send_at=number(item, "last_send_ts"),
            seen_at=number(item, "seen_at"),
            marked_send_at=number(item, "marked_ts"),
            marked_at=number(item, "marked_at"),
            older_send_at=number(item, "older_ts"),
        )


def _key(configuration_set: str) -> dict[str, Any]:
    return encode({"pk": f"WM#{configuration_set}", "sk": "WM"})
