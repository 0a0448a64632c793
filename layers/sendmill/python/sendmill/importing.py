"""Announce, look at and start the import of a file of contacts of any size.

::

    awaiting_upload ──> running ──> done | failed

The file goes straight to S3, by a link that is good for exactly so many bytes; a function then
reads it as a stream (:mod:`sendmill.import_run`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from sendmill.campaign import check_name
from sendmill.contact_file import (
    DELIMITERS,
    ENCODINGS,
    LAST_RESORT,
    LAST_RESORT_NOTE,
    Lines,
    Sample,
    fields_of,
    look,
)
from sendmill.contact_list import Accepted, ContactList, Layout, Rejected
from sendmill.errors import InvalidContactList, NotFound, StateConflict

MAX_UPLOAD_BYTES = 500_000_000
UPLOAD_SECONDS = 3600


class ImportStatus(StrEnum):
    """How far an import is."""

    AWAITING_UPLOAD = "awaiting_upload"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Say how far a run came: the end of the last row in the file, and what was written for it.

    ``seen`` and ``rejected`` count objects beside the upload, ``parts`` parts of the list.
    """

    offset: int = 0
    line: int = 0
    rows: int = 0
    accepted: int = 0
    invalid: int = 0
    duplicates: int = 0
    parts: int = 0
    rejected: int = 0
    seen: int = 0
    beyond_ascii: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Hold one import as its row says it.

    ``adds_to`` is the revision of the list that contacts are added to, -1 for a new list;
    ``etag`` names the uploaded bytes; ``given`` tells that people named the encoding.
    """

    id: str
    list_id: str
    name: str
    filename: str
    size: int
    status: ImportStatus
    created_at: int
    created_by: str = ""
    all_or_nothing: bool = False
    adds_to: int = -1
    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    given: bool = False
    mark_bytes: int = 0
    columns: tuple[str, ...] = ()
    etag: str = ""
    cursor: Cursor = Cursor()
    started_at: int = 0
    finished_at: int = 0
    reason: str = ""
    note: str = ""

    @property
    def token(self) -> str:
        """Return the name under which its parts lie in the list."""
        return "" if self.adds_to < 0 else self.id

    def is_over(self) -> bool:
        """Tell whether nothing more will happen."""
        return self.status in (ImportStatus.DONE, ImportStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Say how a file is to be uploaded: exactly so many bytes, before a time."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Say what was uploaded."""

    size: int
    etag: str


class Book(Protocol):
    """Keep imports."""

    def add(self, found: Import) -> None: ...
    def get(self, import_id: str) -> Import | None: ...
    def start(self, found: Import) -> bool:
        """Let an import run that awaits its upload; tell whether it did."""

    def claim(self, import_id: str, *, owner: str, lease: int, now: int) -> Import | None:
        """Take a running import that nobody holds, and return it."""

    def save(self, found: Import, *, owner: str, keep: bool) -> bool:
        """Keep where the owner is, and perhaps let go; tell whether it still was the owner."""

    def release(self, import_id: str, *, owner: str) -> None:
        """Let go of an import; what was saved stays."""

    def fail(self, found: Import, *, owner: str) -> bool:
        """Mark an import as failed; tell whether this was still the owner."""

    def finish(self, found: Import, whole: ContactList, layout: Layout, *, owner: str) -> bool:
        """Show the list and mark the import as done, together or not at all.

        Tells whether it is so; not when the list was changed, or another run took over.
        """


class Depot(Protocol):
    """Keep uploads, and what a run must remember beside them."""

    def ticket(self, import_id: str, size: int, *, now: int, seconds: int) -> Ticket: ...
    def uploaded(self, import_id: str) -> Upload | None: ...
    def first_bytes(self, import_id: str, etag: str) -> bytes: ...
    def lines(self, found: Import) -> Lines:
        """Return the text of the upload from the cursor on."""

    def write_seen(self, import_id: str, n: int, taken: bytes) -> None: ...
    def read_seen(self, import_id: str, n: int) -> bytes: ...
    def write_rejected(self, import_id: str, n: int, rows: Sequence[Rejected]) -> None: ...
    def join_rejected(self, found: Import) -> None:
        """Make one CSV file of all rejected rows, beside the list."""

    def forget(self, import_id: str) -> None:
        """Delete the upload, in every version, and what was remembered beside it."""


class Lists(Protocol):
    """Keep contact lists."""

    def get(self, list_id: str) -> ContactList | None: ...
    def layout(self, list_id: str, revision: int) -> Layout: ...
    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]: ...
    def write_part(
        self, list_id: str, part: int, rows: Sequence[Accepted], token: str = ""
    ) -> None: ...
    def forget_parts(self, list_id: str, token: str) -> None: ...


class Queue(Protocol):
    """Take the ids of imports that are to be gone on with."""

    def send_import(self, import_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDesk:
    """Hold what people's requests about imports need; built once for the API function."""

    book: Book
    depot: Depot
    lists: Lists
    queue: Queue
    clock: Callable[[], int]
    new_id: Callable[[str], str]

    def create(self, raw: Mapping[str, Any], *, created_by: str = "") -> tuple[Import, Ticket]:
        """Announce an upload from ``name``, ``filename``, ``size`` and how it is to be read.

        With ``list_id`` the contacts are added to that list. Raises InvalidContactList naming the
        field, NotFound for the list.
        """
        standing = self._list(raw.get("list_id"))
        found = Import(
            id=self.new_id("import"),
            list_id=standing.id if standing else self.new_id("list"),
            name=standing.name if standing else check_name(raw.get("name")),
            filename=str(raw.get("filename") or "")[:200],
            size=_size(raw.get("size")),
            status=ImportStatus.AWAITING_UPLOAD,
            created_at=self.clock(),
            created_by=created_by,
            adds_to=standing.revision if standing else -1,
        )
        found = _as_asked(found, raw)
        self.book.add(found)
        return found, self.ticket(found)

    def ticket(self, found: Import) -> Ticket:
        """Return how the file is to be uploaded."""
        return self.depot.ticket(found.id, found.size, now=self.clock(), seconds=UPLOAD_SECONDS)

    def get(self, import_id: str) -> Import:
        """Return an import; raises NotFound."""
        found = self.book.get(import_id)
        if found is None:
            raise NotFound(f"import {import_id} does not exist")
        return found

    def sample(self, found: Import) -> Sample | None:
        """Return what the upload of an import that was not started looks like, if it is there."""
        if found.status is not ImportStatus.AWAITING_UPLOAD:
            return None
        upload = self.depot.uploaded(found.id)
        return self._look(found, upload) if upload else None

    def start(self, import_id: str, raw: Mapping[str, Any]) -> Import:
        """Let an import run whose file was uploaded; asked again, it is queued again.

        ``raw`` may say anew how it is to be read. Raises StateConflict while the file is missing
        or when the import is over, InvalidContactList when the columns are not there.
        """
        found = self.get(import_id)
        if found.status is ImportStatus.AWAITING_UPLOAD:
            self.book.start(self._ready(_as_asked(found, raw)))
            found = self.get(import_id)
        if found.is_over():
            raise StateConflict(f"import {import_id} is {found.status}")
        self.queue.send_import(import_id)
        return found

    def _ready(self, found: Import) -> Import:
        upload = self.depot.uploaded(found.id)
        if upload is None:
            raise StateConflict(f"import {found.id} has no file yet: upload it, then start it")
        if upload.size != found.size:
            raise InvalidContactList(
                f"the upload must have the {found.size} bytes announced (got {upload.size})"
            )
        sample = self._look(found, upload)
        fields_of(sample.columns, found.mapping)
        return replace(
            found,
            status=ImportStatus.RUNNING,
            started_at=self.clock(),
            etag=upload.etag,
            encoding=sample.encoding,
            delimiter=sample.delimiter,
            mark_bytes=sample.mark_bytes,
            columns=sample.columns,
            note=LAST_RESORT_NOTE if sample.encoding == LAST_RESORT and not found.given else "",
            cursor=Cursor(offset=sample.mark_bytes),
        )

    def _look(self, found: Import, upload: Upload) -> Sample:
        data = self.depot.first_bytes(found.id, upload.etag)
        return look(data, encoding=found.encoding, delimiter=found.delimiter)

    def _list(self, list_id: object) -> ContactList | None:
        if not list_id:
            return None
        standing = self.lists.get(str(list_id))
        if standing is None:
            raise NotFound(f"contact list {str(list_id)[:80]} does not exist")
        return standing


def _as_asked(found: Import, raw: Mapping[str, Any]) -> Import:
    """Return the import with how it is to be read; what ``raw`` does not say stays."""
    encoding = str(raw.get("encoding") or "").lower().replace("windows-1252", LAST_RESORT)
    if encoding and encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise InvalidContactList(f"encoding must be one of {known} (got {encoding[:40]!r})")
    delimiter = str(raw.get("delimiter") or "")
    if delimiter and delimiter not in tuple(DELIMITERS):
        raise InvalidContactList(f"delimiter must be one of , ; tab | (got {delimiter[:40]!r})")
    return replace(
        found,
        encoding=encoding or found.encoding,
        given=bool(encoding) or found.given,
        delimiter=delimiter or found.delimiter,
        mapping=_mapping(raw["mapping"]) if raw.get("mapping") else found.mapping,
        all_or_nothing=_flag(raw, "all_or_nothing", found.all_or_nothing),
    )


def _mapping(raw: object) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise InvalidContactList(f"mapping must be an object (got {type(raw).__name__})")
    pairs = [(key, "" if value is None else value) for key, value in raw.items()]
    if not all(isinstance(value, str) and len(value) <= 64 for _, value in pairs):
        raise InvalidContactList("mapping must name a field of at most 64 characters a column")
    return {str(key)[:1000]: str(value) for key, value in pairs}


def _flag(raw: Mapping[str, Any], name: str, default: bool) -> bool:
    value = raw.get(name, default)
    if not isinstance(value, bool):
        raise InvalidContactList(f"{name} must be true or false (got {str(value)[:40]!r})")
    return value


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_UPLOAD_BYTES:
        raise InvalidContactList(
            f"size must be 1 to {MAX_UPLOAD_BYTES} bytes (got {str(value)[:40]!r})"
        )
    return value
