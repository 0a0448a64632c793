"""Say how campaigns, lists and recipients look in JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sendmill.campaign import Campaign
from sendmill.contact_list import ContactList, Rejected, neutral
from sendmill.drafts import approval_digest
from sendmill.ledger import Row
from sendmill.progress import Progress
from sendmill.suppression import Imported, Suppression


def campaign_view(
    campaign: Campaign, progress: Progress, *, needs_approval: bool = False, approved: bool = False
) -> dict[str, Any]:
    """Return a campaign: ``states`` add up to ``total``, and with the rejected rows to ``rows``."""
    return {
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "status": progress.status,
        "reason": campaign.reason,
        "list_id": campaign.list_id,
        "list_revision": campaign.list_revision,
        "template_id": campaign.template_id,
        "template_version": campaign.template_version,
        "created_at": campaign.created_at,
        "rows": campaign.rows or progress.total,
        "rejected": {"invalid": campaign.invalid, "duplicate": campaign.duplicates},
        "total": progress.total,
        "dispatched": 0 < campaign.chunks <= campaign.chunks_done,
        "states": dict(progress.states),
        "news": dict(progress.news),
        "subject": campaign.content.subject,
        "config": asdict(campaign.content.config),
        "unknown_policy": str(campaign.unknown_policy),
        "schedule": {"start_at": campaign.start_at, "start_by": campaign.start_by},
        "approval": {
            "needed": needs_approval,
            "approved": approved,
            "by": campaign.approved_by,
            "at": campaign.approved_at,
            "digest": approval_digest(campaign),
        },
        "created_by": campaign.created_by,
        "edited_by": campaign.edited_by,
        "started_by": campaign.started_by,
        "changed_at": campaign.changed_at,
    }


def list_view(found: ContactList) -> dict[str, Any]:
    """Return a contact list: accepted + invalid + duplicates = rows."""
    return {
        "list_id": found.id,
        "name": found.name,
        "created_at": found.created_at,
        "rows": found.rows,
        "accepted": found.accepted,
        "rejected": {"invalid": found.invalid, "duplicate": found.duplicates},
        "fields": list(found.fields),
        "revision": found.revision,
        "note": found.note,
    }


def row_view(row: Row) -> dict[str, Any]:
    """Return a recipient: whose, in which state, and why."""
    return {
        "recipient_id": row.rid,
        "email": row.contact.email,
        "state": row.state,
        "reason": row.reason,
        "line": row.line,
        "news": row.news,
        "attempts": row.attempt,
        "provider_message_id": row.message_id,
        "updated_at": row.updated_at,
    }


def rejected_view(rows: Sequence[Rejected]) -> list[dict[str, Any]]:
    """Return rejected rows with line and reason."""
    return [{"line": row.line, "reason": row.reason} for row in rows]


def page_view(items: Sequence[dict[str, Any]], cursor: str) -> dict[str, Any]:
    """Return a page; ``cursor`` is empty on the last one."""
    return {"items": list(items), "cursor": cursor}


def recipients_csv(rows: Sequence[Row], *, heading: bool = False) -> str:
    """Return recipients as CSV that no spreadsheet takes for formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    if heading:
        writer.writerow(["email", "state", "reason", "news", "attempts", "line", "updated_at"])
    for row in rows:
        at = datetime.fromtimestamp(row.updated_at, UTC).isoformat() if row.updated_at else ""
        texts = (row.contact.email, str(row.state), row.reason, str(row.news))
        writer.writerow([*map(neutral, texts), row.attempt, row.line, at])
    return out.getvalue()


def suppression_view(found: Suppression) -> dict[str, Any]:
    """Return an address that must not be mailed, under the name by which it is removed."""
    return {
        "address_hash": found.hash,
        "email": found.email,
        "reason": found.reason,
        "source": found.source,
        "at": found.at,
    }


def imported_view(found: Imported) -> dict[str, Any]:
    """Return what an import came to: accepted + rejected = rows."""
    return {
        "rows": found.rows,
        "accepted": found.accepted,
        "rejected": len(found.rejected),
        "rejected_rows": rejected_view(found.rejected[:1000]),
    }


def suppression_csv(rows: Sequence[Suppression]) -> str:
    """Return suppressions as CSV that no spreadsheet takes for formulas, fit for an import."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["email", "reason", "source", "at"])
    for row in rows:
        at = datetime.fromtimestamp(row.at, UTC).isoformat()
        writer.writerow([neutral(row.email), row.reason, neutral(row.source), at])
    return out.getvalue()
