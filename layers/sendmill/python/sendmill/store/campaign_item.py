"""Turn campaigns and their contents into items and back, and name the items of a campaign."""

from __future__ import annotations

import json
from typing import Any

from sendmill.campaign import Campaign, Config, Content, Service, Status, UnknownPolicy
from sendmill.store.item import Item, encode, number, text


def counter_key(campaign_id: str, shard: int) -> dict[str, Any]:
    """Return the key of one shard of a campaign's counters."""
    return key(campaign_id, f"CNT#{shard:02}")


def meta_key(campaign_id: str) -> dict[str, Any]:
    """Return the key of the campaign's own item."""
    return key(campaign_id, "META")


def plain_key(campaign_id: str, sort: str) -> Item:
    """Return the key of one of a campaign's items, as plain values."""
    return {"pk": f"C#{campaign_id}", "sk": sort}


def key(campaign_id: str, sort: str) -> dict[str, Any]:
    """Return the key of one of a campaign's items."""
    return encode(plain_key(campaign_id, sort))


def content_text(content: Content) -> str:
    """Return a content as the text that is kept."""
    return json.dumps(content.plain(), ensure_ascii=False, separators=(",", ":"))


def content_from(raw: str) -> Content:
    """Return the content that a text keeps."""
    value = json.loads(raw)
    config = value["config"]
    service = Service(config.pop("email_service"))
    return Content(
        subject=value["subject"],
        body=value["body"],
        config=Config(email_service=service, **config),
        text=value.get("text", ""),
        defaults=tuple((name, said) for name, said in value.get("defaults", ())),
    )


def item_of(campaign: Campaign) -> Item:
    """Return the attributes that keep a campaign."""
    return {
        "id": campaign.id,
        "name": campaign.name,
        "content": content_text(campaign.content),
        "st": str(campaign.status),
        "created_at": campaign.created_at,
        "list_id": campaign.list_id,
        "list_revision": campaign.list_revision,
        "template_id": campaign.template_id,
        "template_version": campaign.template_version,
        "rows": campaign.rows,
        "expected": campaign.expected,
        "total": campaign.total,
        "invalid": campaign.invalid,
        "duplicates": campaign.duplicates,
        "chunks": campaign.chunks,
        "chunks_checked": campaign.chunks_checked,
        "chunks_done": campaign.chunks_done,
        "unknown_policy": str(campaign.unknown_policy),
        "start_at": campaign.start_at,
        "start_by": campaign.start_by,
        "reason": campaign.reason,
        "created_by": campaign.created_by,
        "edited_by": campaign.edited_by,
        "forgiven": json.dumps(dict(campaign.forgiven)),
        "ver": 1,
        "g2pk": "KIND#campaign",
        "g2sk": f"{campaign.created_at:012}#{campaign.id}",
    }


def campaign_from(item: Item) -> Campaign:
    """Return the campaign that an item keeps."""
    return Campaign(
        id=text(item, "id"),
        name=text(item, "name"),
        content=content_from(text(item, "content")),
        status=Status(text(item, "st")),
        created_at=number(item, "created_at"),
        list_id=text(item, "list_id"),
        list_revision=number(item, "list_revision"),
        template_id=text(item, "template_id"),
        template_version=number(item, "template_version"),
        rows=number(item, "rows"),
        expected=number(item, "expected"),
        total=number(item, "total"),
        invalid=number(item, "invalid"),
        duplicates=number(item, "duplicates"),
        chunks=number(item, "chunks"),
        chunks_checked=number(item, "chunks_checked"),
        chunks_done=number(item, "chunks_done"),
        unknown_policy=UnknownPolicy(text(item, "unknown_policy") or "auto"),
        start_at=number(item, "start_at"),
        start_by=number(item, "start_by"),
        changed_at=number(item, "changed_at"),
        reason=text(item, "reason"),
        created_by=text(item, "created_by"),
        edited_by=text(item, "edited_by"),
        started_by=text(item, "started_by"),
        approved_by=text(item, "approved_by"),
        approved_digest=text(item, "approved_digest"),
        approved_at=number(item, "approved_at"),
        forgiven=json.loads(text(item, "forgiven") or "{}"),
    )
