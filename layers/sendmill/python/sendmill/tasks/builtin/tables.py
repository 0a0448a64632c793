"""Read rows, and write them as CSV and HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

from sendmill.tasks.errors import PermanentFailure

MAX_ROWS = 50_000
MAX_COLUMNS = 40
MAX_CELL_CHARS = 2_000
# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Hold a table as text: a title, the names of its columns, and rows of as many cells."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def table_from_source(title: str, data: bytes, *, name: str, columns: Sequence[str] = ()) -> Table:
    """Return the table of a JSON or CSV file; raises PermanentFailure naming what is wrong."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PermanentFailure(f"{name} must be UTF-8") from error
    return table_from_rows(title, _rows_of(text, name), columns=columns)


def table_from_rows(title: str, rows: object, *, columns: Sequence[str] = ()) -> Table:
    """Return the table of a list of objects; raises PermanentFailure.

    Without ``columns`` they are those of all rows, in the order in which they turn up.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PermanentFailure("rows must be a list of objects")
    if len(rows) > MAX_ROWS:
        raise PermanentFailure(f"a report has at most {MAX_ROWS} rows (got {len(rows)})")
    names = list(columns) or list(dict.fromkeys(str(key) for row in rows for key in row))
    if not 1 <= len(names) <= MAX_COLUMNS:
        raise PermanentFailure(f"a report has 1 to {MAX_COLUMNS} columns (got {len(names)})")
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    return Table(title=" ".join(title.split())[:200], columns=names, rows=cells)


def as_csv(table: Table) -> bytes:
    """Return the table as CSV in UTF-8 with a byte order mark, by which Excel knows it.

    What a spreadsheet would run as a formula gets an apostrophe before it; numbers do not.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_harmless(name) for name in table.columns])
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_html(table: Table, *, made_at: str) -> bytes:
    """Return the table as one HTML page that needs nothing else."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    title = escape(table.title)
    return f"""\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 2em; color: #1a1a1a }}
table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #ccc; padding: 4px 8px; text-align: left; vertical-align: top }}
th {{ background: #f2f2f2; position: sticky; top: 0 }}
</style></head>
<body><h1>{title}</h1><p>{len(table.rows)} rows, {escape(made_at)}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></body></html>
""".encode()


def _rows_of(text: str, name: str) -> object:
    if name.endswith(".csv"):
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            # cells beyond the header's have no name
            return [{key: cell for key, cell in row.items() if key} for row in reader]
        except csv.Error as error:
            raise PermanentFailure(f"{name}, line {reader.line_num}: {error}") from error
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PermanentFailure(f"{name} must be CSV (by its name) or JSON: {error}") from error
    return found.get("rows") if isinstance(found, Mapping) else found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)[:MAX_CELL_CHARS]
    return str(value)[:MAX_CELL_CHARS]


def _harmless(cell: str) -> str:
    if not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
