"""Read an uploaded file of contacts as a stream, and show the list when it is whole.

What a run writes is a function of the file alone, so doing it twice writes the same objects. Now
and then it saves a cursor: where in the file it is, and how much it has written. Whoever goes
on, after a crash or because a function has a time limit, begins at the cursor. The list becomes
visible in the same transaction that marks the import as done: never is half a list shown.

A run holds a lease, and every save is fenced by its owner, so that a message that comes twice
does not make two runs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from sendmill.contact_file import (
    LAST_RESORT,
    LAST_RESORT_NOTE,
    Position,
    RowReader,
    fields_of,
)
from sendmill.contact_list import Accepted, ContactList, Layout, Rejected
from sendmill.dispatch import CHUNK_SIZE
from sendmill.errors import InvalidContactList, NotFound, NotUtf8, RetryableError
from sendmill.importing import Book, Cursor, Depot, Import, ImportStatus, Lists, Queue
from sendmill.seen import SeenAddresses

MAX_ROWS = 2_000_000
# A step ends with a part, or with so many rejected rows: a bound on what is held.
REJECTED_CHUNK = 1_000
# Rows between two cursors: what a crash costs, and how often the progress moves.
ROWS_A_CURSOR = 10_000
# A run hands over to the next one when its function has less than this left, in seconds.
HANDOVER_SECONDS = 25.0
# How much longer than the function a lease lives, in seconds.
LEASE_SLACK_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Hold what the function needs that reads uploads; built once."""

    book: Book
    depot: Depot
    lists: Lists
    queue: Queue
    clock: Callable[[], int]
    rows_a_cursor: int = ROWS_A_CURSOR

    def run(
        self, import_id: str, *, owner: str, seconds_left: Callable[[], float]
    ) -> Import | None:
        """Go on with an import until it is over or time is; return it as it then stands.

        None when there is nothing to do: it is over, or another run holds it (whose own message
        comes again if it dies). Raises StoreUnavailable and QueueUnavailable; the next run goes
        on at the cursor.
        """
        now = self.clock()
        lease = now + int(seconds_left()) + LEASE_SLACK_SECONDS
        found = self.book.claim(import_id, owner=owner, lease=lease, now=now)
        if found is None:
            standing = self.book.get(import_id)
            if standing is None:
                raise NotFound(f"import {import_id} does not exist")
            if standing.is_over():
                self.depot.forget(import_id)
            return None
        try:
            return self._run(found, owner, seconds_left)
        except InvalidContactList as error:
            return self._fail(found, owner, str(error))
        except BaseException:
            with suppress(RetryableError):
                self.book.release(import_id, owner=owner)
            raise

    def _run(self, found: Import, owner: str, seconds_left: Callable[[], float]) -> Import | None:
        try:
            return _Run(self, found, owner, seconds_left).go()
        except NotUtf8 as error:
            if found.given or not error.last_resort:
                raise
        again = replace(
            found, encoding=LAST_RESORT, mark_bytes=0, cursor=Cursor(), note=LAST_RESORT_NOTE
        )
        if not self.book.save(again, owner=owner, keep=True):
            return None
        return _Run(self, again, owner, seconds_left).go()

    def _fail(self, found: Import, owner: str, reason: str) -> Import | None:
        failed = replace(found, status=ImportStatus.FAILED, reason=reason, finished_at=self.clock())
        if not self.book.fail(failed, owner=owner):
            return None
        self.lists.forget_parts(found.list_id, found.token)
        self.depot.forget(found.id)
        return failed


class _Run:
    """Read one import on from its cursor."""

    def __init__(
        self, importer: Importer, found: Import, owner: str, seconds_left: Callable[[], float]
    ) -> None:
        self._its = importer
        self._found = found
        self._owner = owner
        self._seconds_left = seconds_left
        self._seen = self._remembered()
        self._part: list[Accepted] = []
        self._rejected: list[Rejected] = []
        cursor = found.cursor
        self._saved_rows = cursor.rows
        self._reader = RowReader(
            importer.depot.lines(found),
            delimiter=found.delimiter,
            fields=fields_of(found.columns, found.mapping),
            seen=self._seen,
            encoding=found.encoding,
            start=Position(offset=cursor.offset, line=cursor.line),
            beyond_ascii=cursor.beyond_ascii,
        )

    def go(self) -> Import | None:
        """Return the import, over or handed over; None when another run has taken it."""
        for row in self._reader:
            self._take(row)
            if len(self._part) < CHUNK_SIZE and len(self._rejected) < REJECTED_CHUNK:
                continue
            self._write_step()
            if self._seconds_left() < HANDOVER_SECONDS:
                return self._hand_over()
            fresh = self._found.cursor.rows - self._saved_rows
            if fresh >= self._its.rows_a_cursor and not self._save(keep=True):
                return None
        self._write_step()
        return self._finish()

    def _take(self, row: Accepted | Rejected) -> None:
        if isinstance(row, Accepted):
            self._part.append(row)
        else:
            self._rejected.append(row)

    def _write_step(self) -> None:
        """Write what was read since the last step, under numbers that the file alone decides."""
        found, cursor = self._found, self._found.cursor
        if self._part:
            self._its.lists.write_part(found.list_id, cursor.parts, self._part, found.token)
        if self._rejected:
            self._its.depot.write_rejected(found.id, cursor.rejected, self._rejected)
        duplicates = sum(row.duplicate for row in self._rejected)
        end = self._reader.position
        self._found = replace(
            found,
            cursor=replace(
                cursor,
                offset=end.offset,
                line=end.line,
                rows=cursor.rows + len(self._part) + len(self._rejected),
                accepted=cursor.accepted + len(self._part),
                invalid=cursor.invalid + len(self._rejected) - duplicates,
                duplicates=cursor.duplicates + duplicates,
                parts=cursor.parts + bool(self._part),
                rejected=cursor.rejected + bool(self._rejected),
                beyond_ascii=self._reader.beyond_ascii,
            ),
        )
        self._part, self._rejected = [], []
        if self._found.cursor.rows > MAX_ROWS:
            raise InvalidContactList(f"a file has at most {MAX_ROWS} rows: split it")

    def _save(self, *, keep: bool) -> bool:
        """Keep the cursor, what was seen first; tell whether this still is the run that counts."""
        cursor = self._found.cursor
        self._its.depot.write_seen(self._found.id, cursor.seen, self._seen.take_new())
        self._found = replace(self._found, cursor=replace(cursor, seen=cursor.seen + 1))
        self._saved_rows = cursor.rows
        return self._its.book.save(self._found, owner=self._owner, keep=keep)

    def _hand_over(self) -> Import | None:
        if not self._save(keep=False):
            return None
        self._its.queue.send_import(self._found.id)
        return self._found

    def _finish(self) -> Import | None:
        its, found, cursor = self._its, self._found, self._found.cursor
        its.depot.join_rejected(found)
        refused = _refusal(found)
        if refused:
            raise InvalidContactList(refused)
        done = replace(found, status=ImportStatus.DONE, finished_at=its.clock())
        while True:
            whole, layout = self._whole(done)
            if its.book.finish(done, whole, layout, owner=self._owner):
                break
            # the list was changed meanwhile, or this run is no longer the one that counts
            if not its.book.save(found, owner=self._owner, keep=True):
                return None
        its.depot.forget(found.id)
        return replace(done, cursor=cursor)

    def _whole(self, done: Import) -> tuple[ContactList, Layout]:
        """Return the list as it will be, and where its parts lie."""
        cursor = done.cursor
        fields = fields_of(done.columns, done.mapping)
        names = tuple(name for name in fields if name not in ("", "email"))
        if done.adds_to < 0:
            fresh = ContactList(
                id=done.list_id,
                name=done.name,
                created_at=done.finished_at,
                rows=cursor.rows,
                accepted=cursor.accepted,
                invalid=cursor.invalid,
                duplicates=cursor.duplicates,
                parts=cursor.parts,
                fields=names,
                created_by=done.created_by,
                note=done.note,
            )
            return fresh, Layout()
        standing = self._its.lists.get(done.list_id)
        if standing is None:
            raise InvalidContactList(f"contact list {done.list_id} was deleted meanwhile")
        layout = self._its.lists.layout(standing.id, standing.revision)
        grown = replace(
            standing,
            rows=standing.rows + cursor.rows,
            accepted=standing.accepted + cursor.accepted,
            invalid=standing.invalid + cursor.invalid,
            duplicates=standing.duplicates + cursor.duplicates,
            parts=standing.parts + cursor.parts,
            fields=tuple(dict.fromkeys((*standing.fields, *names))),
            revision=standing.revision + 1,
            note=done.note or standing.note,
        )
        return grown, layout.append(standing.parts, done.token)

    def _remembered(self) -> SeenAddresses:
        """Return the addresses that came before: those of the list, and those up to the cursor."""
        found, seen = self._found, SeenAddresses()
        for n in range(found.cursor.seen):
            seen.restore(self._its.depot.read_seen(found.id, n))
        standing = self._its.lists.get(found.list_id) if found.adds_to >= 0 else None
        if standing is not None and not found.cursor.seen:
            for part in range(standing.parts):
                for one in self._its.lists.read_part(found.list_id, part, standing.revision):
                    seen.add(one.contact.email, 0)
        return seen


def _refusal(found: Import) -> str:
    """Return why nothing is imported although the whole file could be read, or nothing."""
    cursor = found.cursor
    if not cursor.rows:
        return "the file must hold at least one contact (got none)"
    if not cursor.accepted:
        return (
            f"the file must hold at least one contact (got {cursor.rows} rows, "
            "all of them rejected: see the file of rejected rows)"
        )
    rejected = cursor.invalid + cursor.duplicates
    if found.all_or_nothing and rejected:
        return (
            f"{rejected} of {cursor.rows} rows were rejected, so none was imported, as was asked: "
            "see the file of rejected rows"
        )
    return ""
