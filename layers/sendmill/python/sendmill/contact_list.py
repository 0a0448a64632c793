"""Hold what a list of contacts is made of: accepted rows in parts, rejected rows, and a summary."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sendmill.contact import Contact

# How the reason of a row begins whose address came before, in the file or in the list.
SAME_AS = "address is the same as in line"
IN_LIST = "address is in the list already"
# What a spreadsheet would run as a formula (OWASP ASVS 1.2.10).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


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
    """Hold what the import of a file came to; the contacts lie in ``parts`` beside it.

    ``revision`` counts what people changed since (:mod:`sendmill.contact_book`), ``accepted`` how
    many contacts there are now; ``note`` says what people should look at.
    """

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
    revision: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Say under which names the parts of one revision lie.

    ``runs`` are (first part, token): from there on, parts are counted from 0 under that token, up
    to the next run. ``swapped`` are parts that were written anew, each under a token of its own.
    """

    runs: tuple[tuple[int, str], ...] = ((0, ""),)
    swapped: Mapping[int, str] = field(default_factory=dict)

    def place(self, part: int) -> tuple[int, str]:
        """Return the number and the token under which a part lies."""
        if part in self.swapped:
            return part, self.swapped[part]
        first, token = max(run for run in self.runs if run[0] <= part)
        return part - first, token

    def swap(self, part: int, token: str) -> Layout:
        """Return the layout with one part written anew."""
        return replace(self, swapped={**self.swapped, part: token})

    def append(self, first: int, token: str) -> Layout:
        """Return the layout with parts of another import behind its own."""
        return replace(self, runs=(*self.runs, (first, token)))


def layout_text(layout: Layout) -> str:
    """Return the layout as the store keeps it."""
    swapped = {str(part): token for part, token in layout.swapped.items()}
    return json.dumps({"runs": layout.runs, "swapped": swapped}, separators=(",", ":"))


def layout_from(text: str) -> Layout:
    """Return the layout that :func:`layout_text` wrote; nothing is the one a list begins with."""
    if not text:
        return Layout()
    raw = json.loads(text)
    return Layout(
        runs=tuple((int(first), str(token)) for first, token in raw["runs"]),
        swapped={int(part): str(token) for part, token in raw["swapped"].items()},
    )


def rejected_csv(rows: Iterable[Rejected], *, header: bool = True) -> str:
    """Return rejected rows as CSV that no spreadsheet takes for formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(["line", "reason"])
    writer.writerows([row.line, neutral(row.reason)] for row in rows)
    return out.getvalue()


def rejected_from_csv(text: str) -> list[Rejected]:
    """Return the rejected rows that :func:`rejected_csv` wrote."""
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    return [
        Rejected(line=int(line), reason=reason, duplicate=reason.startswith((SAME_AS, IN_LIST)))
        for line, reason in rows
        if reason
    ]


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


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
