"""Hold what a campaign is: its content, by whom it is sent, and how far it has come."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from email.utils import parseaddr
from enum import StrEnum
from typing import Any

from sendmill.errors import InvalidCampaign

CAMPAIGN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MAX_NAME_CHARS = 200
# Half of a surrogate pair, which JSON can carry and UTF-8 cannot.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
MAX_DEFAULTS = 100
MAX_DEFAULT_CHARS = 1000
_FIELD = re.compile(r"[a-z_][a-z0-9_]{0,63}\Z")
# Jinja2 compiles this much in milliseconds; DynamoDB holds 400 KB an item.
MAX_TEMPLATE_BYTES = 100_000


class Status(StrEnum):
    """What a campaign is doing."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PLANNING = "planning"
    REFUSED = "refused"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    COMPLETE_WITH_UNKNOWN = "complete_with_unknown"
    CANCELLED = "cancelled"


# What a campaign can be started from: the last two were started before, and sent nothing.
STARTABLE = frozenset({Status.DRAFT, Status.SCHEDULED, Status.REFUSED})
# What may still be changed; a schedule keeps what was looked at when it was made.
EDITABLE = frozenset({Status.DRAFT, Status.REFUSED})
# How the reason of a campaign begins that was paused for its bounces or complaints.
REPUTATION_REASON = "reputation: "
# What a campaign comes to that reached its end; a recipient who is let in again lets it run again.
FINISHED = frozenset({Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN})
# Nothing more will happen to a campaign by itself.
OVER = FINISHED | {Status.CANCELLED}


class UnknownPolicy(StrEnum):
    """What is done with a recipient whose mail may or may not have been taken.

    ``auto`` waits for the provider's own event, and mails again only when the stream of events
    has provably passed the attempt (SES; over SMTP, which has no events, it is ``hold``);
    ``hold`` leaves it to a person; ``resend`` mails again after a while, perhaps twice.
    """

    AUTO = "auto"
    HOLD = "hold"
    RESEND = "resend"


class Service(StrEnum):
    """Through what a mail leaves."""

    SES = "ses"
    SMTP = "smtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Say through what, and in whose name, a campaign's mails leave.

    ``aws_region`` empty means the region of the function; ``aws_secret_name`` names the secret
    that holds the SMTP server and its credentials.
    """

    email_service: Service
    from_email: str
    aws_region: str = ""
    aws_secret_name: str = ""
    reply_to: str = ""

    def is_told_of(self, home: str) -> bool:
        """Tell whether events of a mail that leaves so are heard in this region.

        SMTP servers publish none, and SES in another region publishes to a topic there.
        """
        return self.email_service is Service.SES and self.aws_region in ("", home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Hold what is written: the templates and the config they are sent with.

    ``text`` is the plain-text part, made from the body when it is empty; ``defaults`` are what a
    contact reads whose field is missing or empty.
    """

    subject: str
    body: str
    config: Config
    text: str = ""
    defaults: tuple[tuple[str, str], ...] = ()

    def digest(self) -> str:
        """Return the name under which this content is kept: 32 hex characters of its SHA-256."""
        canonical = json.dumps(self.plain(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    def plain(self) -> dict[str, Any]:
        """Return the content as JSON can hold it, without what was not said."""
        found = asdict(self)
        return {name: value for name, value in found.items() if value not in ("", ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Hold one campaign as its row says it.

    ``rows`` counts the rows of the uploaded file; ``expected`` those that passed its checks and
    ``total`` those that stand in the ledger (they meet once every chunk is done). Every chunk is
    rendered (``chunks_checked``) before the first one is sent. ``reason`` says why a campaign is
    paused or refused. ``start_at`` and ``start_by`` are seconds since 1970, 0 for now
    and never; ``changed_at`` is when the status last changed. ``forgiven`` are the mails, bounces
    and complaints that a person has seen and let pass by resuming. ``approved_digest`` is what a
    second person approved (:func:`sendmill.drafts.approval_digest`).
    """

    id: str
    name: str
    content: Content
    status: Status
    created_at: int
    list_id: str = ""
    list_revision: int = 0
    template_id: str = ""
    template_version: int = 0
    rows: int = 0
    expected: int = 0
    total: int = 0
    invalid: int = 0
    duplicates: int = 0
    chunks: int = 0
    chunks_checked: int = 0
    chunks_done: int = 0
    unknown_policy: UnknownPolicy = UnknownPolicy.AUTO
    start_at: int = 0
    start_by: int = 0
    changed_at: int = 0
    reason: str = ""
    created_by: str = ""
    forgiven: Mapping[str, int] = field(default_factory=dict)
    edited_by: str = ""
    started_by: str = ""
    approved_by: str = ""
    approved_digest: str = ""
    approved_at: int = 0

    def may_send(self) -> bool:
        """Tell whether a worker may send for this campaign now."""
        return self.status is Status.RUNNING

    def settles_by_event(self, home: str = "", content: Content | None = None) -> bool:
        """Tell whether a lost answer will be settled by an event of the provider.

        ``home`` is the region whose events are heard, ``content`` another than the campaign's.
        """
        config = (content or self.content).config
        return self.unknown_policy is UnknownPolicy.AUTO and config.is_told_of(home)


def check_campaign_id(value: object) -> str:
    """Return the id if it can be a key and an SES tag; raises InvalidCampaign."""
    if not isinstance(value, str) or not CAMPAIGN_ID.match(value):
        raise InvalidCampaign(
            f"campaign_id must be 1 to 64 of A-Z a-z 0-9 _ - (got {_shown(value)})"
        )
    return value


def config_from_mapping(raw: object, *, default_from: str = "") -> Config:
    """Return a config from the ``config`` object of a message or a request.

    Raises InvalidCampaign naming the field and its value.
    """
    if not isinstance(raw, Mapping):
        raise InvalidCampaign(f"config must be an object (got {_shown(raw)})")
    service = str(raw.get("email_service") or Service.SES).lower()
    if service not in set(Service):
        known = ", ".join(Service)
        raise InvalidCampaign(f"config.email_service must be one of {known} (got {service!r})")
    config = Config(
        email_service=Service(service),
        from_email=_text(raw, "from_email") or default_from,
        aws_region=_text(raw, "aws_region"),
        aws_secret_name=_text(raw, "aws_secret_name"),
        reply_to=_text(raw, "reply_to"),
    )
    _check_sender("from_email", config.from_email)
    if config.reply_to:
        _check_sender("reply_to", config.reply_to)
    return config


def content_from_mapping(raw: Mapping[str, Any], *, default_from: str = "") -> Content:
    """Return the content that ``subject``, ``body`` and ``config`` of an object make.

    Raises InvalidCampaign naming the field and what it holds.
    """
    for name in ("subject", "body", "text"):
        value = raw.get(name)
        if name == "text" and not value:
            continue
        if not isinstance(value, str) or not value.strip():
            raise InvalidCampaign(f"{name} must be a template of at least one character")
        if _SURROGATE.search(value):
            raise InvalidCampaign(f"{name} must be text that UTF-8 can hold (got half a character)")
        size = len(value.encode())
        if size > MAX_TEMPLATE_BYTES:
            raise InvalidCampaign(f"{name} must be at most {MAX_TEMPLATE_BYTES} bytes (got {size})")
    config = config_from_mapping(raw.get("config") or {}, default_from=default_from)
    return Content(
        subject=raw["subject"],
        body=raw["body"],
        config=config,
        text=raw.get("text") or "",
        defaults=defaults_from_mapping(raw.get("defaults")),
    )


def defaults_from_mapping(raw: object) -> tuple[tuple[str, str], ...]:
    """Return what stands for missing fields, by name; raises InvalidCampaign naming the field."""
    if not raw:
        return ()
    if not isinstance(raw, Mapping) or len(raw) > MAX_DEFAULTS:
        raise InvalidCampaign(f"defaults must be at most {MAX_DEFAULTS} fields (got {_shown(raw)})")
    for name, value in raw.items():
        if not isinstance(value, str) or len(value) > MAX_DEFAULT_CHARS:
            raise InvalidCampaign(
                f"defaults.{name} must be text of at most {MAX_DEFAULT_CHARS} characters "
                f"(got {_shown(value)})"
            )
        if not _FIELD.match(str(name)) or not value.isprintable():
            raise InvalidCampaign(
                f"defaults.{str(name)[:80]} must be a field and one printable line"
            )
    return tuple(sorted(raw.items()))


def check_name(value: object, *, field: str = "name") -> str:
    """Return a display name without surrounding space; raises InvalidCampaign."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_NAME_CHARS or _SURROGATE.search(text):
        raise InvalidCampaign(
            f"{field} must be 1 to {MAX_NAME_CHARS} characters (got {_shown(value)})"
        )
    return text


def _check_sender(name: str, value: str) -> None:
    address = parseaddr(value)[1]
    if "@" not in address or not address.isascii():
        raise InvalidCampaign(
            f"config.{name} must be an address, its domain in punycode (got {value or 'nothing'})"
        )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name) or ""
    if not isinstance(value, str):
        raise InvalidCampaign(f"config.{name} must be text (got {_shown(value)})")
    if not value.isprintable():
        raise InvalidCampaign(f"config.{name} must be one printable line (got {_shown(value)})")
    return value.strip()


def _shown(value: object) -> str:
    return repr(value)[:80]
