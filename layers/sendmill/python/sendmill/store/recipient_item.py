"""Turn recipients' rows into items and back, and name the partitions that they lie in."""

from __future__ import annotations

from typing import Any

from sendmill.ledger import FINAL, News, Row, State, contact_from_text, contact_text, shard_of
from sendmill.store.item import Item, encode, number, text


def row_key(campaign_id: str, rid: str) -> dict[str, Any]:
    """Return the key of a recipient's row."""
    return encode({"pk": partition(campaign_id, shard_of(rid)), "sk": f"R#{rid}"})


def item_of(row: Row) -> Item:
    """Return the item that keeps a row."""
    item: Item = {
        "pk": partition(row.campaign_id, row.shard),
        "sk": f"R#{row.rid}",
        "cid": row.campaign_id,
        "contact": contact_text(row.contact),
        **attributes(row),
    }
    if row.state not in FINAL:
        item |= {"g1pk": due_partition(row.shard), "g1sk": row.due}
    return item


def due_partition(shard: int) -> str:
    """Return the index partition of the rows of a shard that are not final."""
    return f"DUE#{shard:02}"


def row_from(item: Item) -> Row:
    """Return the row that an item keeps."""
    return Row(
        campaign_id=text(item, "cid"),
        rid=text(item, "sk")[2:],
        contact=contact_from_text(text(item, "contact")),
        state=State(text(item, "st")),
        attempt=number(item, "att"),
        tries=number(item, "tries"),
        owner=text(item, "owner"),
        lease=number(item, "lease"),
        due=number(item, "due"),
        content=text(item, "content"),
        chunk=int(item.get("chunk", -1)),
        line=number(item, "line"),
        reason=text(item, "reason"),
        message_id=text(item, "mid"),
        news=News(text(item, "news")),
        attempted_at=number(item, "attempted_at"),
        late_since=number(item, "late_since"),
        created_at=number(item, "created_at"),
        updated_at=number(item, "updated_at"),
    )


def attributes(row: Row) -> Item:
    """Return what may change of a row, under the short names that keep it below 1 KB."""
    return {
        "st": str(row.state),
        "att": row.attempt,
        "tries": row.tries,
        "owner": row.owner,
        "lease": row.lease,
        "due": row.due,
        "content": row.content,
        "chunk": row.chunk,
        "line": row.line,
        "reason": row.reason,
        "mid": row.message_id,
        "news": str(row.news),
        "attempted_at": row.attempted_at,
        "late_since": row.late_since,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def partition(campaign_id: str, shard: int) -> str:
    """Return the partition of a shard of a campaign's rows."""
    return f"C#{campaign_id}#{shard:02}"
