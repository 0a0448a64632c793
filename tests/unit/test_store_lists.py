"""Contact lists in DynamoDB and S3 read back as they were imported."""

from __future__ import annotations

import pytest
from cloud import BUCKET, CAMPAIGNS, Cloud

from fakes import NOW
from sendmill.contact import Contact
from sendmill.contact_list import Accepted, ContactList, Rejected
from sendmill.errors import InvalidCampaign, NotFound, StoreUnavailable
from sendmill.store import ListStore

FOUND = ContactList(
    id="list_1",
    name="Zo\u00eb's members",
    created_at=NOW,
    rows=9,
    accepted=6,
    invalid=2,
    duplicates=1,
    parts=1,
    fields=("first_name", "company"),
    created_by="someone",
)


@pytest.fixture
def store(cloud: Cloud) -> ListStore:
    return ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)


@pytest.mark.parametrize("fields", [("first_name", "company"), ()])
def test_a_list_reads_back_as_it_was_added(store: ListStore, fields: tuple[str, ...]) -> None:
    found = ContactList(**{**_values(FOUND), "fields": fields})
    store.add(found)
    assert store.get("list_1") == found
    assert store.get("nobody") is None


def test_lists_are_listed_newest_first(store: ListStore) -> None:
    for n in range(3):
        store.add(ContactList(**{**_values(FOUND), "id": f"l{n}", "created_at": NOW + n}))
    first, cursor = store.list(limit=2)
    rest, end = store.list(cursor=cursor, limit=2)
    assert [found.id for found in [*first, *rest]] == ["l2", "l1", "l0"]
    assert end == ""


def test_a_cursor_that_no_page_gave_is_refused(store: ListStore) -> None:
    with pytest.raises(InvalidCampaign, match="cursor must be"):
        store.list(cursor="nonsense")


def test_a_part_reads_back_in_its_order(store: ListStore) -> None:
    fields = {"name": 'Zo\u00eb "\U0001f600", \u2028 and\u0085 more', "empty": "", "tab": "a\tb"}
    rows = [
        Accepted(line=n + 2, contact=Contact(email=f"u{n}@example.com", fields=fields))
        for n in range(3)
    ]
    store.write_part("list_1", 0, rows)
    assert list(store.read_part("list_1", 0)) == rows


def test_a_part_that_is_gone_is_an_error_and_not_nobody(store: ListStore) -> None:
    store.write_part("list_1", 0, [])
    assert list(store.read_part("list_1", 0)) == []
    with pytest.raises(NotFound, match=r"lists/list_1/part-000001\.jsonl does not exist"):
        store.read_part("list_1", 1)


def test_rejected_rows_read_back(store: ListStore) -> None:
    rows = [
        Rejected(line=3, reason='address must be valid: "\u2028" Zo\u00eb'),
        Rejected(line=4, reason="address is the same as in line 2", duplicate=True),
    ]
    store.write_rejected("list_1", rows)
    assert list(store.read_rejected("list_1")) == rows
    store.write_rejected("list_2", [])
    assert list(store.read_rejected("list_2")) == []
    assert list(store.read_rejected("list_3")) == []


def test_a_bucket_that_is_away_is_an_error_of_ours(cloud: Cloud) -> None:
    store = ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, "nowhere")
    with pytest.raises(StoreUnavailable, match="writing contacts: NoSuchBucket"):
        store.write_part("list_1", 0, [])
    with pytest.raises(StoreUnavailable, match="reading contacts: NoSuchBucket"):
        store.read_part("list_1", 0)


def _values(found: ContactList) -> dict[str, object]:
    return {name: getattr(found, name) for name in ContactList.__dataclass_fields__}
