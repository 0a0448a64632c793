"""What a SendEmail call asks for, checked as SES checks it.

Limits: at most 50 recipients, 15 headers (name 1-126, value 1-995, together 996 characters of
printable ASCII), tags of [A-Za-z0-9_-] up to 256, 40 MB. Source: the sesv2 service model of
botocore and the SES quota page.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parseaddr
from functools import lru_cache
from typing import Any

from standin.errors import BadRequest

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
MAX_MESSAGE_BYTES = 40 * 1024 * 1024
HEADER_NAME = re.compile(r"[!-9;-@A-~]{1,126}")
HEADER_VALUE = re.compile(r"[ -~]{1,995}")
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
# SES tags of its own may be set by the sender too; they carry a colon, no others may.
OWN_TAG = re.compile(r"ses:[A-Za-z0-9_-]{1,252}")
LOCAL_PART = re.compile(r"[!-?A-~]{1,64}")
DOMAIN = re.compile(
    r"(?=.{1,255}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
SES_SETS = frozenset(
    {
        *("bcc", "cc", "content-disposition", "content-type", "date", "from", "message-id"),
        *("mime-version", "reply-to", "return-path", "subject", "to"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Text with its charset; SES takes 7-bit ASCII when the caller names none."""

    data: str
    charset: str

    def encoded(self) -> bytes:
        """Return the bytes; a character the charset lacks becomes "?", as with SES."""
        return self.data.encode(self.charset, "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleContent:
    """Parts that SES joins into a message."""

    subject: Body
    text: Body | None
    html: Body | None
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawContent:
    """A whole message, and its headers read."""

    data: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A checked SendEmail call without its content: what is remembered of each mail.

    Addresses are as given; `sender` and `recipients` are bare.
    """

    source: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    recipients: tuple[str, ...]
    reply_to: tuple[str, ...]
    tags: dict[str, str]
    configuration_set: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Envelope):
    """A checked SendEmail call."""

    content: SimpleContent | RawContent

    def envelope(self) -> Envelope:
        """Return the call without its content, which may be large."""
        return Envelope(**{field.name: getattr(self, field.name) for field in fields(Envelope)})


def parse_send_email(data: Any) -> Submission:
    """Build a Submission from the JSON of POST /v2/email/outbound-emails, or raise BadRequest."""
    if not isinstance(data, dict):
        raise BadRequest("Request body must be a JSON object.")
    content = _content(data.get("Content") or {})
    destination = data.get("Destination") or {}
    to, cc, bcc = (tuple(destination.get(f"{n}Addresses") or ()) for n in ("To", "Cc", "Bcc"))
    if isinstance(content, RawContent) and not (to or cc or bcc):
        to, cc, bcc = (_addresses(content.headers, name) for name in ("to", "cc", "bcc"))
    source = data.get("FromEmailAddress") or _source(content)
    reply_to = tuple(data.get("ReplyToAddresses") or ())
    for address in reply_to:
        bare_address(address)
    return Submission(
        source=source,
        sender=bare_address(source),
        to=to,
        cc=cc,
        bcc=bcc,
        recipients=_recipients((*to, *cc, *bcc)),
        reply_to=reply_to,
        tags=_tags(data.get("EmailTags") or ()),
        configuration_set=data.get("ConfigurationSetName") or None,
        content=content,
    )


@lru_cache(maxsize=4096)
def bare_address(value: str) -> str:
    """Return the address of 'Name <address>', or raise BadRequest in the words of SES."""
    if not isinstance(value, str) or CONTROL.search(value):
        raise BadRequest("Address contains control characters.")
    address = parseaddr(value)[1]
    local, at, domain = address.rpartition("@")
    if not at or not local:
        raise BadRequest(f"Missing final '@domain' (got {value!r}).")
    if not address.isascii():
        raise BadRequest(f"Domain or local part contains non-ASCII characters (got {value!r}).")
    if not LOCAL_PART.fullmatch(local):
        raise BadRequest(f"Local address contains control or whitespace (got {value!r}).")
    if not DOMAIN.fullmatch(domain):
        raise BadRequest(f"Domain contains illegal character or has no dot (got {value!r}).")
    return address


def _recipients(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise BadRequest("Destination must have at least one recipient.")
    if len(addresses) > MAX_RECIPIENTS:
        raise BadRequest(f"Recipient count exceeds {MAX_RECIPIENTS} (got {len(addresses)}).")
    return tuple(bare_address(address) for address in addresses)


def _content(content: dict[str, Any]) -> SimpleContent | RawContent:
    if content.get("Simple"):
        return _simple(content["Simple"])
    if content.get("Raw"):
        return _raw(content["Raw"])
    raise BadRequest("Content must be Simple or Raw (this stand-in renders no SES templates).")


def _simple(simple: dict[str, Any]) -> SimpleContent:
    body = simple.get("Body") or {}
    text, html = _body(body.get("Text")), _body(body.get("Html"))
    subject = _body(simple.get("Subject"))
    if subject is None or (text is None and html is None):
        raise BadRequest("Simple content must have a Subject and a Body of Text or Html.")
    if CONTROL.search(subject.data):
        raise BadRequest("Subject contains control characters.")
    if simple.get("Attachments"):
        raise BadRequest("Attachments of Simple content are not supported here: send Raw.")
    return SimpleContent(
        subject=subject, text=text, html=html, headers=_headers(simple.get("Headers") or ())
    )


def _body(part: dict[str, Any] | None) -> Body | None:
    if not part or not isinstance(part.get("Data"), str):
        return None
    charset = part.get("Charset") or "us-ascii"
    try:
        "".encode(charset)
    except LookupError as error:
        raise BadRequest(f"Charset is not known (got {charset!r}).") from error
    return Body(data=part["Data"], charset=charset)


def _headers(headers: Iterable[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    pairs = tuple((str(h.get("Name", "")), str(h.get("Value", ""))) for h in headers)
    if len(pairs) > MAX_HEADERS:
        raise BadRequest(f"Header count exceeds {MAX_HEADERS} (got {len(pairs)}).")
    for name, value in pairs:
        if not HEADER_NAME.fullmatch(name):
            raise BadRequest(f"Header name must be 1-126 printable ASCII, no colon (got {name!r}).")
        if not HEADER_VALUE.fullmatch(value) or len(name) + len(value) > 996:
            raise BadRequest(f"Value of header {name} must be 1-995 printable ASCII characters.")
        if name.lower() in SES_SETS:
            raise BadRequest(f"Header {name} is set by SES and must not be given.")
    return pairs


def _raw(raw: dict[str, Any]) -> RawContent:
    try:
        data = base64.b64decode(raw.get("Data") or "", validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadRequest("Raw.Data must be base64.") from error
    if not data or len(data) > MAX_MESSAGE_BYTES:
        raise BadRequest(f"Raw message must be 1 to {MAX_MESSAGE_BYTES} bytes (got {len(data)}).")
    message: Message = BytesHeaderParser().parsebytes(data)
    return RawContent(data=data, headers=tuple((n, str(v)) for n, v in message.items()))


def _addresses(headers: tuple[tuple[str, str], ...], name: str) -> tuple[str, ...]:
    values = [value for key, value in headers if key.lower() == name]
    return tuple(address for _, address in getaddresses(values) if address)


def _source(content: SimpleContent | RawContent) -> str:
    if isinstance(content, RawContent):
        for name, value in content.headers:
            if name.lower() == "from":
                return value
    raise BadRequest("FromEmailAddress is required.")


def _tags(tags: Iterable[dict[str, Any]]) -> dict[str, str]:
    pairs = {str(tag.get("Name", "")): str(tag.get("Value", "")) for tag in tags}
    for name, value in pairs.items():
        if not (TAG.fullmatch(name) or OWN_TAG.fullmatch(name)):
            raise BadRequest(f"Tag name must be [A-Za-z0-9_-], 1-256 characters (got {name!r}).")
        if not TAG.fullmatch(value):
            raise BadRequest(f"Value of tag {name} must be [A-Za-z0-9_-], 1-256 (got {value!r}).")
    return pairs
