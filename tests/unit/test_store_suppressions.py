"""Suppressions in DynamoDB: what workers read, what people list, and what erasing leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud import CAMPAIGNS, RECIPIENTS, Cloud

from fakes import HASH_KEY, NOW
from sendmill.errors import InvalidContactList, StoreUnavailable
from sendmill.store import RecipientStore, SuppressionStore
from sendmill.suppression import Reason, Suppression, make_suppression


@pytest.fixture
def store(cloud: Cloud) -> SuppressionStore:
    return SuppressionStore(cloud.dynamodb, RECIPIENTS, sleep=lambda _: None, writers=1)


@pytest.fixture
def seen(cloud: Cloud) -> Callable[[Suppression], str]:
    """A function from an entry to the reason that a worker would read, or nothing."""
    ledger = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    return lambda entry: ledger.read([], suppression_keys=[entry.hash])[1].get(entry.hash, "")


def entry(name: str = "ada", reason: Reason = Reason.BOUNCED, at: int = NOW) -> Suppression:
    return make_suppression(
        f"{name}@example.com", reason, hash_key=HASH_KEY, at=at, source="spring"
    )


def test_workers_read_what_was_added(
    store: SuppressionStore, seen: Callable[[Suppression], str]
) -> None:
    assert store.add_all([entry()]) == [True]
    assert seen(entry()) == "bounced"
    assert seen(entry("bob")) == ""


def test_what_workers_read_holds_no_address(store: SuppressionStore, cloud: Cloud) -> None:
    store.add_all([entry()])
    guards = [item for item in cloud.rows() if item["pk"]["S"].startswith("S#")]
    assert len(guards) == 1
    assert "@" not in str(guards)


def test_a_reason_gives_way_only_to_a_stronger_one(
    store: SuppressionStore, seen: Callable[[Suppression], str]
) -> None:
    assert store.add_all([entry(reason=Reason.UNSUBSCRIBED)]) == [True]
    assert store.add_all([entry(reason=Reason.BOUNCED)]) == [False]
    assert store.add_all([entry(reason=Reason.UNSUBSCRIBED, at=NOW + 1)]) == [False]
    assert seen(entry()) == "unsubscribed"
    (listed,), _ = store.page(cursor="", limit=10)
    assert listed == entry(reason=Reason.UNSUBSCRIBED)
    assert store.add_all([entry("bob", Reason.BOUNCED), entry("eve", Reason.COMPLAINED)]) == [
        True,
        True,
    ]
    assert store.add_all([entry("bob", Reason.COMPLAINED)]) == [True]
    assert seen(entry("bob")) == "complained"


def test_pages_show_everybody_once(store: SuppressionStore) -> None:
    entries = [entry(f"p{n}") for n in range(60)]
    store.add_all(entries)
    found: list[Suppression] = []
    cursor = ""
    while True:
        part, cursor = store.page(cursor=cursor, limit=7)
        assert len(part) <= 7
        found += part
        if not cursor:
            break
    assert sorted(found, key=lambda one: one.email) == sorted(entries, key=lambda one: one.email)


@pytest.mark.parametrize("cursor", ["x", "16.", "0", "0.A", "1.aaaa", "-1."])
def test_a_cursor_that_no_page_gave_is_refused(store: SuppressionStore, cursor: str) -> None:
    with pytest.raises(InvalidContactList, match="cursor must be one that a page gave"):
        store.page(cursor=cursor, limit=10)


def test_removing_deletes_both_items(
    store: SuppressionStore, cloud: Cloud, seen: Callable[[Suppression], str]
) -> None:
    store.add_all([entry()])
    assert store.remove(entry().hash)
    assert cloud.rows() == []
    assert seen(entry()) == ""
    assert not store.remove(entry().hash)


def test_erasing_leaves_a_tombstone_without_an_address(
    store: SuppressionStore, cloud: Cloud, seen: Callable[[Suppression], str]
) -> None:
    store.add_all([entry()])
    assert store.erase(entry().hash)
    assert "@" not in str(cloud.rows())
    assert seen(entry()) == "bounced"
    assert store.page(cursor="", limit=10) == ([], "")
    assert not store.erase(entry().hash)
    # what is erased can still be lifted
    assert store.remove(entry().hash)


def test_releasing_wants_the_reason_and_the_age(
    store: SuppressionStore, seen: Callable[[Suppression], str]
) -> None:
    store.add_all([entry(reason=Reason.COMPLAINED)])
    key = entry().hash
    assert not store.release(key, reason=Reason.BOUNCED, before=NOW + 60)
    assert not store.release(key, reason=Reason.COMPLAINED, before=NOW - 60)
    assert seen(entry()) == "complained"
    assert store.release(key, reason=Reason.COMPLAINED, before=NOW + 60)
    assert seen(entry()) == ""
    assert not store.release(key, reason=Reason.COMPLAINED, before=NOW + 60)


def test_a_table_that_is_away_is_said_so(store: SuppressionStore, cloud: Cloud) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "TransactWriteItems")

    cloud.on_dynamodb("before-call.dynamodb.TransactWriteItems", fail)
    with pytest.raises(StoreUnavailable, match="adding a suppression: InternalServerError"):
        store.add_all([entry()])


def test_a_conflict_is_tried_again_and_given_up_at_last(
    store: SuppressionStore, cloud: Cloud
) -> None:
    tries: list[int] = []

    def conflict(**_: Any) -> None:
        tries.append(1)
        raise ClientError(
            {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
            },
            "TransactWriteItems",
        )

    cloud.on_dynamodb("before-call.dynamodb.TransactWriteItems", conflict)
    with pytest.raises(StoreUnavailable, match="TransactionConflict"):
        store.add_all([entry()])
    assert len(tries) == 10
