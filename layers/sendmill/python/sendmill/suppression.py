"""Keep the list of addresses that must not be mailed, whatever campaign asks.

Workers look at it at the moment of the send, so an entry also stops what is already queued. An
entry is kept under a keyed hash of the address; the address itself stands beside it only for
listing and export, and erasing it leaves the entry in force.

A reason gives way only to a stronger one: a person who unsubscribed stays unsubscribed when a
mail to her bounces later. So the order in which events arrive does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from typing import Protocol

from sendmill.contact import address_hash, normalise_address
from sendmill.contact_file import decode, read_contacts
from sendmill.contact_list import Accepted, Rejected
from sendmill.errors import InvalidContact, InvalidContactList, NotFound

# An import is done within one request of the API, which has 30 s.
MAX_IMPORT_ROWS = 20_000
# What one answer of a function can carry (6 MB), with room to spare.
MAX_EXPORT_ROWS = 40_000
MAX_ADDRESS_CHARS = 320
# What an export put in front of a cell that a spreadsheet would run.
_NEUTRALISED = re.compile(r"'(?=[=+\-@])")


class Reason(StrEnum):
    """Why an address must not be mailed, the stronger the later."""

    BOUNCED = "bounced"
    IMPORTED = "imported"
    MANUAL = "manual"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"

    @property
    def strength(self) -> int:
        """Return its place in the order: a reason gives way only to a stronger one."""
        return tuple(Reason).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Hold one entry; ``source`` is a campaign or the door it came through, ``at`` its time.

    ``email`` is empty once the address was erased.
    """

    hash: str
    email: str
    reason: Reason
    at: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Say what an import came to: ``rows`` = ``accepted`` + the rejected ones."""

    accepted: int
    rejected: Sequence[Rejected]

    @property
    def rows(self) -> int:
        """Return how many rows the file has."""
        return self.accepted + len(self.rejected)


class Shelf(Protocol):
    """Keep suppressions."""

    def add_all(self, entries: Sequence[Suppression]) -> Sequence[bool]:
        """Add entries; say of each whether it was news. A stronger one that stands is left."""

    def page(self, *, cursor: str, limit: int) -> tuple[Sequence[Suppression], str]:
        """Return entries whose address is known, and the cursor of the next page."""

    def remove(self, key: str) -> bool:
        """Remove an entry for good; tell whether it was there."""

    def erase(self, key: str) -> bool:
        """Forget an entry's address and leave it in force; tell whether it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionList:
    """Hold what people's requests about the list need; built once for the API function."""

    shelf: Shelf
    hash_key: bytes
    clock: Callable[[], int]

    def add(self, address: str, *, reason: str, source: str) -> Suppression:
        """Suppress one address that somebody typed; raises InvalidContact."""
        entry = self._entry(normalise_address(address), check_reason(reason), source)
        self.shelf.add_all([entry])
        return entry

    def load(self, data: bytes, *, source: str) -> Imported:
        """Import a CSV file with the column ``email`` and perhaps ``reason``.

        Raises InvalidContactList when the file cannot be read or is too long.
        """
        entries: list[Suppression] = []
        rejected: list[Rejected] = []
        for row in read_contacts(decode(data)):
            if isinstance(row, Rejected):
                rejected.append(row)
                continue
            try:
                entries.append(self._imported(row, source))
            except InvalidContact as error:
                rejected.append(Rejected(line=row.line, reason=str(error)))
            if len(entries) > MAX_IMPORT_ROWS:
                raise InvalidContactList(
                    f"a file has at most {MAX_IMPORT_ROWS} addresses: split it and send the parts"
                )
        self.shelf.add_all(entries)
        return Imported(accepted=len(entries), rejected=rejected)

    def rows(self, *, cursor: str, limit: int = MAX_EXPORT_ROWS) -> tuple[list[Suppression], str]:
        """Return up to ``limit`` entries, and the cursor behind them, empty at the end."""
        found: list[Suppression] = []
        while len(found) < limit:
            part, cursor = self.shelf.page(cursor=cursor, limit=min(1000, limit - len(found)))
            found += part
            if not cursor:
                break
        return found, cursor

    def remove(self, key: str) -> None:
        """Let an address be mailed again; raises NotFound."""
        if not self.shelf.remove(check_key(key)):
            raise NotFound(f"suppression {key} does not exist")

    def erase(self, key: str) -> None:
        """Forget an address and go on suppressing it; raises NotFound."""
        if not self.shelf.erase(check_key(key)):
            raise NotFound(f"suppression {key} does not exist")

    def _imported(self, row: Accepted, source: str) -> Suppression:
        reason = check_reason(row.contact.fields.get("reason") or Reason.IMPORTED)
        return self._entry(_NEUTRALISED.sub("", row.contact.email, count=1), reason, source)

    def _entry(self, address: str, reason: Reason, source: str) -> Suppression:
        return make_suppression(
            address, reason, hash_key=self.hash_key, at=self.clock(), source=source
        )


def make_suppression(
    address: str, reason: Reason, *, hash_key: bytes, at: int, source: str
) -> Suppression:
    """Return the entry that suppresses an address."""
    key = address_hash(hash_key, address)
    return Suppression(hash=key, email=address, reason=reason, at=at, source=source)


def check_reason(value: str) -> Reason:
    """Return the reason of this name; raises InvalidContact listing the names."""
    try:
        return Reason(value.strip().lower())
    except ValueError as error:
        known = ", ".join(Reason)
        raise InvalidContact(f"reason must be one of {known} (got {value[:80]!r})") from error


def check_key(value: str) -> str:
    """Return the hash of an address if it can be one; raises NotFound."""
    if not re.fullmatch(r"[a-z2-7]{26}", value):
        raise NotFound(f"suppression {value[:80]!r} does not exist")
    return value


def reported_addresses(raw: Sequence[object]) -> Iterator[str]:
    """Yield the addresses that a provider reported, as they can be compared with our own.

    Mail servers write them in several ways (``Ann <ann@...>``, ``rfc822; ann@...``), or not at
    all; what holds no address is left out.
    """
    for value in raw:
        if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARS:
            continue
        address = parseaddr(value.rpartition(";")[2].strip())[1]
        local, _, domain = address.rpartition("@")
        if local and domain:
            yield f"{local}@{domain.lower()}"
