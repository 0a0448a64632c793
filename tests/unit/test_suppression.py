"""The list of addresses that must not be mailed: what goes in, what comes out, what it refuses."""

from __future__ import annotations

import pytest

from fakes import HASH_KEY, NOW, Clock, MemorySuppressions
from sendmill.contact import address_hash
from sendmill.errors import InvalidContact, InvalidContactList, NotFound
from sendmill.suppression import MAX_IMPORT_ROWS, Reason, SuppressionList, make_suppression


@pytest.fixture
def shelf() -> MemorySuppressions:
    return MemorySuppressions()


@pytest.fixture
def book(shelf: MemorySuppressions, clock: Clock) -> SuppressionList:
    return SuppressionList(shelf=shelf, hash_key=HASH_KEY, clock=clock)


def test_an_address_is_kept_under_its_hash(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    found = book.add(" Ada@EXAMPLE.com ", reason="manual", source="api")
    assert found.hash == address_hash(HASH_KEY, "ada@example.com")
    assert (found.email, found.reason, found.at) == ("Ada@example.com", Reason.MANUAL, NOW)
    assert list(shelf.entries) == [found.hash]


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "a@example.com\r\nBcc: b@example.com"])
def test_what_is_no_address_is_refused(book: SuppressionList, address: str) -> None:
    with pytest.raises(InvalidContact, match="address must be valid"):
        book.add(address, reason="manual", source="api")


def test_a_reason_that_nobody_knows_is_refused_with_the_list(book: SuppressionList) -> None:
    with pytest.raises(InvalidContact, match=r"one of bounced, imported, .* \(got 'because'\)"):
        book.add("ada@example.com", reason="because", source="api")


@pytest.mark.parametrize("stronger", list(Reason))
@pytest.mark.parametrize("weaker", list(Reason))
def test_a_reason_gives_way_only_to_a_stronger_one(
    shelf: MemorySuppressions, stronger: Reason, weaker: Reason
) -> None:
    for order in ((weaker, stronger), (stronger, weaker)):
        shelf.entries.clear()
        for reason in order:
            entry = make_suppression("a@example.com", reason, hash_key=HASH_KEY, at=NOW, source="x")
            shelf.add_all([entry])
        (found,) = shelf.entries.values()
        assert found.reason == max(stronger, weaker, key=lambda one: one.strength)


def test_a_file_is_imported_row_by_row(book: SuppressionList, shelf: MemorySuppressions) -> None:
    found = book.load(
        b"E-Mail,Reason\nada@example.com,unsubscribed\nbob@example.com,\nnobody,bounced\n"
        b"ADA@example.com,\neve@example.com,whim\n",
        source="import",
    )
    assert shelf.reasons() == {"ada@example.com": "unsubscribed", "bob@example.com": "imported"}
    assert (found.rows, found.accepted) == (5, 2)
    assert [(row.line, row.duplicate) for row in found.rejected] == [
        (4, False),
        (5, True),
        (6, False),
    ]
    assert "reason must be one of" in found.rejected[2].reason


def test_a_file_with_addresses_alone_is_imported(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    assert book.load(b"email\nada@example.com\n", source="import").accepted == 1
    assert shelf.reasons() == {"ada@example.com": "imported"}


def test_what_an_export_neutralised_is_read_back(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    book.load(b"email\n'=cmd@example.com\n'+1@example.com\n'quoted@example.com\n", source="import")
    assert set(shelf.reasons()) == {"=cmd@example.com", "+1@example.com", "'quoted@example.com"}


def test_a_file_without_the_column_is_refused(book: SuppressionList) -> None:
    with pytest.raises(InvalidContactList, match="one column must be named email"):
        book.load(b"name\nAda\n", source="import")


def test_a_file_that_is_too_long_is_refused_before_anything_is_kept(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    rows = "".join(f"p{n}@example.com\n" for n in range(MAX_IMPORT_ROWS + 1))
    with pytest.raises(InvalidContactList, match=f"at most {MAX_IMPORT_ROWS} addresses"):
        book.load(f"email\n{rows}".encode(), source="import")
    assert shelf.entries == {}


def test_pages_follow_each_other_to_the_end(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    book.load(
        "".join(["email\n", *(f"p{n}@example.com\n" for n in range(25))]).encode(), source="import"
    )
    seen, cursor = [], ""
    while True:
        part, cursor = book.rows(cursor=cursor, limit=10)
        seen += part
        if not cursor:
            break
    assert {entry.email for entry in seen} == set(shelf.reasons())
    assert len(seen) == 25


def test_removing_lets_an_address_be_mailed_again(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    entry = book.add("ada@example.com", reason="manual", source="api")
    book.remove(entry.hash)
    assert shelf.entries == {}
    with pytest.raises(NotFound):
        book.remove(entry.hash)


def test_erasing_forgets_the_address_and_goes_on_suppressing(
    book: SuppressionList, shelf: MemorySuppressions
) -> None:
    entry = book.add("ada@example.com", reason="manual", source="api")
    book.erase(entry.hash)
    assert book.rows(cursor="") == ([], "")
    assert entry.hash in shelf.entries
    with pytest.raises(NotFound):
        book.erase(entry.hash)


@pytest.mark.parametrize("key", ["", "ada@example.com", "A" * 26, "a" * 27, "../x"])
def test_what_cannot_be_a_hash_is_not_found(book: SuppressionList, key: str) -> None:
    for act in (book.remove, book.erase):
        with pytest.raises(NotFound):
            act(key)
