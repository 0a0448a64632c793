"""Look through the contacts of a list, add, change and remove them; rename and delete lists.

A change writes one part anew, under a name of its own, and makes the next revision of the list
(docs/decisions/0004): a campaign that was started keeps reading the revision it started with. Two
people who change a list at the same moment both succeed, one after the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sendmill.campaign import Campaign, check_name
from sendmill.contact import Contact, contact_from_mapping
from sendmill.contact_list import Accepted, ContactList, Layout
from sendmill.dispatch import CHUNK_SIZE
from sendmill.errors import InvalidContactList, NotFound, StateConflict

# Parts that one search looks through before it answers with what it found and a cursor.
SEARCH_PARTS = 400
# Two hundred people who change one list in the same second wait their turn.
_ATTEMPTS = 20
_CURSOR = re.compile(r"(\d{1,7})\.(\d{1,10})\Z", re.ASCII)
_CONTACT_ID = re.compile(r"(\d{1,7})-(\d{1,10})\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One contact of a list; ``part`` and ``line`` are its name, which changes do not move."""

    part: int
    line: int
    contact: Contact

    @property
    def id(self) -> str:
        """Return what people call it by."""
        return f"{self.part}-{self.line}"


_NOBODY = Entry(part=0, line=0, contact=Contact(email=""))


class Shelf(Protocol):
    """Keep contact lists and their parts."""

    def get(self, list_id: str) -> ContactList | None:
        """Return a list."""

    def layout(self, list_id: str, revision: int) -> Layout:
        """Return where the parts of a revision lie."""

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return the contacts of one part."""

    def part_texts(
        self, list_id: str, parts: Iterable[int], revision: int
    ) -> Iterator[tuple[int, str]]:
        """Yield parts as they are kept, one contact a line, several read at once."""

    def write_part(
        self, list_id: str, part: int, rows: Sequence[Accepted], token: str = ""
    ) -> None:
        """Keep the contacts of one part."""

    def revise(self, found: ContactList, layout: Layout) -> bool:
        """Keep the next revision of a list; tell whether the one before it was the newest."""

    def rename(self, list_id: str, name: str) -> bool:
        """Change a list's name; tell whether it exists."""

    def mark_deleted(self, list_id: str) -> bool:
        """Let nobody see a list any more; tell whether it existed, deleted or not."""

    def delete(self, list_id: str) -> None:
        """Delete the contacts, then the list."""


class Campaigns(Protocol):
    """Know which campaigns are under way."""

    def active(self) -> Iterator[str]:
        """Yield the ids of campaigns that are doing, or are about to do, something."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return a campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactBook:
    """Hold what people's requests about contacts need; built once for the API function."""

    lists: Shelf
    campaigns: Campaigns
    new_token: Callable[[], str]

    def get(self, list_id: str) -> ContactList:
        """Return a list; raises NotFound."""
        found = self.lists.get(list_id)
        if found is None:
            raise NotFound(f"contact list {list_id} does not exist")
        return found

    def page(
        self, list_id: str, *, query: str = "", cursor: str = "", limit: int = 100
    ) -> tuple[list[Entry], str]:
        """Return contacts in the order of the list, and the cursor behind them, empty at the end.

        ``query`` is any part of an address or of a name. A page may be shorter than ``limit`` and
        not the last: in a large list a search answers with what it found so far. Raises
        InvalidContactList for a cursor that no page gave.
        """
        found = self.get(list_id)
        first, after = _position(cursor)
        wanted = range(first, min(found.parts, first + SEARCH_PARTS))
        page: list[Entry] = []
        for part, text in self.lists.part_texts(list_id, wanted, found.revision):
            for entry in _matching(part, text, query):
                if part > first or entry.line > after:
                    page.append(entry)
            if len(page) > limit:
                last = page[limit - 1]
                return page[:limit], f"{last.part}.{last.line}"
        end = wanted.stop if wanted else found.parts
        return page, f"{end}.0" if end < found.parts else ""

    def contact(self, list_id: str, contact_id: str) -> Entry:
        """Return one contact; raises NotFound."""
        found = self.get(list_id)
        part, line = _parsed(contact_id)
        rows = self.lists.read_part(list_id, part, found.revision) if part < found.parts else ()
        row = next((one for one in rows if one.line == line), None)
        if row is None:
            raise _no_contact(list_id, contact_id)
        return Entry(part=part, line=line, contact=row.contact)

    def add(self, list_id: str, raw: Mapping[str, object]) -> Entry:
        """Add a contact of ``email`` and other fields behind the others.

        Raises InvalidContact naming the field, StateConflict when the address is there already.
        """
        contact = contact_from_mapping(raw)

        def change(found: ContactList) -> Entry | None:
            self._refuse_double(found, contact.email)
            part = max(found.parts - 1, 0)
            rows = list(self._rows(found, part))
            line = max((row.line for row in rows), default=1) + 1
            if len(rows) >= CHUNK_SIZE:
                part, rows = part + 1, []
            row = Accepted(line=line, contact=contact)
            return self._kept(
                found, part, [*rows, row], Entry(part=part, line=line, contact=contact)
            )

        return self._until_kept(list_id, change)

    def edit(self, list_id: str, contact_id: str, raw: Mapping[str, object]) -> Entry:
        """Change what ``raw`` says of a contact: ``email``, or fields; null removes a field."""
        part, line = _parsed(contact_id)

        def change(found: ContactList) -> Entry | None:
            before = self.contact(list_id, contact_id).contact
            said = {name: value for name, value in raw.items() if value is not None}
            kept = {n: v for n, v in before.template_fields().items() if n not in raw}
            after = contact_from_mapping({**kept, "email": before.email, **said})
            if after.email.casefold() != before.email.casefold():
                self._refuse_double(found, after.email)
            row = Accepted(line=line, contact=after)
            rows = [row if one.line == line else one for one in self._rows(found, part)]
            return self._kept(found, part, rows, Entry(part=part, line=line, contact=after))

        return self._until_kept(list_id, change)

    def remove(self, list_id: str, contact_id: str) -> None:
        """Take a contact out of a list; raises NotFound."""
        part, line = _parsed(contact_id)

        def change(found: ContactList) -> Entry | None:
            entry = self.contact(list_id, contact_id)
            rows = [one for one in self._rows(found, part) if one.line != line]
            return self._kept(found, part, rows, entry)

        self._until_kept(list_id, change)

    def take_out(self, list_id: str, address: str) -> None:
        """Take a person out of a list who is to be erased, and out of what others' fields say."""

        def change(found: ContactList) -> Entry | None:
            entry = self.find(list_id, address)
            if entry is None:
                return _NOBODY
            return self._kept(
                found, entry.part, without(self._rows(found, entry.part), address), _NOBODY
            )

        self._until_kept(list_id, change)

    def rename(self, list_id: str, name: object) -> ContactList:
        """Change a list's name; raises NotFound, InvalidCampaign for a name that is none."""
        if not self.lists.rename(list_id, check_name(name)):
            raise NotFound(f"contact list {list_id} does not exist")
        return self.get(list_id)

    def delete(self, list_id: str) -> None:
        """Delete a list with its contacts; asked again after a failure, it goes on.

        Raises NotFound, and StateConflict while a campaign still reads it.
        """
        for campaign_id in self.campaigns.active():
            campaign = self.campaigns.get(campaign_id)
            reads = campaign is not None and campaign.list_id == list_id
            if campaign is not None and reads and campaign.chunks_done < campaign.chunks:
                raise StateConflict(f"contact list {list_id} is being sent to by {campaign_id}")
        if not self.lists.mark_deleted(list_id):
            raise NotFound(f"contact list {list_id} does not exist")
        self.lists.delete(list_id)

    def find(self, list_id: str, address: str) -> Entry | None:
        """Return the contact with an address, whatever its case, if the list has it."""
        found = self.get(list_id)
        wanted = address.casefold()
        parts = range(found.parts)
        for part, text in self.lists.part_texts(list_id, parts, found.revision):
            for entry in _matching(part, text, wanted):
                if entry.contact.email.casefold() == wanted:
                    return entry
        return None

    def _refuse_double(self, found: ContactList, address: str) -> None:
        entry = self.find(found.id, address)
        if entry is not None:
            raise StateConflict(f"the address is in the list already (contact {entry.id})")

    def _rows(self, found: ContactList, part: int) -> Sequence[Accepted]:
        if part >= found.parts:
            return ()
        return self.lists.read_part(found.id, part, found.revision)

    def _kept(
        self, found: ContactList, part: int, rows: Sequence[Accepted], entry: Entry
    ) -> Entry | None:
        """Return the entry once the next revision stands with this part; None to try again."""
        token = self.new_token()
        self.lists.write_part(found.id, part, rows, token)
        grown = len(rows) - len(self._rows(found, part))
        after = replace(
            found,
            revision=found.revision + 1,
            parts=max(found.parts, part + 1),
            rows=found.rows + grown,
            accepted=found.accepted + grown,
            fields=tuple(dict.fromkeys((*found.fields, *entry.contact.fields))),
        )
        layout = self.lists.layout(found.id, found.revision).swap(part, token)
        return entry if self.lists.revise(after, layout) else None

    def _until_kept(self, list_id: str, change: Callable[[ContactList], Entry | None]) -> Entry:
        for _ in range(_ATTEMPTS):
            entry = change(self.get(list_id))
            if entry is not None:
                return entry
        raise StateConflict(f"contact list {list_id} is being changed by others: ask again")


def without(rows: Sequence[Accepted], address: str) -> list[Accepted]:
    """Return the rows without a person, whose address is no field of another's either."""
    wanted = address.casefold()
    kept = [row for row in rows if row.contact.email.casefold() != wanted]
    return [_without_mention(row, wanted) for row in kept]


def _without_mention(row: Accepted, wanted: str) -> Accepted:
    if wanted not in json.dumps(dict(row.contact.fields), ensure_ascii=False).casefold():
        return row
    fields = {
        name: "" if wanted in value.casefold() else value
        for name, value in row.contact.fields.items()
    }
    return replace(row, contact=Contact(email=row.contact.email, fields=fields))


def _matching(part: int, text: str, query: str) -> Iterator[Entry]:
    """Yield the contacts of a part that a query means; what cannot match is not even parsed."""
    wanted = query.strip().casefold()
    raw = json.dumps(wanted, ensure_ascii=False)[1:-1]
    if raw and raw not in text.casefold():
        return
    for line in text.split("\n"):
        if line and raw in line.casefold():
            number, fields = json.loads(line)
            contact = Contact(
                email=fields["email"], fields={n: v for n, v in fields.items() if n != "email"}
            )
            if _means(contact, wanted):
                yield Entry(part=part, line=number, contact=contact)


def _means(contact: Contact, wanted: str) -> bool:
    if wanted in contact.email.casefold():
        return True
    names = [value for name, value in contact.fields.items() if "name" in name]
    return wanted in " ".join(names).casefold()


def _position(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    found = _CURSOR.match(cursor)
    if found is None:
        raise InvalidContactList(f"cursor must be one that a page gave (got {cursor[:80]!r})")
    return int(found[1]), int(found[2])


def _parsed(contact_id: str) -> tuple[int, int]:
    found = _CONTACT_ID.match(contact_id)
    if found is None:
        raise NotFound(f"contact {contact_id[:80]!r} does not exist")
    return int(found[1]), int(found[2])


def _no_contact(list_id: str, contact_id: str) -> NotFound:
    return NotFound(f"contact {contact_id} of contact list {list_id} does not exist")
