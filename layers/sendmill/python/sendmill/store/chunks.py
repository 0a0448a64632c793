"""Keep how far each chunk of a campaign has come: todo, checked, done.

::

    pk=C#{campaign}  sk=CH#{chunk:06}   {st: todo | checked | done}

A chunk and the campaign's own counts of chunks move together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sendmill.store.campaign_item import key, meta_key, plain_key
from sendmill.store.campaign_table import CampaignTable
from sendmill.store.item import encode, text, translated


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
        """Forget that chunks were checked: the content has changed, or is to be checked again."""
        for item in self._under(campaign_id, "CH#"):
            if text(item, "st") != "done":
                with translated("resetting a chunk"):
                    self._client.put_item(
                        TableName=self._table,
                        Item=encode({**plain_key(campaign_id, text(item, "sk")), "st": "todo"}),
                    )
        with translated("resetting a campaign"):
            self._client.update_item(
                TableName=self._table,
                Key=meta_key(campaign_id),
                UpdateExpression="SET chunks_checked = :zero",
                ExpressionAttributeValues=encode({":zero": 0}),
            )

    def _advance_chunk(
        self, campaign_id: str, chunk: int, before: str, after: str, counts: Mapping[str, int]
    ) -> None:
        """Move a chunk and the campaign's counts together; chunks of a campaign meet on META."""
        moved: dict[str, Any] = {
            "TableName": self._table,
            "Key": key(campaign_id, _sort_key(chunk)),
            "UpdateExpression": "SET st = :after",
            "ConditionExpression": "st = :before",
            "ExpressionAttributeValues": encode({":after": after, ":before": before}),
        }
        counted: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counts),
            "ExpressionAttributeNames": {f"#{name}": name for name in counts},
            "ExpressionAttributeValues": encode({f":{name}": n for name, n in counts.items()}),
        }
        actions: list[Any] = [{"Update": moved}, {"Update": counted}]
        self._transact("counting a chunk", actions)


def _sort_key(chunk: int) -> str:
    return f"CH#{chunk:06}"
