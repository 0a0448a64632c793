"""Say how templates look in JSON."""

from __future__ import annotations

from typing import Any

from sendmill.stored_template import StoredTemplate


def template_summary(found: StoredTemplate) -> dict[str, Any]:
    """Return a version of a template, without its text."""
    return {
        "template_id": found.id,
        "version": found.version,
        "name": found.name,
        "subject": found.subject,
        "variables": list(found.variables),
        "created_at": found.created_at,
        "created_by": found.created_by,
    }


def template_view(found: StoredTemplate) -> dict[str, Any]:
    """Return a version of a template."""
    return {
        **template_summary(found),
        "body": found.body,
        "text": found.text,
        "defaults": dict(found.defaults),
    }
