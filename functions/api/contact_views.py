"""Say how imports and contacts look in JSON."""

from __future__ import annotations

from typing import Any

from sendmill.contact_book import Entry
from sendmill.contact_file import Sample, suggested_mapping
from sendmill.erasure import Erased
from sendmill.importing import Import, Ticket


def ticket_view(found: Import, ticket: Ticket) -> dict[str, Any]:
    """Return how a file is to be uploaded."""
    return {
        "import_id": found.id,
        "list_id": found.list_id,
        "upload": {
            "url": ticket.url,
            "method": ticket.method,
            "headers": dict(ticket.headers),
        },
        "expires_at": ticket.expires_at,
    }


def import_view(found: Import, sample: Sample | None) -> dict[str, Any]:
    """Return how far an import is; ``sample`` is what waits to be started."""
    cursor = found.cursor
    return {
        "import_id": found.id,
        "list_id": found.list_id,
        "name": found.name,
        "filename": found.filename,
        "status": "uploaded" if sample else str(found.status),
        "reason": found.reason,
        "note": found.note,
        "size": found.size,
        "bytes_read": cursor.offset,
        "rows": cursor.rows,
        "accepted": cursor.accepted,
        "rejected": {"invalid": cursor.invalid, "duplicate": cursor.duplicates},
        "columns": list(sample.columns if sample else found.columns),
        "sample": [list(row) for row in sample.rows] if sample else [],
        "delimiter": sample.delimiter if sample else found.delimiter,
        "encoding": sample.encoding if sample else found.encoding,
        "mapping": dict(found.mapping),
        "all_or_nothing": found.all_or_nothing,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
    }


def preview_view(sample: Sample) -> dict[str, Any]:
    """Return what an upload looks like."""
    return {
        "columns": list(sample.columns),
        "sample": [list(row) for row in sample.rows],
        "delimiter": sample.delimiter,
        "encoding": sample.encoding,
        "suggested_mapping": suggested_mapping(sample),
    }


def contact_view(entry: Entry) -> dict[str, Any]:
    """Return a contact of a list."""
    return {
        "contact_id": entry.id,
        "line": entry.line,
        "email": entry.contact.email,
        "fields": dict(entry.contact.fields),
    }


def erasure_view(found: Erased) -> dict[str, Any]:
    """Return what an erasure found."""
    return {
        "lists": found.lists,
        "recipients": found.recipients,
        "complete": not found.cursor,
        "cursor": found.cursor,
    }
