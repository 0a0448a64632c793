"""Hold one contact, and turn its address into the keys that stand for it.

No address ever appears in a key, a tag or a log line: :func:`recipient_id` and
:func:`address_hash` are keyed hashes, so that they cannot be reversed by trying addresses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sendmill.errors import InvalidContact

MAX_FIELDS = 100
MAX_FIELD_CHARS = 10_000
_FIELD_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}\Z")
# CR, LF and NUL are what header injection is made of; no mail field needs them.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody who may be mailed, and the fields that templates may use.

    ``email`` is normalised by :func:`normalise_address`; ``fields`` hold everything else as text.
    """

    email: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def template_fields(self) -> dict[str, str]:
        """Return what a template sees: every field, and the address as ``email``."""
        return {**self.fields, "email": self.email}


def normalise_address(raw: str) -> str:
    """Return the address as it is mailed: trimmed, domain in lower case and punycode.

    Raises InvalidContact naming what is wrong. Deliverability is not looked up.
    """
    # 20 ms of import that only a process which meets raw addresses has to pay
    from email_validator import EmailNotValidError, validate_email

    text = raw.strip()
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise InvalidContact(f"address must be valid: {error}") from error
    return f"{found.ascii_local_part or found.local_part}@{found.ascii_domain}"


def contact_from_mapping(raw: Mapping[str, Any]) -> Contact:
    """Return a contact from the ``contact`` object of a message.

    Raises InvalidContact naming the field.
    """
    address = raw.get("email")
    if not isinstance(address, str) or not address.strip():
        raise InvalidContact(f"contact.email must be an address (got {address!r})")
    fields = {
        check_field_name(str(name)): check_field_value(str(name), "" if value is None else value)
        for name, value in raw.items()
        if name != "email"
    }
    return Contact(email=normalise_address(address), fields=fields)


def field_name(header: str) -> str:
    """Return the name by which templates know a column: ``First Name`` is ``first_name``."""
    name = re.sub(r"[^a-z0-9]+", "_", header.strip().lower()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def check_field_name(name: str) -> str:
    """Return the name if a template could use it; raises InvalidContact."""
    if not _FIELD_NAME.match(name):
        raise InvalidContact(f"field name must be like first_name (got {name[:80]!r})")
    return name


def check_field_value(name: str, value: object) -> str:
    """Return the value as text; raises InvalidContact for control characters and huge cells."""
    text = value if isinstance(value, str) else str(value)
    if len(text) > MAX_FIELD_CHARS:
        raise InvalidContact(
            f"{name} must be at most {MAX_FIELD_CHARS} characters (got {len(text)})"
        )
    found = _CONTROL.search(text)
    if found:
        raise InvalidContact(
            f"{name} must not contain control characters (got {found.group()!r} at position "
            f"{found.start()}; a line break in a name can inject mail headers)"
        )
    return text


def recipient_id(key: bytes, campaign_id: str, address: str) -> str:
    """Return the id of this address in this campaign: 26 characters of a-z and 2-7.

    Case of the address does not matter. Source: docs/decisions, "the recipient's id".
    """
    return _keyed(key, f"{campaign_id}|{address.casefold()}")


def address_hash(key: bytes, address: str) -> str:
    """Return the key under which an address is suppressed, the same in every campaign."""
    return _keyed(key, f"address|{address.casefold()}")


def _keyed(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.b32encode(digest).decode().lower()[:26]
