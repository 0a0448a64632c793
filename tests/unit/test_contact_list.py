"""Every row of an uploaded file is a contact or a rejection that says which line and why."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmill.contact_file import MAX_COLUMNS, decode, read_contacts
from sendmill.contact_list import Accepted, Rejected, in_parts
from sendmill.errors import InvalidContactList

Result = Accepted | Rejected


def read(text: str) -> list[Result]:
    return list(read_contacts(text))


def accepted(rows: Sequence[Result]) -> list[Accepted]:
    return [row for row in rows if isinstance(row, Accepted)]


def rejected(rows: Sequence[Result]) -> list[Rejected]:
    return [row for row in rows if isinstance(row, Rejected)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"]
)
def test_every_encoding_a_spreadsheet_writes_is_read(encoding: str) -> None:
    text = "email,name\nzoe@example.com,Zo\u00eb\n"
    raw = {
        "utf-16-le-bom": b"\xff\xfe" + text.encode("utf-16-le"),
        "utf-16-be-bom": b"\xfe\xff" + text.encode("utf-16-be"),
    }.get(encoding) or text.encode(encoding)
    (row,) = accepted(read(decode(raw)))
    assert row.contact.email == "zoe@example.com"
    assert row.contact.fields == {"name": "Zo\u00eb"}


def test_bytes_that_are_no_utf_8_are_read_as_windows_1252() -> None:
    raw = "email,name\na@example.com,A\nb@example.com,Zo\u00eb \u20ac\n".encode("cp1252")
    assert accepted(read(decode(raw)))[1].contact.fields == {"name": "Zo\u00eb \u20ac"}


@pytest.mark.parametrize("bad", [b"\xeb", b"\xc3\x28", b"\x9d"])
def test_broken_utf_8_is_no_windows_1252_and_names_its_line_and_the_way_out(bad: bytes) -> None:
    raw = "email,name\na@example.com,Zo\u00eb\nb@example.com,".encode() + bad + b"\n"
    with pytest.raises(InvalidContactList, match=rf"line 3: .* 0x{bad[0]:02x}.*CSV UTF-8"):
        decode(raw)


def test_a_byte_that_no_encoding_knows_is_refused() -> None:
    with pytest.raises(InvalidContactList, match=r"line 2: .* 0x9d"):
        decode(b"email\n\x9d\n")


def test_half_a_utf_16_character_is_refused() -> None:
    with pytest.raises(InvalidContactList, match="line 1"):
        decode(b"\xff\xfea")


@pytest.mark.parametrize("raw", [b"email\na@example.com\x00\n", "email\n\x00".encode("utf-16")])
def test_a_nul_is_no_text(raw: bytes) -> None:
    with pytest.raises(InvalidContactList, match="NUL"):
        decode(raw)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_from_the_header(delimiter: str) -> None:
    text = delimiter.join(["name", "email"]) + "\n" + delimiter.join(["Ada", "ada@example.com"])
    (row,) = accepted(read(text))
    assert (row.contact.email, row.contact.fields) == ("ada@example.com", {"name": "Ada"})


@pytest.mark.parametrize(
    "header", ["email", "E-Mail", "EMAIL", "Email Address", "mail", "Address", " email "]
)
def test_the_address_column_goes_by_its_usual_names(header: str) -> None:
    (row,) = accepted(read(f"name,{header}\nAda,ada@example.com\n"))
    assert row.contact.email == "ada@example.com"
    assert row.contact.fields == {"name": "Ada"}


def test_email_wins_over_a_postal_address() -> None:
    (row,) = accepted(read("address,email\n1 High Street,ada@example.com\n"))
    assert row.contact.fields == {"address": "1 High Street"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one column must be named email .*got nothing"),
        ("\n", "one column must be named email"),
        ("name,phone\nAda,1\n", "line 1: one column must be named email .*name, phone"),
        ("email,name,Name\n", "line 1: column 'name' appears twice"),
        ("email,\na@example.com,x\n", "line 1: field name"),
        ("email,\u0438\u043c\u044f\n", "line 1: field name"),
        ("email" + ",c" * MAX_COLUMNS, f"at most {MAX_COLUMNS} columns .got {MAX_COLUMNS + 1}"),
        ('email,name\na@example.com,"' + "x" * 200_000 + '"\n', "line 2: field larger"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidContactList, match=said):
        read(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ada,Ada", "address must be valid"),
        (",Ada", "address is empty"),
        ("ada@example.com", "row must have 2 columns .got 1: missing name"),
        ("ada@example.com,Ada,x,y", "row must have 2 columns .got 4: 2 too many"),
        ('"ada@example.com\r\nBcc: eve@example.com",Ada', "address must be valid"),
        ('ada@example.com,"Ada\r\nBcc: eve@example.com"', "name must not contain control"),
        ('ada@example.com,"Ada\nBcc: eve@example.com"', "name must not contain control"),
        ("ada@example.com,A\x1bda", "name must not contain control"),
        ("ada@example.com," + "x" * 10_001, "name must be at most 10000"),
    ],
)
def test_a_bad_row_is_rejected_alone_with_line_and_reason(line: str, said: str) -> None:
    rows = read(f"email,name\nfirst@example.com,F\n{line}\nlast@example.com,L\n")
    assert [row.contact.email for row in accepted(rows)] == [
        "first@example.com",
        "last@example.com",
    ]
    (found,) = rejected(rows)
    assert found.line == 3
    assert not found.duplicate
    assert re.search(said, found.reason)


def test_a_duplicate_names_the_line_it_was_first_seen_in() -> None:
    rows = read("email\na@example.com\nb@example.com\nA@EXAMPLE.COM\n")
    assert [row.line for row in accepted(rows)] == [2, 3]
    assert rejected(rows) == [
        Rejected(line=4, reason="address is the same as in line 2", duplicate=True)
    ]


def test_an_address_rejected_for_another_field_may_come_again() -> None:
    rows = read('email,name\na@example.com,"A\nB"\na@example.com,A\n')
    assert [row.line for row in accepted(rows)] == [4]
    assert [row.duplicate for row in rejected(rows)] == [False]


def test_line_numbers_stay_right_after_cells_of_several_lines_and_blank_lines() -> None:
    text = (
        "email,name\n"
        "\n"
        'a@example.com,"one\ntwo\nthree"\n'
        "\n\n"
        "b@example.com,B\n"
        '"c@example.com",C\n'
        "nobody,D\n"
    )
    rows = read(text)
    assert [row.line for row in rows] == [3, 8, 9, 10]
    assert [row.line for row in accepted(rows)] == [8, 9]


def test_line_numbers_stay_right_after_a_header_of_several_lines() -> None:
    rows = read('email,"first\nname"\nada@example.com,Ada\n')
    assert [row.line for row in rows] == [3]
    assert accepted(rows)[0].contact.fields == {"first_name": "Ada"}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_the_same(newline: str) -> None:
    text = newline.join(["email", "a@example.com", "nobody", "b@example.com"])
    assert [(type(row), row.line) for row in read(text)] == [
        (Accepted, 2),
        (Rejected, 3),
        (Accepted, 4),
    ]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest_in_silence() -> None:
    text = 'email,name\na@example.com,A\nb@example.com,"B\nc@example.com,C\nd@example.com,D\n'
    with pytest.raises(InvalidContactList, match="line 3"):
        read(text)


def test_ten_thousand_rows_are_all_accounted_for() -> None:
    lines = [f"user{n}@example.com,U{n}" if n % 10 else f"user{n},U{n}" for n in range(10_000)]
    rows = read("email,name\n" + "\n".join(lines))
    assert (len(accepted(rows)), len(rejected(rows))) == (9_000, 1_000)
    assert [row.line for row in rows] == list(range(2, 10_002))


CELL = st.text(
    alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12
)
ADDRESS = st.sampled_from(
    [
        "a@example.com",
        "A@example.com",
        "b@example.com",
        "c@example.com",
        "nobody",
        "",
        "x@y\r\nBcc:",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ADDRESS, CELL), max_size=12), st.sampled_from(["\n", "\r\n"]))
@example([("a@example.com", "\r"), ("b@example.com", "\n\r")], "\n")
def test_rows_are_accepted_plus_rejected_and_every_line_is_where_it_says(
    table: list[tuple[str, str]], newline: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "name"])
    starts = []
    for cells in table:
        starts.append(_lines(out.getvalue()) + 1)
        writer.writerow(cells)
    rows = read(out.getvalue())
    assert len(accepted(rows)) + len(rejected(rows)) == len(table)
    assert [row.line for row in rows] == starts
    for row in rejected(rows):
        assert row.reason
    addresses = [row.contact.email.casefold() for row in accepted(rows)]
    assert len(addresses) == len(set(addresses))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='e"mail,;\n\r@.x ', max_size=60))
def test_whatever_is_uploaded_is_read_or_refused(text: str) -> None:
    try:
        rows = read("email,name\n" + text)
    except InvalidContactList as error:
        assert "line" in str(error)
        return
    last = _lines("email,name\n" + text + "\n")
    assert all(2 <= row.line <= last for row in rows)


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
def test_contacts_are_kept_in_parts_in_their_order(count: int, sizes: list[int]) -> None:
    rows = accepted(read("email\n" + "\n".join(f"u{n}@example.com" for n in range(count))))
    parts = list(in_parts(rows, 3))
    assert [len(part) for part in parts] == sizes
    assert [row for part in parts for row in part] == rows


def _lines(text: str) -> int:
    """Count line ends as the csv module does: CRLF is one, a lone CR or LF is one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")
