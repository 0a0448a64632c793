"""Read an uploaded file of contacts row by row, and say of every row what became of it.

A row is either a contact or a named rejection: nothing is dropped in silence, and rows =
contacts + rejections always holds. Memory is flat but for 16 bytes an address, which is what
finding duplicates costs.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from sendmill.contact import (
    Contact,
    check_field_name,
    check_field_value,
    check_size,
    field_name,
    normalise_address,
)
from sendmill.errors import InvalidContact, InvalidContactList

MAX_COLUMNS = 100
MAX_CELL_CHARS = 10_000
DELIMITERS = ",;\t|"
_ADDRESS_COLUMNS = ("email", "e_mail", "email_address", "mail", "address")
_DECODERS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A row that may be mailed; ``line`` is its first line in the file, the header being 1."""

    line: int
    contact: Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that must not be mailed, and why; ``duplicate`` when its address came before."""

    line: int
    reason: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactList:
    """Hold what the import of a file came to; the contacts lie in ``parts`` beside it."""

    id: str
    name: str
    created_at: int
    rows: int
    accepted: int
    invalid: int
    duplicates: int
    parts: int
    fields: tuple[str, ...] = ()
    created_by: str = ""


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8 with or without BOM, or UTF-16 with one.

    Raises InvalidContactList naming the line of the first byte that is no UTF-8.
    """
    encoding = next((name for mark, name in _DECODERS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidContactList(
            f"line {line}: the file must be UTF-8 (got byte 0x{data[error.start]:02x}); "
            "in a spreadsheet choose 'CSV UTF-8' when saving"
        ) from error
    if "\x00" in text:
        raise InvalidContactList("the file must be text (got a NUL character)")
    return text


def read_contacts(text: str) -> Iterator[Accepted | Rejected]:
    """Yield every row of a CSV file as a contact or as a rejection with line and reason.

    The first row names the columns, one of which is the address; the delimiter is found from
    it. Raises InvalidContactList when the file cannot be read at all.
    """
    stream = io.StringIO(text, newline="")
    header_line = stream.readline()
    delimiter = max(DELIMITERS, key=header_line.count)
    stream.seek(0)
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        columns = _columns(next(reader, []))
        last = yield from _rows(reader, columns)
    except csv.Error as error:
        raise InvalidContactList(f"line {reader.line_num}: {error}") from error
    if last < reader.line_num:
        _refuse_open_quote(text, last)


def _columns(header: list[str]) -> list[str]:
    if len(header) > MAX_COLUMNS:
        raise InvalidContactList(f"a file has at most {MAX_COLUMNS} columns (got {len(header)})")
    names = [field_name(cell) for cell in header]
    address = next((name for name in _ADDRESS_COLUMNS if name in names), None)
    if address is None:
        raise InvalidContactList(
            f"line 1: one column must be named email (got {', '.join(header)[:200] or 'nothing'})"
        )
    names[names.index(address)] = "email"
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InvalidContactList(f"line 1: column {sorted(doubled)[0]!r} appears twice")
    try:
        return [check_field_name(name) for name in names]
    except InvalidContact as error:
        raise InvalidContactList(f"line 1: {error}") from error


def _rows(
    reader: Iterator[list[str]], columns: list[str]
) -> Generator[Accepted | Rejected, None, int]:
    """Yield every row; return the first line of the last one."""
    first_lines: dict[bytes, int] = {}
    line = last = getattr(reader, "line_num", 1) + 1
    for cells in reader:
        if cells:  # the csv module yields blank lines as empty rows
            yield _row(line, cells, columns, first_lines)
        last, line = line, getattr(reader, "line_num", line) + 1
    return last


def _refuse_open_quote(text: str, line: int) -> None:
    """Refuse a file whose last row, of several lines, is everything behind an open quote."""
    rest = islice(io.StringIO(text, newline=""), line - 1, None)
    if "".join(rest).count('"') % 2:
        raise InvalidContactList(f"line {line}: a quote that opens in this row is never closed")


def _row(
    line: int, cells: list[str], columns: list[str], first_lines: dict[bytes, int]
) -> Accepted | Rejected:
    if len(cells) != len(columns):
        missing = ", ".join(columns[len(cells) :])
        which = f"missing {missing}" if missing else f"{len(cells) - len(columns)} too many"
        return Rejected(
            line=line, reason=f"row must have {len(columns)} columns (got {len(cells)}: {which})"
        )
    row = dict(zip(columns, cells, strict=True))
    try:
        contact = _contact(row)
    except InvalidContact as error:
        return Rejected(line=line, reason=str(error))
    mark = blake2b(contact.email.casefold().encode(), digest_size=16).digest()
    if mark in first_lines:
        return Rejected(
            line=line, reason=f"address is the same as in line {first_lines[mark]}", duplicate=True
        )
    first_lines[mark] = line
    return Accepted(line=line, contact=contact)


def _contact(row: Mapping[str, str]) -> Contact:
    fields = {
        name: check_field_value(name, cell.strip()) for name, cell in row.items() if name != "email"
    }
    if not row["email"].strip():
        raise InvalidContact("address is empty")
    return check_size(Contact(email=normalise_address(row["email"]), fields=fields))


def in_parts(rows: Iterable[Accepted], size: int) -> Iterator[list[Accepted]]:
    """Yield contacts in lists of ``size``; the last may be shorter."""
    part: list[Accepted] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
