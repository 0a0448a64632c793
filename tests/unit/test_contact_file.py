"""A file is read as it was written: encoding, delimiter, columns; and from any row on."""

from __future__ import annotations

import codecs
import io
import tracemalloc
from collections.abc import Sequence
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmill.contact_file import (
    LAST_RESORT,
    MAX_LINE_CHARS,
    SAMPLE_BYTES,
    Position,
    RowReader,
    Sample,
    encoding_of,
    fields_of,
    look,
    suggested_mapping,
)
from sendmill.contact_list import Accepted, Rejected
from sendmill.errors import InvalidContactList, NotUtf8
from sendmill.seen import SeenAddresses

TEXT = "email,name\nzoe@example.com,Zo\u00eb \U0001f600\nbob@example.com,Bob\n"
WRITTEN = {
    "utf-8": TEXT.encode(),
    "utf-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16-le with a mark": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "utf-16-be with a mark": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "cp1252": TEXT.replace(" \U0001f600", " \u20ac").encode("cp1252"),
}


def reader(
    data: bytes, sample: Sample, *, start: Position | None = None, seen: SeenAddresses | None = None
) -> RowReader:
    at = start or Position(offset=sample.mark_bytes)
    return RowReader(
        io.TextIOWrapper(io.BytesIO(data[at.offset :]), encoding=sample.encoding, newline=""),
        delimiter=sample.delimiter,
        fields=fields_of(sample.columns),
        seen=SeenAddresses() if seen is None else seen,
        encoding=sample.encoding,
        start=at,
    )


def read(data: bytes) -> list[Accepted | Rejected]:
    return list(reader(data, look(data)))


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_file_is_read_in_every_encoding_that_spreadsheets_write(name: str) -> None:
    rows = read(WRITTEN[name])
    assert [row.line for row in rows] == [2, 3]
    first = rows[0]
    assert isinstance(first, Accepted)
    assert first.contact.email == "zoe@example.com"
    assert first.contact.fields["name"].startswith("Zo\u00eb ")


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_reading_goes_on_behind_any_row_as_if_it_had_not_stopped(name: str) -> None:
    data = WRITTEN[name]
    sample = look(data)
    whole = reader(data, sample)
    for row in whole:
        rest = list(reader(data, sample, start=whole.position))
        assert [row, *rest] == read(data)[row.line - 2 :]
    assert whole.position == Position(offset=len(data), line=3)


CELLS = st.lists(
    st.tuples(
        st.sampled_from(["a@example.com", "b@example.com", "nobody", ""]),
        st.text(alphabet='x\u00eb\U0001f600",;\n\r ', max_size=8),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(CELLS, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]), st.sampled_from(["\n", "\r\n"]))
def test_a_stop_between_any_two_rows_changes_nothing(
    table: list[tuple[str, str]], encoding: str, newline: str
) -> None:
    quoted = ['"{}","{}"'.format(*(cell.replace('"', '""') for cell in row)) for row in table]
    text = newline.join(['"email","name"', *quoted]) + newline
    data = text.encode(encoding)
    sample = look(data, encoding=encoding)
    expected = list(reader(data, sample))
    for stop in range(1, len(expected) + 1):
        seen = SeenAddresses()
        first = reader(data, sample, seen=seen)
        head = list(islice(first, stop))
        again = SeenAddresses()
        again.restore(seen.take_new())
        rest = reader(data, sample, start=first.position, seen=again)
        assert [*head, *rest] == expected


def test_an_encoding_that_was_asked_for_is_used_but_a_mark_decides() -> None:
    assert encoding_of("\u00e9".encode("cp1252"), "cp1252") == (LAST_RESORT, 0)
    assert encoding_of(codecs.BOM_UTF8 + b"a", "cp1252") == ("utf-8", 3)
    with pytest.raises(InvalidContactList, match="encoding must be one of utf-8"):
        encoding_of(b"a", "utf-7")


def test_a_character_cut_by_the_end_of_the_sample_is_no_fault() -> None:
    data = ("email,n\n" + "x@example.com," + "\u00eb" * SAMPLE_BYTES).encode()
    assert encoding_of(data[:SAMPLE_BYTES]) == ("utf-8", 0)
    assert encoding_of(data[: SAMPLE_BYTES - 1]) == ("utf-8", 0)


def test_a_late_byte_that_is_no_utf_8_tells_whether_the_file_may_be_windows_1252() -> None:
    lines = b"email,name\n" + b"".join(b"u%d@example.com,x\n" % n for n in range(9000))
    data = lines + b"z@example.com,Zo\xeb\n"
    assert look(data[:SAMPLE_BYTES]).encoding == "utf-8"
    with pytest.raises(NotUtf8, match=r"line 9002: .* 0xeb") as found:
        list(reader(data, look(data[:SAMPLE_BYTES])))
    assert found.value.last_resort
    mixed = lines.replace(b"u5@example.com,x", "u5@example.com,\u00e9".encode()) + data[-20:]
    with pytest.raises(NotUtf8) as found:
        list(reader(mixed, look(mixed[:SAMPLE_BYTES])))
    assert not found.value.last_resort


def test_the_delimiter_is_found_outside_quotes_and_can_be_given() -> None:
    assert look(b'email;"a,b,c,d";name\n').delimiter == ";"
    assert look(b"email\tname\n").delimiter == "\t"
    assert look(b"a,b|email\n", delimiter="|").columns == ("a,b", "email")


def test_a_sample_shows_columns_and_the_first_rows() -> None:
    data = b"email,name\n\n" + b"".join(b"u%d@example.com,%s\n" % (n, b"x" * 300) for n in range(9))
    sample = look(data)
    assert sample.columns == ("email", "name")
    assert [row[0] for row in sample.rows] == [f"u{n}@example.com" for n in range(5)]
    assert len(sample.rows[0][1]) == 200


def test_the_last_row_of_a_cut_sample_is_not_shown_in_half() -> None:
    data = b"email,name\n" + b"a@example.com," + b"x" * 30_000 + b"\n"
    data += b"b@example.com," + b"y" * SAMPLE_BYTES
    assert len(look(data[:SAMPLE_BYTES]).rows) == 1


@pytest.mark.parametrize(
    ("columns", "mapping", "fields"),
    [
        (["E-Mail", "First Name"], {}, ["email", "first_name"]),
        (["Kontakt", "Name"], {"Kontakt": "email"}, ["email", "name"]),
        (
            ["email", "Name", "Note"],
            {"Note": "", "Name": "first_name"},
            ["email", "first_name", ""],
        ),
        (["email", "Alt"], {"Alt": "email", "email": ""}, ["", "email"]),
        (["\u0438\u043c\u044f", "email"], {"\u0438\u043c\u044f": "name"}, ["name", "email"]),
        ([" Kontakt ", "x"], {"Kontakt": " email"}, ["email", "x"]),
        (["email", "\u0438\u043c\u044f"], {"\u0438\u043c\u044f": ""}, ["email", ""]),
    ],
)
def test_columns_become_the_fields_that_people_say(
    columns: Sequence[str], mapping: dict[str, str], fields: list[str]
) -> None:
    assert fields_of(columns, mapping) == fields


@pytest.mark.parametrize(
    ("columns", "mapping", "said"),
    [
        (["a", "b"], {"c": "email"}, "must have one column 'c' .got 0"),
        (["a", "a"], {"a": "email"}, "must have one column 'a' .got 2"),
        (["a", "b"], {"a": "name"}, "one column must be named email"),
        (["email", "b"], {"b": "email2; drop"}, "field name must be like"),
        (["email", "b"], {"b": "email"}, "'email' appears twice"),
        (["email", "b", "c"], {"b": "x", "c": "x"}, "'x' appears twice"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_named(
    columns: Sequence[str], mapping: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidContactList, match=said):
        fields_of(columns, mapping)


def test_a_mapping_is_suggested_that_can_be_taken_as_it_is() -> None:
    data = "Name;Name 2;\u0410\u0434\u0440\u0435\u0441;\nA;B;ada@example.com;x\n".encode()
    sample = look(data)
    suggested = suggested_mapping(sample)
    assert suggested["\u0410\u0434\u0440\u0435\u0441"] == "email"
    assert fields_of(sample.columns, suggested) == ["name", "name_2", "email", "column_4"]


def test_a_column_that_is_left_out_is_not_looked_at() -> None:
    text = "email,note\na@example.com,\x1b[31m\n"
    rows = RowReader(
        io.StringIO(text, newline=""),
        delimiter=",",
        fields=["email", ""],
        seen=SeenAddresses(),
        start=Position(),
    )
    (row,) = rows
    assert isinstance(row, Accepted)
    assert row.contact.fields == {}


def test_a_row_with_too_few_or_too_many_cells_says_which() -> None:
    rows = read(b"email,name,city\na@example.com\na@example.com,b,c,d\n")
    assert [row.reason for row in rows if isinstance(row, Rejected)] == [
        "row must have 3 columns (got 1: missing name, city)",
        "row must have 3 columns (got 4: 1 too many)",
    ]


def test_a_line_without_end_and_a_row_without_end_are_refused_in_little_memory() -> None:
    with pytest.raises(InvalidContactList, match="line 2: a row has at most"):
        read(b"email,name\n" + b"x" * (MAX_LINE_CHARS + 10))
    with pytest.raises(InvalidContactList, match="a row has at most"):
        read(b"email,name\n" + b'"x\n",' * 800_000)


def test_a_nul_names_its_line() -> None:
    with pytest.raises(InvalidContactList, match="line 3: .*NUL"):
        read(b"email\na@example.com\n\x00\n")


def test_memory_is_flat_in_the_length_of_a_file() -> None:
    def peak(rows: int) -> int:
        data = b"email,name\n" + b"".join(b"nobody%d,x\n" % n for n in range(rows))
        found = reader(data, look(data[:SAMPLE_BYTES]))
        tracemalloc.start()
        try:
            for _ in found:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(10_000) < peak(1_000) + 100_000
