"""What was accepted: one .eml file a mail, an index in memory, and the counts tests ask for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin.mime import Mime
from standin.request import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The index entry of an accepted mail; its bytes are in `<message_id>.eml`."""

    message_id: str
    account: str
    region: str
    accepted_at: float
    envelope: Envelope
    mime_headers: tuple[tuple[str, str], ...]
    subject: str
    size: int

    def describe(self) -> dict[str, Any]:
        """Return the entry as JSON."""
        envelope = self.envelope
        return {
            "message_id": self.message_id,
            "account": self.account,
            "region": self.region,
            "time": self.accepted_at,
            "from": envelope.source,
            "to": list(envelope.to),
            "cc": list(envelope.cc),
            "bcc": list(envelope.bcc),
            "reply_to": list(envelope.reply_to),
            "subject": self.subject,
            "tags": envelope.tags,
            "configuration_set": envelope.configuration_set,
            "headers": [{"name": n, "value": v} for n, v in self.mime_headers],
            "bytes": self.size,
        }


@dataclass(slots=True, kw_only=True)
class Stats:
    """Counts since the start or the last reset. A post is a SendEmail request that arrived."""

    posts: int = 0
    accepted: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    per_recipient: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Count a post that arrived."""
        self.posts += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def end(self) -> None:
        """Count a post that was answered, or given up."""
        self.in_flight -= 1

    def reset(self) -> None:
        """Forget all counts but the sends that are under way."""
        self.posts = self.accepted = 0
        self.max_in_flight = self.in_flight
        for counter in (self.rejected, self.silent, self.per_recipient):
            counter.clear()

    def describe(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "posts": self.posts,
            "accepted": self.accepted,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "rejected": dict(self.rejected),
            "silent": dict(self.silent),
            "per_recipient": dict(self.per_recipient),
            "recipients_mailed_twice": sorted(a for a, n in self.per_recipient.items() if n > 1),
        }


class Mailbox:
    """Keep mails under a folder; the folder is emptied at the start and by `clear`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mails: dict[str, Delivered] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.clear()

    def __len__(self) -> int:
        return len(self._mails)

    def keep(self, mail: Delivered, mime: Mime) -> None:
        """Store a mail: its file first, then its entry."""
        (self._folder / f"{mail.message_id}.eml").write_bytes(mime.data)
        self._mails[mail.message_id] = mail

    def get(self, message_id: str) -> Delivered | None:
        """Return the entry of a mail, if it is here."""
        return self._mails.get(message_id)

    def raw(self, message_id: str) -> bytes:
        """Return the bytes of a mail that `get` knows."""
        return (self._folder / f"{message_id}.eml").read_bytes()

    def select(
        self, *, to: str = "", tags: dict[str, str] | None = None, since: float = 0.0
    ) -> Iterator[Delivered]:
        """Yield mails to an address (bare, any case), with all tags, accepted at `since` or later.

        Oldest first.
        """
        for mail in self._mails.values():
            envelope = mail.envelope
            if mail.accepted_at < since:
                continue
            if to and to.lower() not in (a.lower() for a in envelope.recipients):
                continue
            if tags and any(envelope.tags.get(n) != v for n, v in tags.items()):
                continue
            yield mail

    def newest(self, count: int) -> list[Delivered]:
        """Return the newest entries, newest first."""
        return list(self._mails.values())[-count:][::-1]

    def clear(self) -> None:
        """Forget all mails and delete their files."""
        self._mails.clear()
        for path in self._folder.glob("*.eml"):
            path.unlink(missing_ok=True)


def now() -> float:
    """Return the wall clock in seconds; the only place that asks for it."""
    return time.time()
