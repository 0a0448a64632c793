"""Campaigns in DynamoDB: created once, counted once, and paused within seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud import CAMPAIGNS, RECIPIENTS, Cloud

from fakes import CONTENT, NOW, Clock, make_campaign, make_row
from sendmill.campaign import EDITABLE, Config, Service, Status
from sendmill.contact_list import ContactList
from sendmill.errors import InvalidCampaign, NotFound, StoreUnavailable
from sendmill.ledger import claim
from sendmill.store import CampaignStore, RecipientStore
from sendmill.store.campaigns import CACHE_SECONDS, MOST_REMEMBERED


@pytest.fixture
def store(cloud: Cloud, clock: Clock) -> CampaignStore:
    return CampaignStore(cloud.dynamodb, CAMPAIGNS, monotonic=clock, sleep=lambda _: None)


FULL = make_campaign(
    content=replace(
        CONTENT,
        body="Zo\u00eb \U0001f600",
        config=Config(
            email_service=Service.SMTP,
            from_email="a@example.com",
            aws_region="us-gov-west-1",
            aws_secret_name="mail",
            reply_to="b@example.com",
        ),
    ),
    status=Status.PAUSED,
    list_id="list_1",
    rows=9,
    expected=7,
    total=6,
    invalid=1,
    duplicates=1,
    chunks=2,
    chunks_done=1,
    reason="why",
    created_by="someone",
)


def test_a_campaign_reads_back_as_it_was_added(store: CampaignStore) -> None:
    store.add(FULL)
    assert store.get("spring") == FULL
    assert store.get("nobody") is None


def test_the_first_of_two_campaigns_of_one_id_stands(store: CampaignStore) -> None:
    first, second = make_campaign(name="first"), make_campaign(name="second")
    assert store.adopt(first) == first
    assert store.adopt(second) == first
    store.add(second)
    assert store.get("spring") == first


def test_a_campaign_is_read_again_after_two_seconds(store: CampaignStore, clock: Clock) -> None:
    store.add(make_campaign())
    store.load("spring")
    other = CampaignStore(store._client, CAMPAIGNS)
    other.pause("spring", "stop")
    assert store.load("spring").status is Status.RUNNING  # type: ignore[union-attr]
    clock.advance(int(CACHE_SECONDS))
    assert store.load("spring").status is Status.PAUSED  # type: ignore[union-attr]


def test_a_resume_is_seen_at_once(store: CampaignStore, cloud: Cloud) -> None:
    store.adopt(make_campaign(status=Status.PAUSED))
    assert store.load("spring").status is Status.PAUSED  # type: ignore[union-attr]
    another = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    another.set_status("spring", Status.RUNNING, expected={Status.PAUSED})
    assert store.load("spring").status is Status.RUNNING  # type: ignore[union-attr]


def test_a_pause_of_ones_own_is_seen_at_once(store: CampaignStore) -> None:
    store.add(make_campaign())
    store.load("spring")
    store.pause("spring", "stop")
    found = store.load("spring")
    assert found is not None
    assert (found.status, found.reason) == (Status.PAUSED, "stop")


def test_a_campaign_that_is_not_there_is_asked_for_again(store: CampaignStore) -> None:
    assert store.load("spring") is None
    store.add(make_campaign())
    assert store.load("spring") is not None


@pytest.mark.parametrize("status", list(Status))
def test_a_status_changes_only_from_an_expected_one(store: CampaignStore, status: Status) -> None:
    store.add(make_campaign(status=status))
    expected = {Status.DRAFT, Status.PAUSED}
    changed = store.set_status("spring", Status.RUNNING, expected=expected, reason="r")
    assert changed is (status in expected)
    found = store.get("spring")
    assert found is not None
    assert found.status is (Status.RUNNING if changed else status)


def test_a_campaign_that_does_not_exist_has_no_status(store: CampaignStore) -> None:
    assert store.set_status("nobody", Status.PAUSED, expected={Status.RUNNING}) is False
    assert store.get("nobody") is None


def test_another_content_is_kept_by_its_digest(store: CampaignStore) -> None:
    store.keep_content("spring", FULL.content)
    store.keep_content("spring", FULL.content)
    fresh = CampaignStore(store._client, CAMPAIGNS)
    for _ in range(2):
        assert fresh.content("spring", FULL.content.digest()) == FULL.content
    with pytest.raises(NotFound, match="content abc of campaign spring"):
        fresh.content("spring", "abc")


def test_a_worker_remembers_some_campaigns_and_contents_and_not_all_that_ever_came(
    store: CampaignStore, cloud: Cloud
) -> None:
    """Plain messages may bring a content each: a warm worker would hold them until it died."""
    contents = [replace(CONTENT, body=f"{n}") for n in range(MOST_REMEMBERED + 5)]
    for n, content in enumerate(contents):
        store.keep_content("spring", content)
        store.add(make_campaign(f"c{n}"))
        store.load(f"c{n}")
    assert (len(store._contents), len(store._cache)) == (MOST_REMEMBERED, MOST_REMEMBERED)
    assert store.content("spring", contents[0].digest()) == contents[0]
    asked: list[Any] = []
    cloud.on_dynamodb("before-call.dynamodb.GetItem", lambda **_: asked.append(1))
    assert store.content("spring", contents[-1].digest()) == contents[-1]
    assert asked == []


def test_chunks_are_created_and_counted_in_once(store: CampaignStore) -> None:
    store.add(make_campaign(chunks=3))
    for _ in range(2):
        assert store.add_chunks("spring", 0, 3) == [0, 1, 2]
    store.finish_chunk("spring", 1, rows=5, duplicates=2)
    for _ in range(3):
        store.check_chunk("spring", 1)
    for _ in range(3):
        store.finish_chunk("spring", 1, rows=5, duplicates=2)
    assert store.add_chunks("spring", 0, 3) == [0, 2]
    store.check_chunk("spring", 1)
    store.finish_chunk("spring", 1, rows=5, duplicates=2)
    found = store.get("spring")
    assert found is not None
    assert (found.chunks_done, found.total, found.duplicates) == (1, 5, 2)
    assert found.chunks_checked == 1


def test_what_was_checked_is_checked_again_after_a_refusal(store: CampaignStore) -> None:
    store.add(make_campaign(chunks=2, status=Status.REFUSED))
    store.add_chunks("spring", 0, 2)
    store.check_chunk("spring", 0)
    store.uncheck("spring")
    assert store.get("spring").chunks_checked == 0  # type: ignore[union-attr]
    store.check_chunk("spring", 0)
    assert store.get("spring").chunks_checked == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("call", ["Query", "TransactWriteItems"])
def test_a_second_start_that_comes_late_forgets_nothing_of_the_first(
    store: CampaignStore, cloud: Cloud, call: str
) -> None:
    """Two people start a refused campaign; the checks of the first run while the second asks."""
    store.add(make_campaign(chunks=2, status=Status.REFUSED))
    store.add_chunks("spring", 0, 2)
    store.check_chunk("spring", 0)
    first = iter(["start"])

    def meanwhile(**_: Any) -> None:
        for _start in first:
            store.uncheck("spring")
            store.set_status("spring", Status.PLANNING, expected={Status.REFUSED})
            store.check_chunk("spring", 0)

    cloud.on_dynamodb(f"before-call.dynamodb.{call}", meanwhile)
    store.uncheck("spring")
    assert next(first, "done") == "done"
    store.check_chunk("spring", 0)
    store.check_chunk("spring", 1)
    assert store.get("spring").chunks_checked == 2  # type: ignore[union-attr]
    for chunk in range(2):
        store.finish_chunk("spring", chunk, rows=5, duplicates=0)
    store.uncheck("spring")
    found = store.get("spring")
    assert found is not None
    assert (found.chunks_done, found.total) == (2, 10)


@pytest.mark.parametrize("status", [Status.PLANNING, Status.RUNNING, Status.PAUSED])
def test_what_is_under_way_is_not_unchecked(store: CampaignStore, status: Status) -> None:
    store.add(make_campaign(chunks=2, status=status))
    store.add_chunks("spring", 0, 2)
    store.check_chunk("spring", 0)
    store.uncheck("spring")
    assert store.get("spring").chunks_checked == 1  # type: ignore[union-attr]
    store.finish_chunk("spring", 0, rows=5, duplicates=0)
    assert store.get("spring").chunks_done == 1  # type: ignore[union-attr]


def test_many_checked_chunks_are_checked_again(store: CampaignStore) -> None:
    store.add(make_campaign(chunks=120, status=Status.REFUSED))
    store.add_chunks("spring", 0, 120)
    for chunk in range(119):
        store.check_chunk("spring", chunk)
    store.uncheck("spring")
    assert store.get("spring").chunks_checked == 0  # type: ignore[union-attr]
    store.check_chunk("spring", 118)
    assert store.get("spring").chunks_checked == 1  # type: ignore[union-attr]


def test_the_sweep_knows_which_campaigns_to_look_after(store: CampaignStore) -> None:
    for campaign_id in ("a", "b", "a"):
        store.activate(campaign_id)
    store.deactivate("b")
    store.deactivate("never")
    assert list(store.active()) == ["a"]


def cancel(cloud: Cloud, times: int) -> None:
    left = [times]

    def conflict(**_: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": ""},
                    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
                },
                "TransactWriteItems",
            )

    cloud.on_dynamodb("before-call.dynamodb.TransactWriteItems", conflict)


def test_a_chunk_is_counted_in_after_a_conflict_with_another(
    store: CampaignStore, cloud: Cloud
) -> None:
    """Chunks of one campaign are finished side by side and add to the same item."""
    store.add(make_campaign(chunks=1))
    store.add_chunks("spring", 0, 1)
    store.check_chunk("spring", 0)
    cancel(cloud, 3)
    store.finish_chunk("spring", 0, rows=5, duplicates=0)
    found = store.get("spring")
    assert found is not None
    assert (found.chunks_done, found.total) == (1, 5)


def test_a_chunk_that_only_meets_conflicts_may_be_tried_later(
    store: CampaignStore, cloud: Cloud
) -> None:
    store.add(make_campaign(chunks=1))
    store.add_chunks("spring", 0, 1)
    store.check_chunk("spring", 0)
    cancel(cloud, 1_000)
    with pytest.raises(StoreUnavailable, match="counting a chunk: transactions kept conflicting"):
        store.finish_chunk("spring", 0, rows=5, duplicates=0)


def test_counters_are_summed_over_their_shards(store: CampaignStore, cloud: Cloud) -> None:
    store.add(make_campaign())
    rows = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    for owner in ("w1", "w2", "w3", "w4"):
        row = make_row(f"{owner}@example.com")
        rows.adopt([row])
        rows.apply([claim(row, owner=owner, lease=NOW, now=NOW)], owner=owner)
    assert store.counters("spring") == {"sending": 4}
    assert store.counters("nobody") == {}


def test_campaigns_are_listed_newest_first_page_by_page(store: CampaignStore) -> None:
    for n in range(5):
        store.add(make_campaign(f"c{n}", created_at=NOW + n))
    first, cursor = store.list(limit=3)
    second, end = store.list(cursor=cursor, limit=3)
    assert [found.id for found in [*first, *second]] == ["c4", "c3", "c2", "c1", "c0"]
    assert end == ""


@pytest.mark.parametrize(
    "cursor",
    ["x", "zz", "7b", "5b5d", json.dumps({"a": 1}).encode().hex(), "\u00b2\u00b2"],
)
def test_a_cursor_that_no_page_gave_is_refused(store: CampaignStore, cursor: str) -> None:
    with pytest.raises(InvalidCampaign, match="cursor must be"):
        store.list(cursor=cursor)


def test_a_table_that_is_away_is_an_error_of_ours(cloud: Cloud) -> None:
    store = CampaignStore(cloud.dynamodb, "nowhere", sleep=lambda _: None)
    with pytest.raises(StoreUnavailable, match="reading a campaign: ResourceNotFoundException"):
        store.get("spring")
    with pytest.raises(StoreUnavailable):
        store.add(make_campaign())
    with pytest.raises(StoreUnavailable):
        store.counters("spring")
    with pytest.raises(StoreUnavailable):
        store.finish_chunk("spring", 0, rows=1, duplicates=0)


def test_two_sweeps_that_find_the_same_drift_repair_it_once(cloud: Cloud, clock: Clock) -> None:
    one, two = (CampaignStore(cloud.dynamodb, CAMPAIGNS, clock=clock) for _ in range(2))
    one.add(make_campaign())
    assert one.repair("spring", {"accepted": 2, "failed": -1})
    assert not two.repair("spring", {"accepted": 2, "failed": -1})
    assert one.counters("spring") == {"accepted": 2, "failed": -1}
    clock.advance(3600)
    assert two.repair("spring", {"failed": 1})
    assert one.counters("spring") == {"accepted": 2}


@pytest.mark.parametrize("status", list(Status))
def test_only_a_campaign_that_is_over_is_forgotten(store: CampaignStore, status: Status) -> None:
    store.add(make_campaign(status=status, list_id="list_1"))
    store.activate("spring")
    store.deactivate("spring")
    over = {Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN, Status.CANCELLED, Status.REFUSED}
    assert list(store.active()) == ([] if status in over else ["spring"])


def test_a_campaign_made_by_plain_messages_is_looked_after_until_forgotten(
    store: CampaignStore,
) -> None:
    store.adopt(make_campaign(status=Status.RUNNING, list_id=""))
    assert list(store.active()) == ["spring"]
    store.pause("spring", "for the test")
    store.deactivate("spring")
    assert list(store.active()) == ["spring"]
    assert store.resume("spring")
    store.deactivate("spring")
    assert list(store.active()) == []


def test_a_campaign_is_resumed_only_from_the_pause_that_was_meant(store: CampaignStore) -> None:
    store.add(make_campaign(status=Status.RUNNING))
    store.pause("spring", "the daily quota")
    assert not store.resume("spring", paused_for="another reason")
    assert store.resume("spring", paused_for="the daily quota")
    found = store.get("spring")
    assert found is not None
    assert (found.status, found.reason, found.forgiven) == (Status.RUNNING, "", {})


@pytest.mark.parametrize(
    ("status", "reason", "done"),
    [
        (Status.RUNNING, "", True),
        (Status.PAUSED, "the daily quota", True),
        (Status.PAUSED, "bounces", False),
        (Status.COMPLETE, "the daily quota", False),
    ],
)
def test_a_pause_for_another_reason_is_left_alone(
    store: CampaignStore, status: Status, reason: str, done: bool
) -> None:
    store.add(make_campaign(status=status, reason=reason))
    changed = store.set_status(
        "spring",
        Status.PAUSED,
        expected={Status.RUNNING, Status.PAUSED},
        reason="by hand",
        paused_for="the daily quota",
    )
    found = store.get("spring")
    assert found is not None
    assert (changed, found.reason) == (done, "by hand" if done else reason)


def test_what_a_resume_forgives_is_kept(store: CampaignStore) -> None:
    store.add(make_campaign(status=Status.PAUSED))
    assert store.resume("spring", forgiven={"accepted": 500, "bounced": 20})
    found = store.get("spring")
    assert found is not None
    assert found.forgiven == {"accepted": 500, "bounced": 20}


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.PLANNING])
def test_a_campaign_that_begins_to_do_something_is_looked_after(
    store: CampaignStore, status: Status
) -> None:
    """A pause too: the sweep ends it when the daily quota was the reason."""
    store.add(make_campaign(status=Status.COMPLETE))
    assert store.set_status("spring", status, expected={Status.COMPLETE})
    assert list(store.active()) == ["spring"]


def test_a_list_is_pinned_only_while_a_campaign_may_be_changed(cloud: Cloud) -> None:
    store = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    contacts = ContactList(
        id="list_1",
        name="x",
        created_at=1,
        rows=9,
        accepted=7,
        invalid=1,
        duplicates=1,
        parts=4,
        revision=3,
    )
    for status in Status:
        store.add(make_campaign(str(status), status=status, list_id="list_1", chunks=2))
        store.pin_list(str(status), contacts)
        found = store.get(str(status))
        assert found is not None
        pinned = (found.list_revision, found.chunks, found.expected, found.rows)
        assert pinned == ((3, 4, 7, 9) if status in EDITABLE else (0, 2, 0, 0))
