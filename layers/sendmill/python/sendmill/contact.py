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

MAX_FIELD_CHARS = 10_000
# A contact is kept in one DynamoDB item (400 KB) and travels in one message (256 KB).
MAX_CONTACT_BYTES = 100_000
_FIELD_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}\Z")
# CR, LF and NUL are what header injection is made of, and half a surrogate pair cannot be written
# as UTF-8; no mail field needs them.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# Escapes of JSON are stepped over: the n of \n is no part of an address.
_ADDRESS = re.compile(r"(\\u[0-9a-fA-F]{4}|\\.)|[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]*")

# What nearly every address looks like. A strict subset of what the validator takes, and taken as
# it takes it (tests/unit/test_contact_quick.py). The rest is the validator's to judge.
_PLAIN_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)(?!.*@.*--)(?=[^@]{1,64}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63})\Z"
)
# Names that no mail is sent to (email_validator.SPECIAL_USE_DOMAIN_NAMES), as top-level domains.
_SPECIAL_DOMAINS = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})


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
    text = raw.strip()
    if _is_plain_address(text):
        return text
    # 20 ms of import, and 34 us an address where the expression above takes 1
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise InvalidContact(f"address must be valid: {error}") from error
    return f"{found.ascii_local_part or found.local_part}@{found.ascii_domain}"


def _is_plain_address(text: str) -> bool:
    found = _PLAIN_ADDRESS.match(text)
    return found is not None and found[1] not in _SPECIAL_DOMAINS


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
    return check_size(Contact(email=normalise_address(address), fields=fields))


def check_size(contact: Contact) -> Contact:
    """Return the contact if one row can hold it; raises InvalidContact."""
    size = sum(len(name) + len(value.encode()) for name, value in contact.fields.items())
    if size > MAX_CONTACT_BYTES:
        raise InvalidContact(f"contact must be at most {MAX_CONTACT_BYTES} bytes (got {size})")
    return contact


def redacted(text: str) -> str:
    """Return the text, plain or JSON, with every address replaced by ``[address]``."""
    if "@" not in text:
        return text  # nearly every log line, and the search is slow
    return _ADDRESS.sub(lambda found: found[1] or "[address]", text)


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
    # 26 characters hold 130 bits: what comes after the 20th byte does not show
    return base64.b32encode(digest[:20]).decode().lower()[:26]
