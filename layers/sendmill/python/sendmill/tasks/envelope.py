"""Write a task as a message, and read it: strict where we write, tolerant where we read.

Version 1, one JSON object (optional keys are left out when empty)::

    {"v": 1, "id": "018f…", "task": "guard_report", "tv": 1, "kwargs": {"report_id": 5}, "args": [],
     "enq": "2026-11-23T05:00:00.000Z", "nbf": "…", "dedup": "…", "group": "…",
     "trace": {"traceparent": "00-…", "cid": "…"},
     "ref": {"s3": "s3://bucket/key", "sha256": "…", "size": 1}, "sig": {"kid": "…", "hmac": "…"}}

Unknown keys are ignored. A ``v`` above ours is refused: the message was written by a later release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sendmill.tasks.errors import InvalidEnvelope
from sendmill.tasks.payload import dumps, loads

VERSION = 1
_LONGEST_NAME = 200
_LONGEST_ID = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Say where the arguments of a large task are kept."""

    url: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Hold one task as it travels."""

    id: str
    task: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    version: int = 1
    enqueued_at: datetime
    not_before: datetime | None = None
    dedup: str = ""
    group: str = ""
    traceparent: str = ""
    correlation_id: str = ""
    reference: Reference | None = None
    # where the message came from, as far as the reader knows: envelope, s3, scheduler or plain
    source: str = field(default="envelope", compare=False)


def write(envelope: Envelope) -> str:
    """Return the message, unsigned."""
    found: dict[str, Any] = {
        "v": VERSION,
        "id": envelope.id,
        "task": envelope.task,
        "tv": envelope.version,
        "kwargs": dict(envelope.kwargs),
        "args": list(envelope.args),
        "enq": written_time(envelope.enqueued_at),
    }
    if envelope.not_before:
        found["nbf"] = written_time(envelope.not_before)
    found |= {key: text for key in ("dedup", "group") if (text := getattr(envelope, key))}
    trace = {"traceparent": envelope.traceparent, "cid": envelope.correlation_id}
    if any(trace.values()):
        found["trace"] = {key: text for key, text in trace.items() if text}
    if envelope.reference:
        kept = envelope.reference
        found["ref"] = {"s3": kept.url, "sha256": kept.sha256, "size": kept.size}
    return dumps(found)


def read(text: str) -> Envelope:
    """Return the task of a message; raises InvalidEnvelope, naming what is wrong."""
    try:
        found = loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEnvelope(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidEnvelope(f"the body must be a JSON object (got {type(found).__name__})")
    return read_mapping(found)


def read_mapping(found: Mapping[str, Any]) -> Envelope:
    """Return the task of a decoded message; raises InvalidEnvelope."""
    version = found.get("v")
    if type(version) is not int or version != VERSION:
        raise InvalidEnvelope(f"v must be {VERSION} (got {version!r})")
    trace = _of(found, "trace", dict, {})
    return Envelope(
        id=_text(found, "id", _LONGEST_ID),
        task=_text(found, "task", _LONGEST_NAME),
        version=_of(found, "tv", int, 1),
        kwargs=_of(found, "kwargs", dict, {}),
        args=tuple(_of(found, "args", list, [])),
        enqueued_at=_time(found, "enq") or datetime.fromtimestamp(0, UTC),
        not_before=_time(found, "nbf"),
        dedup=_of(found, "dedup", str, ""),
        group=_of(found, "group", str, ""),
        traceparent=_of(trace, "traceparent", str, ""),
        correlation_id=_of(trace, "cid", str, ""),
        reference=_reference(_of(found, "ref", dict, {})),
    )


def written_time(moment: datetime) -> str:
    """Return a time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reference(found: Mapping[str, Any]) -> Reference | None:
    if not found:
        return None
    return Reference(
        url=_text(found, "s3", 2000),
        sha256=_text(found, "sha256", 64),
        size=_of(found, "size", int, 0),
    )


def _text(found: Mapping[str, Any], key: str, longest: int) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise InvalidEnvelope(f"{key} must be 1 to {longest} characters (got {_shown(value)})")
    return value


def _of(found: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = found.get(key)
    if value is None:
        return default
    if type(value) is not kind:
        raise InvalidEnvelope(f"{key} must be {kind.__name__} (got {_shown(value)})")
    return value


def _time(found: Mapping[str, Any], key: str) -> datetime | None:
    value = _of(found, key, str, "")
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidEnvelope(f"{key} must be an ISO time (got {_shown(value)})") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(value: object) -> str:
    """Return the kind of a value and not the value: a message may hold anything."""
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, str) else repr(value)[:80]
