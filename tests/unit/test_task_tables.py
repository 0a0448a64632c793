"""Rows become CSV, HTML and PDF; what a spreadsheet would run does not run."""

from __future__ import annotations

import csv
import io

import pytest

from sendmill.tasks.builtin.pdf import as_pdf
from sendmill.tasks.builtin.tables import (
    MAX_ROWS,
    Table,
    as_csv,
    as_html,
    table_from_rows,
    table_from_source,
)
from sendmill.tasks.errors import PermanentFailure

ROWS = [{"name": "Ada", "age": 36}, {"name": "=cmd|' /C calc'!A0", "note": {"a": 1}, "age": -5.5}]


def test_columns_are_those_of_all_rows_in_the_order_in_which_they_turn_up() -> None:
    table = table_from_rows("Guards\n today", ROWS)
    assert table == Table(
        title="Guards today",
        columns=["name", "age", "note"],
        rows=[["Ada", "36", ""], ["=cmd|' /C calc'!A0", "-5.5", '{"a": 1}']],
    )
    assert table_from_rows("t", ROWS, columns=["age"]).rows == [["36"], ["-5.5"]]


def test_csv_survives_a_spreadsheet() -> None:
    written = as_csv(table_from_rows("t", ROWS)).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(written))) == [
        ["name", "age", "note"],
        ["Ada", "36", ""],
        ["'=cmd|' /C calc'!A0", "-5.5", '{"a": 1}'],
    ]


def test_html_is_escaped() -> None:
    html = as_html(table_from_rows("<t>", [{"<k>": "<script>"}]), made_at="today").decode()
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 1
    assert "<title>&lt;t&gt;</title>" in html


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b'[{"name": "Ada", "age": 36}]'),
        ("a.json", b'{"rows": [{"name": "Ada", "age": 36}]}'),
        ("a.csv", b"\xef\xbb\xbfname,age\r\nAda,36,beyond\r\n"),
    ],
)
def test_a_source_is_json_or_csv_by_its_name(name: str, data: bytes) -> None:
    table = table_from_source("t", data, name=name)
    assert (table.columns, table.rows) == (["name", "age"], [["Ada", "36"]])


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("a.json", b"{", "must be CSV .* or JSON"),
        ("a.json", b"[1]", "list of objects"),
        ("a.csv", b"\xff\xfe", "UTF-8"),
        ("a.csv", b"", "1 to 40 columns"),
        ("a.json", b"[" * 100_000, "must be CSV .* or JSON"),
    ],
)
def test_a_source_that_is_no_table_is_refused(name: str, data: bytes, named: str) -> None:
    with pytest.raises(PermanentFailure, match=named):
        table_from_source("t", data, name=name)


def test_more_rows_than_a_report_has_are_refused() -> None:
    with pytest.raises(PermanentFailure, match="at most 50000 rows"):
        table_from_rows("t", [{"a": 1}] * (MAX_ROWS + 1))


def test_a_pdf_turns_its_pages_repeats_its_head_and_is_the_same_every_time() -> None:
    table = table_from_rows("Guards", [{"name": f"row {n}", "n": n} for n in range(200)])
    first, second = (as_pdf(table, made_at="today") for _ in range(2))
    assert first.data == second.data
    assert first.data.startswith(b"%PDF-")
    assert first.pages == first.data.count(b"/Type /Page\n") > 3
    assert first.unknown_characters == 0


def test_a_pdf_takes_any_cell_and_counts_what_its_font_does_not_know() -> None:
    rows = [{"long": "x" * 3000, "many": "word " * 500, "markup": "<b>&</b>", "other": "Ж é"}]
    found = as_pdf(table_from_rows("t", rows), made_at="today")
    assert found.pages == 1
    assert found.unknown_characters == 1
    wide = table_from_rows("t", [{f"column {n}": "value" for n in range(40)}])
    assert as_pdf(wide, made_at="today").pages == 1


def test_a_pdf_that_nobody_would_read_and_a_font_that_is_none_are_refused() -> None:
    with pytest.raises(PermanentFailure, match="at most 5000 rows"):
        as_pdf(table_from_rows("t", [{"a": 1}] * 5001), made_at="today")
    with pytest.raises(PermanentFailure, match="no TrueType font"):
        as_pdf(table_from_rows("t", [{"a": 1}]), made_at="today", font_file=b"nothing")
