"""Read an uploaded file of contacts row by row, and say of every row what became of it.

A row is either a contact or a named rejection: nothing is dropped in silence, and rows =
contacts + rejections always holds. Memory is flat but for what finding duplicates costs
(:mod:`sendmill.seen`): a line, a row and a cell have a largest size. The reader knows the byte
behind each row, so that another process can go on from there.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sendmill.contact import (
    Contact,
    check_field_name,
    check_field_value,
    check_size,
    field_name,
    normalise_address,
)
from sendmill.contact_list import IN_LIST, SAME_AS, Accepted, Rejected
from sendmill.errors import InvalidContact, InvalidContactList, NotUtf8
from sendmill.seen import SeenAddresses

MAX_COLUMNS = 100
# A line holds a row unless cells have line breaks in them; both are larger than any row accepted.
MAX_LINE_CHARS = 1_200_000
MAX_ROW_CHARS = 2_000_000
DELIMITERS = ",;\t|"
# What is looked at to find delimiter, encoding and columns; the header must fit in.
SAMPLE_BYTES = 64 * 1024
SAMPLE_ROWS = 5
MAX_SAMPLE_CELL = 200
LAST_RESORT = "cp1252"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", LAST_RESORT)
LAST_RESORT_NOTE = (
    "the file is no UTF-8 and was read as Windows-1252: look at names with accents before you send"
)
_ADDRESS_COLUMNS = ("email", "e_mail", "email_address", "mail", "address")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Lines(Protocol):
    """Hand out a file's text line by line, line ends untranslated."""

    def readline(self, limit: int, /) -> str:
        """Return the next line, at most so many characters of it, empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Say how far a file was read: bytes, and physical lines."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Hold what the first bytes of a file show: how it is written, columns and a few rows."""

    encoding: str
    mark_bytes: int
    delimiter: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class RowReader:
    """Yield every row of a file behind its header; ``position`` is the end of the last one.

    Raises InvalidContactList when the file cannot be read at all, NotUtf8 when it is not in the
    encoding it was taken for.
    """

    def __init__(
        self,
        lines: Lines,
        *,
        delimiter: str,
        fields: Sequence[str],
        seen: SeenAddresses,
        encoding: str = "utf-8",
        start: Position,
        beyond_ascii: bool = False,
    ) -> None:
        self._source = _LineCounter(lines, encoding, start, beyond_ascii)
        self._delimiter = delimiter
        self._fields = tuple(fields)
        self._email = self._fields.index("email")
        self._kept = [(n, name) for n, name in enumerate(fields) if name not in ("", "email")]
        self._seen = seen
        self._skip_header = start.line == 0
        self.position = start

    @property
    def beyond_ascii(self) -> bool:
        """Tell whether anything but ASCII was read: then a byte that is no UTF-8 is a fault."""
        return self._source.beyond_ascii

    def __iter__(self) -> Iterator[Accepted | Rejected]:
        source = self._source
        reader = csv.reader(source, delimiter=self._delimiter)
        try:
            if self._skip_header:
                next(reader, None)
            line = source.next_row()
            for cells in reader:
                self.position = Position(offset=source.offset, line=source.line)
                if cells:  # the csv module yields blank lines as empty rows
                    if source.ended and source.line > line:
                        source.refuse_open_quote(line)
                    yield self._judge(line, cells)
                line = source.next_row()
        except csv.Error as error:
            raise InvalidContactList(f"line {source.line}: {error}") from error

    def _judge(self, line: int, cells: Sequence[str]) -> Accepted | Rejected:
        if len(cells) != len(self._fields):
            return Rejected(line=line, reason=self._wrong_width(len(cells)))
        try:
            contact = self._contact(cells)
        except InvalidContact as error:
            return Rejected(line=line, reason=str(error))
        first = self._seen.add(contact.email, line)
        if first is None:
            return Accepted(line=line, contact=contact)
        reason = f"{SAME_AS} {first}" if first else IN_LIST
        return Rejected(line=line, reason=reason, duplicate=True)

    def _contact(self, cells: Sequence[str]) -> Contact:
        fields = {name: check_field_value(name, cells[n].strip()) for n, name in self._kept}
        if not cells[self._email].strip():
            raise InvalidContact("address is empty")
        return check_size(Contact(email=normalise_address(cells[self._email]), fields=fields))

    def _wrong_width(self, got: int) -> str:
        wanted = len(self._fields)
        missing = ", ".join(name for name in self._fields[got:] if name)
        which = f"missing {missing}" if missing else f"{abs(got - wanted)} too "
        which += "" if missing else ("many" if got > wanted else "few")
        return f"row must have {wanted} columns (got {got}: {which})"


class _LineCounter:
    """Hand the csv module one line at a time, and count what it has taken."""

    def __init__(self, lines: Lines, encoding: str, start: Position, beyond_ascii: bool) -> None:
        self._lines = lines
        self._encoding = encoding
        self._width = 2 if encoding.startswith("utf-16") else 1
        self._row: list[str] = []
        self._row_chars = 0
        self.offset, self.line = start.offset, start.line
        self.beyond_ascii = beyond_ascii
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            text = self._lines.readline(MAX_LINE_CHARS)
        except UnicodeDecodeError as error:
            raise self._not_utf8(error) from error
        if not text:
            self.ended = True
            raise StopIteration
        self.line += 1
        self._check(text)
        if text.isascii():
            self.offset += len(text) * self._width
        else:
            self.beyond_ascii = True
            self.offset += len(text.encode(self._encoding))
        self._row.append(text)
        return text

    def next_row(self) -> int:
        """Forget the row before; return the line in which the next one begins."""
        self._row, self._row_chars = [], 0
        return self.line + 1

    def refuse_open_quote(self, line: int) -> None:
        """Refuse a file whose last row, of several lines, is everything behind an open quote."""
        if "".join(self._row).count('"') % 2:
            raise InvalidContactList(f"line {line}: a quote that opens in this row is never closed")

    def _check(self, text: str) -> None:
        self._row_chars += len(text)
        if len(text) >= MAX_LINE_CHARS or self._row_chars > MAX_ROW_CHARS:
            raise InvalidContactList(
                f"line {self.line}: a row has at most {MAX_LINE_CHARS} characters; "
                "is a quote that opens here never closed?"
            )
        if "\x00" in text:
            raise InvalidContactList(
                f"line {self.line}: the file must be text (got a NUL character)"
            )

    def _not_utf8(self, error: UnicodeDecodeError) -> InvalidContactList:
        before = error.object[: error.start]
        mixed = self.beyond_ascii or not before.isascii()
        line = self.line + 1 + before.count(b"\n")
        return _undecodable(line, error, last_resort=self._encoding == "utf-8" and not mixed)


def look(data: bytes, *, encoding: str = "", delimiter: str = "") -> Sample:
    """Return what the first bytes of a file show; ``encoding`` and ``delimiter`` as people said.

    Raises InvalidContactList when there is no header or it cannot be read.
    """
    written, mark = encoding_of(data, encoding)
    text = _decoded_so_far(data[mark:], written)
    if len(data) >= SAMPLE_BYTES:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    found = delimiter or delimiter_of(text)
    try:
        rows = list(_some(csv.reader(io.StringIO(text, newline=""), delimiter=found)))
    except csv.Error as error:
        raise InvalidContactList(f"line 1: {error}") from error
    return Sample(
        encoding=written,
        mark_bytes=mark,
        delimiter=found,
        columns=tuple(rows[0]) if rows else (),
        rows=tuple(tuple(cell[:MAX_SAMPLE_CELL] for cell in row) for row in rows[1:]),
    )


def _some(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the header, blank or not, and a few rows behind it."""
    yield from (row for _, row in zip(range(1), reader, strict=False))
    count = 0
    for row in reader:
        if row and count < SAMPLE_ROWS:
            count += 1
            yield row
        if count >= SAMPLE_ROWS:
            return


def encoding_of(data: bytes, asked: str = "") -> tuple[str, int]:
    """Return how the first bytes of a file are written, and how many of them are its mark.

    A byte order mark decides; without one it is UTF-8, and Windows-1252 if it cannot be UTF-8.
    """
    if asked and asked not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise InvalidContactList(f"encoding must be one of {known} (got {asked[:40]!r})")
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    if asked:
        return asked, 0
    try:
        _decoded_so_far(data, "utf-8")
    except NotUtf8 as error:
        if error.last_resort:
            return LAST_RESORT, 0
        raise
    return "utf-8", 0


def delimiter_of(text: str) -> str:
    """Return what separates the columns of the first line, whatever its quotes hold."""
    header = text[:SAMPLE_BYTES].splitlines()[0] if text else ""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def fields_of(columns: Sequence[str], mapping: Mapping[str, str] | None = None) -> list[str]:
    """Return the field that each column becomes, empty for one that is left out.

    ``mapping`` names fields by the header of their column, and an empty one leaves the column
    out; columns it does not name keep a name made of their header. Raises InvalidContactList.
    """
    if len(columns) > MAX_COLUMNS:
        raise InvalidContactList(f"a file has at most {MAX_COLUMNS} columns (got {len(columns)})")
    said = _said_of(columns, mapping or {})
    fields = [said.get(n, field_name(cell)) for n, cell in enumerate(columns)]
    if "email" not in said.values():
        address = next((name for name in _ADDRESS_COLUMNS if name in fields), None)
        if address is None:
            got = ", ".join(columns)[:200] or "nothing"
            raise InvalidContactList(f"line 1: one column must be named email (got {got})")
        fields[fields.index(address)] = "email"
    kept = [name for n, name in enumerate(fields) if name or n not in said]
    doubled = sorted({name for name in kept if kept.count(name) > 1})
    if doubled:
        raise InvalidContactList(f"line 1: column {doubled[0]!r} appears twice")
    try:
        for name in kept:
            check_field_name(name)
    except InvalidContact as error:
        raise InvalidContactList(f"line 1: {error}") from error
    return fields


def _said_of(columns: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    """Return the fields that people named, by column; raises InvalidContactList."""
    headers = [cell.strip() for cell in columns]
    said: dict[int, str] = {}
    for header, name in mapping.items():
        if headers.count(header.strip()) != 1:
            times = headers.count(header.strip())
            raise InvalidContactList(
                f"mapping: the file must have one column {header[:80]!r} (got {times})"
            )
        said[headers.index(header.strip())] = name.strip()
    return said


def suggested_mapping(sample: Sample) -> dict[str, str]:
    """Return a field for each column that people may take as it is; ``email`` if one is found."""
    names = [field_name(cell) or f"column_{n}" for n, cell in enumerate(sample.columns, 1)]
    address = next((name for name in _ADDRESS_COLUMNS if name in names), None)
    at = names.index(address) if address else _column_of_addresses(sample)
    if at is not None:
        names[at] = "email"
    suggested: dict[str, str] = {}
    for n, (header, name) in enumerate(zip(sample.columns, names, strict=True)):
        taken = name in suggested.values() or (name == "email" and n != at)
        suggested[header.strip()] = f"{name}_{n + 1}"[:64] if taken else name[:64]
    return suggested


def _column_of_addresses(sample: Sample) -> int | None:
    for n in range(len(sample.columns)):
        cells = [row[n] for row in sample.rows if len(row) > n]
        if cells and all("@" in cell for cell in cells):
            return n
    return None


def decode(data: bytes) -> str:
    """Return the text of a small file: UTF-8, UTF-16 with a mark, or at last Windows-1252.

    Raises NotUtf8 naming the line of the first byte that is none of them.
    """
    name, mark = encoding_of(data)
    text = _decoded(data[mark:], name, final=True)
    if "\x00" in text:
        raise InvalidContactList("the file must be text (got a NUL character)")
    return text


def read_contacts(text: str, *, delimiter: str = "") -> Iterator[Accepted | Rejected]:
    """Yield every row of a small CSV file as a contact or as a rejection with line and reason.

    The first row names the columns, one of which is the address; the delimiter is found from
    it. Raises InvalidContactList when the file cannot be read at all.
    """
    found = delimiter or delimiter_of(text)
    header = csv.reader(io.StringIO(text, newline=""), delimiter=found)
    try:
        fields = fields_of(next(header, []))
    except csv.Error as error:
        raise InvalidContactList(f"line {header.line_num}: {error}") from error
    yield from RowReader(
        io.StringIO(text, newline=""),
        delimiter=found,
        fields=fields,
        seen=SeenAddresses(),
        start=Position(),
    )


def _decoded_so_far(data: bytes, encoding: str) -> str:
    """Return the text of the first bytes; the last character may be cut."""
    return _decoded(data, encoding, final=False)


def _decoded(data: bytes, encoding: str, *, final: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        last_resort = encoding == "utf-8" and before.isascii()
        raise _undecodable(before.count(b"\n") + 1, error, last_resort=last_resort) from error


def _undecodable(line: int, error: UnicodeDecodeError, *, last_resort: bool) -> NotUtf8:
    return NotUtf8(
        f"line {line}: the file must be UTF-8 (got byte 0x{error.object[error.start]:02x}); "
        "in a spreadsheet choose 'CSV UTF-8' when saving",
        last_resort=last_resort,
    )
