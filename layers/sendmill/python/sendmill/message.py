"""Read and write the messages of the e-mail queue.

The shape is a promise: anybody may put such a message on the queue. Unknown keys are ignored.
Messages that dispatch writes leave out what the campaign's row already holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sendmill.campaign import Content, check_campaign_id, check_name, content_from_mapping
from sendmill.contact import Contact, contact_from_mapping, redacted
from sendmill.errors import InvalidCampaign, InvalidContact, InvalidMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Ask for one mail to one contact; ``content`` None means what the campaign's row holds."""

    campaign_id: str
    contact: Contact
    campaign_name: str = ""
    content: Content | None = None


def parse_message(body: str, *, default_from: str = "") -> Message:
    """Return the message that a body of the e-mail queue holds.

    ``default_from`` is the sender when the config names none. Raises InvalidMessage, which names
    the field and never shows an address.
    """
    raw = _object(body)
    try:
        campaign_id = check_campaign_id(raw.get("campaign_id"))
        content = (
            content_from_mapping(raw, default_from=default_from) if _has_content(raw) else None
        )
        name = check_name(raw.get("campaign_name") or campaign_id, field="campaign_name")
    except InvalidCampaign as error:
        raise InvalidMessage(redacted(str(error))) from error
    return Message(
        campaign_id=campaign_id, contact=_contact(raw), campaign_name=name, content=content
    )


def message_body(message: Message) -> str:
    """Return the body that dispatch puts on the queue for one recipient."""
    contact = {"email": message.contact.email, **message.contact.fields}
    return json.dumps(
        {"campaign_id": message.campaign_id, "contact": contact},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _object(body: str) -> Mapping[str, Any]:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"body must be JSON ({error})") from error
    if not isinstance(raw, dict):
        raise InvalidMessage(f"body must be a JSON object (got {type(raw).__name__})")
    return raw


def _has_content(raw: Mapping[str, Any]) -> bool:
    return any(raw.get(name) for name in ("subject", "body", "config"))


def _contact(raw: Mapping[str, Any]) -> Contact:
    contact = raw.get("contact")
    if not isinstance(contact, dict):
        raise InvalidMessage(f"contact must be an object (got {type(contact).__name__})")
    try:
        return contact_from_mapping(contact)
    except InvalidContact as error:
        # the validator quotes the address; a log line must not
        raise InvalidMessage("contact must hold a valid address and plain fields") from error


def why_refused(body: str, *, default_from: str = "") -> tuple[str, str]:
    """Return the campaign a body names, if any, and why nobody can act on it, or nothing."""
    try:
        return parse_message(body, default_from=default_from).campaign_id, ""
    except InvalidMessage as error:
        reason = str(error)
    try:
        return check_campaign_id(_object(body).get("campaign_id")), reason
    except (InvalidMessage, InvalidCampaign):
        return "", reason
