"""Erase a person: from every list, every revision and old version of it, and from the ledger.

What stays holds nothing of the person: rows of the ledger, so that sums stay right, and the hash
under which an address is suppressed, so that it stays suppressed. Lists come first, so that no
campaign can write a row anew behind the eraser. Every step may be done twice; a run whose time is
up answers with a cursor, and erasing again from there or from the start is the same.

What is on a queue goes with its message (4 days, as a dead letter 14), what is in a backup of the
tables with the backup (35 days). Logs never held it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from sendmill.campaign import Campaign
from sendmill.contact import Contact, address_hash, normalise_address, recipient_id, redacted
from sendmill.contact_book import ContactBook, without
from sendmill.contact_list import Accepted
from sendmill.errors import InvalidContact, NotFound
from sendmill.ledger import Row, State, Transition, cancel, give_up

# Object versions looked at side by side, and between two looks at the time.
PAGE = 200
# Campaigns between two looks at the time; their rows are read together.
CAMPAIGNS = 100
# A run ends when its request has less than this left, in seconds.
ENOUGH_SECONDS = 8.0
_PENDING = (State.PENDING, State.RETRY)
_REASON = "erased before it was known whether the mail had gone out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an object; ``current`` when it is the one that is read."""

    key: str
    id: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Say what an erasure found; ``cursor`` is where it goes on, empty when it is complete."""

    lists: int
    recipients: int
    cursor: str = ""


class Archive(Protocol):
    """Keep objects with contacts in them, in every version."""

    def versions(self, cursor: str, limit: int) -> tuple[Sequence[Version], str]:
        """Return versions of lists and uploads, and the cursor of the next page."""

    def naming(self, versions: Sequence[Version], address: str) -> Sequence[Version]:
        """Return the versions in which an address stands, whatever its case."""

    def read_rows(self, version: Version) -> Sequence[Accepted] | None:
        """Return the contacts of a part, None for an object that is none."""

    def rewrite(self, version: Version, rows: Sequence[Accepted]) -> None:
        """Write a part anew, in its place, and delete the version before."""

    def delete(self, version: Version) -> None:
        """Delete a version for good."""


class Ledger(Protocol):
    """Keep the rows of recipients."""

    def read(
        self, keys: Sequence[tuple[str, str]], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[tuple[str, str], Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid)."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write what still can be; say for each whether it stands."""

    def forget_contact(self, row: Row) -> None:
        """Keep a row without its contact, and without addresses in its reason."""


class Campaigns(Protocol):
    """Keep campaigns."""

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[Sequence[Campaign], str]:
        """Return campaigns and the cursor of the next page."""


class Suppressions(Protocol):
    """Keep addresses that must not be mailed."""

    def erase(self, key: str) -> bool:
        """Forget an entry's address and leave it in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eraser:
    """Hold what erasing a person needs; built once for the API function."""

    book: ContactBook
    archive: Archive
    ledger: Ledger
    campaigns: Campaigns
    suppressions: Suppressions
    hash_key: bytes
    clock: Callable[[], int]

    def erase(
        self, email: str, *, confirm: str, cursor: str, seconds_left: Callable[[], float]
    ) -> Erased:
        """Erase a person by address, which is said twice; go on at a cursor.

        Raises InvalidContact when the two differ or the cursor is none.
        """
        if email.strip() != confirm.strip():
            raise InvalidContact("confirm must be the same address as email")
        address = normalise_address(email)
        phase, _, at = cursor.partition(":")
        if phase not in ("", "objects", "rows"):
            raise InvalidContact(f"cursor must be one that an erasure gave (got {cursor[:80]!r})")
        touched: set[str] = set()
        if phase != "rows":
            self.suppressions.erase(address_hash(self.hash_key, address))
            at = self._objects(address, at, touched, seconds_left)
            if at:
                return Erased(lists=len(touched), recipients=0, cursor=f"objects:{at}")
        found, at = self._rows(address, at, seconds_left)
        return Erased(lists=len(touched), recipients=found, cursor=f"rows:{at}" if at else "")

    def _objects(
        self, address: str, at: str, touched: set[str], seconds_left: Callable[[], float]
    ) -> str:
        while True:
            versions, at = self.archive.versions(at, PAGE)
            for version in self.archive.naming(versions, address):
                touched.add(version.key.split("/")[1])
                self._clean(version, address)
            if not at or seconds_left() < ENOUGH_SECONDS:
                return at

    def _clean(self, version: Version, address: str) -> None:
        """Take the person out of the list's newest revision, then out of this version."""
        rows = self.archive.read_rows(version) if version.current else None
        if rows is None:
            self.archive.delete(version)
            return
        with suppress(NotFound):  # a list that was never shown, or that is deleted
            self.book.take_out(version.key.split("/")[1], address)
        self.archive.rewrite(version, without(rows, address))

    def _rows(self, address: str, at: str, seconds_left: Callable[[], float]) -> tuple[int, str]:
        found = 0
        while True:
            campaigns, at = self.campaigns.list(cursor=at, limit=CAMPAIGNS)
            keys = [(one.id, recipient_id(self.hash_key, one.id, address)) for one in campaigns]
            rows, _ = self.ledger.read(keys, suppression_keys=[])
            for row in rows.values():
                found += self._forget(row)
            if not at or seconds_left() < ENOUGH_SECONDS:
                return found, at

    def _forget(self, row: Row) -> bool:
        now = self.clock()
        if row.state in _PENDING:
            self.ledger.apply([cancel(row, now=now)], owner="erasure")
        elif row.state is State.UNKNOWN:
            self.ledger.apply([give_up(row, reason=_REASON, now=now)], owner="erasure")
        known = bool(row.contact.email)
        self.ledger.forget_contact(row)
        return known


def forgotten(row: Row) -> Row:
    """Return a row as it is kept when its person was erased."""
    return replace(row, contact=Contact(email=""), reason=redacted(row.reason))
