"""Contacts are found, added, changed and removed; whoever started before keeps what was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from cloud import BUCKET, CAMPAIGNS, Cloud

from fakes import NOW, make_campaign
from sendmill.campaign import Status
from sendmill.contact import Contact
from sendmill.contact_book import ContactBook
from sendmill.contact_list import Accepted, ContactList, Layout
from sendmill.dispatch import CHUNK_SIZE
from sendmill.errors import (
    InvalidCampaign,
    InvalidContact,
    InvalidContactList,
    NotFound,
    StateConflict,
)
from sendmill.store import CampaignStore, ListStore

SIZE = 1203


@pytest.fixture
def lists(cloud: Cloud) -> ListStore:
    return ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)


@pytest.fixture
def campaigns(cloud: Cloud) -> CampaignStore:
    return CampaignStore(cloud.dynamodb, CAMPAIGNS)


@pytest.fixture
def book(lists: ListStore, campaigns: CampaignStore) -> ContactBook:
    tokens = count(1)
    found = ContactBook(lists=lists, campaigns=campaigns, new_token=lambda: f"t{next(tokens)}")
    fill(lists, "list_1", SIZE)
    return found


def fill(lists: ListStore, list_id: str, size: int) -> None:
    rows = [
        Accepted(
            line=n + 2,
            contact=Contact(
                email=f"user{n}@example.com",
                fields={"first_name": f"Zo\u00eb {n}" if n % 2 else 'Ann "A"', "city": "Rome"},
            ),
        )
        for n in range(size)
    ]
    parts = [rows[at : at + CHUNK_SIZE] for at in range(0, size, CHUNK_SIZE)]
    for part, some in enumerate(parts):
        lists.write_part(list_id, part, some)
    lists.add(
        ContactList(
            id=list_id,
            name="Members",
            created_at=NOW,
            rows=size + 3,
            accepted=size,
            invalid=2,
            duplicates=1,
            parts=len(parts),
            fields=("first_name", "city"),
        )
    )


def everybody(book: ContactBook, **asked: Any) -> list[str]:
    found, cursor = book.page("list_1", **asked)
    emails = [one.contact.email for one in found]
    while cursor:
        found, cursor = book.page("list_1", cursor=cursor, **asked)
        emails += [one.contact.email for one in found]
    return emails


def add_up(found: ContactList) -> bool:
    return found.accepted + found.invalid + found.duplicates == found.rows


@pytest.mark.parametrize("limit", [1, 7, 100, 499, 500, 501, 1000])
def test_every_contact_comes_once_in_the_order_of_the_file(book: ContactBook, limit: int) -> None:
    if limit == 1:
        first, cursor = book.page("list_1", limit=1)
        second, _ = book.page("list_1", cursor=cursor, limit=1)
        assert [one.line for one in (*first, *second)] == [2, 3]
        return
    assert everybody(book, limit=limit) == [f"user{n}@example.com" for n in range(SIZE)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user1202", ["user1202@example.com"]),
        ("USER77@", ["user77@example.com"]),
        ("zo\u00eb 1201", ["user1201@example.com"]),
        ("rome", []),  # neither an address nor a name
        ("nobody", []),
        ("r77@ex", ["user77@example.com"]),
    ],
)
def test_a_search_finds_a_part_of_an_address_or_a_name(
    book: ContactBook, query: str, expected: list[str]
) -> None:
    assert everybody(book, query=query, limit=100) == expected


def test_what_json_escapes_is_found_too(book: ContactBook) -> None:
    assert len(everybody(book, query='ann "a"', limit=100)) == 602


def test_a_contact_that_is_added_comes_last_and_the_counts_stay_right(book: ContactBook) -> None:
    entry = book.add("list_1", {"email": "New@Example.com", "first_name": "N", "team": "red"})
    found = book.get("list_1")
    assert (found.revision, found.accepted, found.rows) == (1, SIZE + 1, SIZE + 4)
    assert add_up(found)
    assert found.fields == ("first_name", "city", "team")
    assert everybody(book, limit=1000)[-1] == "New@example.com"
    assert book.contact("list_1", entry.id).contact.fields == {"first_name": "N", "team": "red"}
    assert entry.line == SIZE + 2


def test_a_full_part_gets_a_neighbour(lists: ListStore, book: ContactBook) -> None:
    fill(lists, "list_1", CHUNK_SIZE)
    first, second = (
        book.add("list_1", {"email": "a@x.org"}),
        book.add("list_1", {"email": "b@x.org"}),
    )
    assert (first.part, second.part) == (1, 1)
    assert book.get("list_1").parts == 2
    assert everybody(book, limit=1000)[-2:] == ["a@x.org", "b@x.org"]


def test_a_change_is_seen_at_once_and_keeps_its_place(book: ContactBook) -> None:
    (entry,), _ = book.page("list_1", query="user600@", limit=5)
    after = book.edit("list_1", entry.id, {"email": "ada@example.com", "city": None, "team": "x"})
    assert after.contact == Contact(
        email="ada@example.com", fields={"first_name": 'Ann "A"', "team": "x"}
    )
    emails = everybody(book, limit=1000)
    assert emails[600] == "ada@example.com"
    assert len(emails) == SIZE
    assert book.contact("list_1", entry.id).contact.email == "ada@example.com"
    assert add_up(book.get("list_1"))


def test_a_contact_that_is_removed_is_gone_and_the_others_keep_their_names(
    book: ContactBook,
) -> None:
    (entry,), _ = book.page("list_1", query="user600@", limit=5)
    (other,), _ = book.page("list_1", query="user601@", limit=5)
    book.remove("list_1", entry.id)
    assert "user600@example.com" not in everybody(book, limit=1000)
    assert book.contact("list_1", other.id) == other
    assert (book.get("list_1").accepted, add_up(book.get("list_1"))) == (SIZE - 1, True)
    with pytest.raises(NotFound, match="contact 1-602"):
        book.remove("list_1", entry.id)


def test_an_address_is_in_a_list_once(book: ContactBook) -> None:
    with pytest.raises(StateConflict, match="in the list already .contact 2-1202"):
        book.add("list_1", {"email": "USER1200@example.com"})
    (entry,), _ = book.page("list_1", query="user3@", limit=5)
    with pytest.raises(StateConflict, match="in the list already"):
        book.edit("list_1", entry.id, {"email": "user4@example.com"})
    book.edit("list_1", entry.id, {"email": "USER3@example.com"})
    assert book.get("list_1").revision == 1


def test_who_started_before_a_change_keeps_what_was(book: ContactBook, lists: ListStore) -> None:
    before = [lists.read_part("list_1", part, 0) for part in range(3)]
    (entry,), _ = book.page("list_1", query="user600@", limit=5)
    book.edit("list_1", entry.id, {"first_name": "Eve"})
    book.remove("list_1", "0-2")
    book.add("list_1", {"email": "last@example.com"})
    fresh = ListStore(lists._dynamodb, lists._table, lists._s3, lists._bucket)
    assert [fresh.read_part("list_1", part, 0) for part in range(3)] == before
    assert fresh.read_part("list_1", 1, 1) != before[1]
    assert fresh.read_part("list_1", 0, 1) == before[0]
    assert len(fresh.read_part("list_1", 0, 2)) == CHUNK_SIZE - 1
    assert fresh.read_part("list_1", 2, 2) == before[2]


def test_two_people_who_change_a_list_at_once_both_succeed(
    book: ContactBook, lists: ListStore
) -> None:
    others = iter(["b@x.org", "c@x.org"])

    class Interrupted(ContactBook):
        """Let somebody else be faster, twice."""

        def _kept(self, *args: Any) -> Any:
            other = next(others, None)
            if other:
                book.add("list_1", {"email": other})
            return super()._kept(*args)

    slow = Interrupted(lists=lists, campaigns=book.campaigns, new_token=lambda: "slow")
    slow.add("list_1", {"email": "a@x.org"})
    assert everybody(book, limit=1000)[-3:] == ["b@x.org", "c@x.org", "a@x.org"]
    assert (book.get("list_1").revision, book.get("list_1").accepted) == (3, SIZE + 3)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda book: book.page("list_x"), NotFound),
        (lambda book: book.page("list_1", cursor="x"), InvalidContactList),
        (lambda book: book.contact("list_1", "9-1"), NotFound),
        (lambda book: book.contact("list_1", "x"), NotFound),
        (lambda book: book.add("list_1", {"email": "nobody"}), InvalidContact),
        (lambda book: book.add("list_1", {"email": "a@x.org", "n": "a\nBcc: b"}), InvalidContact),
        (lambda book: book.add("list_1", {"email": "a@x.org", "No Name": "x"}), InvalidContact),
        (lambda book: book.rename("list_1", " "), InvalidCampaign),
        (lambda book: book.rename("list_x", "N"), NotFound),
        (lambda book: book.delete("list_x"), NotFound),
    ],
)
def test_what_cannot_be_done_is_named(
    book: ContactBook, act: Callable[[ContactBook], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        act(book)


def test_a_list_is_renamed(book: ContactBook) -> None:
    assert book.rename("list_1", " Friends ").name == "Friends"
    assert book.get("list_1").revision == 0


def test_a_list_is_deleted_with_its_contacts_and_deleting_again_goes_on(
    book: ContactBook, lists: ListStore, cloud: Cloud
) -> None:
    book.add("list_1", {"email": "a@x.org"})
    cloud.s3.put_object(Bucket=BUCKET, Key="lists/list_10/part-000000.jsonl", Body=b"[]")
    lists.mark_deleted("list_1")  # as far as a call came that died
    assert lists.get("list_1") is None
    assert lists.list()[0] == []
    book.delete("list_1")
    keys = [one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == ["lists/list_10/part-000000.jsonl"]
    assert cloud.dynamodb.scan(TableName=CAMPAIGNS)["Count"] == 0
    with pytest.raises(NotFound):
        book.delete("list_1")


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.RUNNING, Status.PAUSED])
def test_a_list_that_a_campaign_still_reads_is_not_deleted(
    book: ContactBook, campaigns: CampaignStore, status: Status
) -> None:
    campaign = make_campaign(status=status, list_id="list_1", chunks=3, chunks_done=2)
    campaigns.add(campaign)
    campaigns.activate("spring")
    with pytest.raises(StateConflict, match="being sent to by spring"):
        book.delete("list_1")
    campaigns.add(replace(campaign, id="other", chunks_done=3))
    assert book.get("list_1").name == "Members"


def test_a_layout_says_where_each_part_of_a_revision_lies() -> None:
    layout = Layout().append(3, "import_7").swap(1, "t1").swap(4, "t2").append(5, "import_8")
    assert [layout.place(part) for part in range(7)] == [
        (0, ""),
        (1, "t1"),
        (2, ""),
        (0, "import_7"),
        (4, "t2"),
        (0, "import_8"),
        (1, "import_8"),
    ]
