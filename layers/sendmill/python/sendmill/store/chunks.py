"""Keep how far each chunk of a campaign has come: todo, checked, done.

::

    pk=C#{campaign}  sk=CH#{chunk:06}   {st: todo | checked | done}

A chunk and the campaign's own counts of chunks move together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sendmill.campaign import STARTABLE
from sendmill.store.campaign_item import key, meta_key, plain_key
from sendmill.store.campaign_table import CampaignTable
from sendmill.store.item import encode, text

# Chunks in one transaction: with the campaign DynamoDB's 100 actions.
_TRANSACTION_CHUNKS = 99


class ChunkBook(CampaignTable):
    """Keep the chunks of campaigns."""

    def add_chunks(self, campaign_id: str, first: int, last: int) -> Sequence[int]:
        """Create those of the chunks ``first`` to ``last`` (exclusive) that do not stand yet.

        Returns those that are not done.
        """
        standing = {text(item, "sk"): text(item, "st") for item in self._under(campaign_id, "CH#")}
        for chunk in range(first, last):
            if _sort_key(chunk) not in standing:
                self._put_new({**plain_key(campaign_id, _sort_key(chunk)), "st": "todo"})
        return [one for one in range(first, last) if standing.get(_sort_key(one)) != "done"]

    def check_chunk(self, campaign_id: str, chunk: int) -> None:
        """Mark a chunk as checked and count it; one that is checked already is left alone."""
        self._advance_chunk(campaign_id, chunk, "todo", "checked", {"chunks_checked": 1})

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        """Mark a chunk as done and count it in; a chunk that is done is left alone."""
        counts = {"chunks_done": 1, "total": rows, "duplicates": duplicates}
        self._advance_chunk(campaign_id, chunk, "checked", "done", counts)

    def uncheck(self, campaign_id: str) -> None:
        """Forget that chunks were checked: the content has changed, or is to be checked again.

        A campaign that was started is left alone, also by a call that began before the start:
        its checks are those of today. Raises StoreUnavailable when another call does the same.
        """
        found = [
            text(item, "sk")
            for item in self._under(campaign_id, "CH#")
            if text(item, "st") == "checked"
        ]
        for first in range(0, len(found), _TRANSACTION_CHUNKS):
            if not self._uncheck(campaign_id, found[first : first + _TRANSACTION_CHUNKS]):
                return

    def _uncheck(self, campaign_id: str, chunks: Sequence[str]) -> bool:
        """Take chunks and their count back together; tell whether the campaign may be started."""
        startable = {f":s{n}": str(status) for n, status in enumerate(sorted(STARTABLE))}
        counted: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "ADD #chunks_checked :fewer",
            "ConditionExpression": f"#st IN ({', '.join(startable)})",
            "ExpressionAttributeNames": {"#st": "st", "#chunks_checked": "chunks_checked"},
            "ExpressionAttributeValues": encode({**startable, ":fewer": -len(chunks)}),
        }
        moved = [self._moved(key(campaign_id, one), "checked", "todo") for one in chunks]
        return self._transact("unchecking chunks", [{"Update": counted}, *moved])

    def _advance_chunk(
        self, campaign_id: str, chunk: int, before: str, after: str, counts: Mapping[str, int]
    ) -> None:
        """Move a chunk and the campaign's counts together; chunks of a campaign meet on META."""
        moved = self._moved(key(campaign_id, _sort_key(chunk)), before, after)
        counted: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counts),
            "ExpressionAttributeNames": {f"#{name}": name for name in counts},
            "ExpressionAttributeValues": encode({f":{name}": n for name, n in counts.items()}),
        }
        self._transact("counting a chunk", [moved, {"Update": counted}])

    def _moved(self, chunk: Mapping[str, Any], before: str, after: str) -> dict[str, Any]:
        update = {
            "TableName": self._table,
            "Key": chunk,
            "UpdateExpression": "SET st = :after",
            "ConditionExpression": "st = :before",
            "ExpressionAttributeValues": encode({":after": after, ":before": before}),
        }
        return {"Update": update}


def _sort_key(chunk: int) -> str:
    return f"CH#{chunk:06}"
