"""The ledger in DynamoDB: conditions, counters and replays, as the in-memory one has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cloud import CAMPAIGNS, RECIPIENTS, Cloud

from fakes import NOW, MemoryCampaigns, MemoryLedger, make_campaign, make_row
from sendmill.contact import Contact
from sendmill.delivery import Ledger
from sendmill.errors import InvalidCampaign, StoreUnavailable
from sendmill.ledger import (
    Row,
    State,
    Transition,
    claim,
    expire,
    fail,
    record,
    reopen,
    suppress,
)
from sendmill.outcome import Fate, Outcome, accepted
from sendmill.store import CampaignStore, RecipientSearch, RecipientStore
from sendmill.store.item import encode
from sendmill.store.look import Wanted
from sendmill.store.recipient_item import item_of

OWNER = "request-1"


@pytest.fixture
def campaigns(cloud: Cloud) -> CampaignStore:
    found = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    found.add(make_campaign())
    found.add(make_campaign("summer"))
    return found


@pytest.fixture
def rows(cloud: Cloud, campaigns: CampaignStore) -> RecipientStore:
    return RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS, sleep=lambda _: None)


@pytest.fixture
def search(cloud: Cloud) -> RecipientSearch:
    return RecipientSearch(cloud.dynamodb, RECIPIENTS)


def key(row: Row) -> tuple[str, str]:
    return row.campaign_id, row.rid


def standing(rows: RecipientStore, *wanted: Row) -> list[Row]:
    found, _ = rows.read([key(row) for row in wanted], suppression_keys=[])
    return [found[key(row)] for row in wanted]


def claimed(rows: RecipientStore, *wanted: Row) -> list[Row]:
    """Put rows and claim them; return them as they stand."""
    rows.adopt(wanted)
    steps = [claim(row, owner=OWNER, lease=NOW + 90, now=NOW) for row in wanted]
    assert all(rows.apply(steps, owner=OWNER))
    return [step.after for step in steps]


FULL = make_row(
    "zo\u00eb+x@example.com".replace("\u00eb", "e"),
    contact=Contact(
        email="zoe+x@example.com", fields={"name": 'Zo\u00eb "\U0001f600"', "empty": ""}
    ),
    state=State.RETRY,
    attempt=3,
    tries=2,
    owner="me",
    lease=NOW + 90,
    due=NOW + 5,
    content="abc",
    chunk=7,
    line=12,
    reason="smtp_450",
    message_id="0102",
    updated_at=NOW + 1,
)


def test_a_row_reads_back_as_it_was_put(rows: RecipientStore) -> None:
    rows.put_all([FULL, make_row()])
    assert standing(rows, FULL, make_row()) == [FULL, make_row()]


def test_rows_that_are_not_there_are_left_out(rows: RecipientStore) -> None:
    assert rows.read([("spring", "nobody")], suppression_keys=["none"]) == ({}, {})
    assert rows.read([], suppression_keys=[]) == ({}, {})


def test_suppressions_come_with_the_rows(rows: RecipientStore, cloud: Cloud) -> None:
    item = {"pk": {"S": "S#abc"}, "sk": {"S": "S"}, "reason": {"S": "bounced"}}
    cloud.dynamodb.put_item(TableName=RECIPIENTS, Item=item)
    rows.adopt([make_row()])
    found, reasons = rows.read([key(make_row())], suppression_keys=["abc", "abc", "other"])
    assert list(found) == [key(make_row())]
    assert reasons == {"abc": "bounced"}


def test_more_rows_than_one_request_takes_are_all_read(rows: RecipientStore) -> None:
    many = [make_row(f"user{n}@example.com") for n in range(130)]
    rows.put_all(many)
    assert standing(rows, *many) == many


def test_a_row_is_put_once_and_the_first_stands(rows: RecipientStore) -> None:
    first, other = make_row(chunk=1, line=2), make_row(chunk=2, line=9)
    assert [put.ours for put in rows.put_all([first])] == [True]
    again, foreign = rows.put_all([first])[0], rows.put_all([other])[0]
    assert (again.ours, again.row) == (True, first)
    assert (foreign.ours, foreign.row) == (False, first)


def test_putting_again_says_how_far_a_row_has_come(rows: RecipientStore) -> None:
    row = make_row(chunk=1)
    rows.put_all([row])
    rows.apply([claim(row, owner=OWNER, lease=NOW, now=NOW)], owner=OWNER)
    (put,) = rows.put_all([row])
    assert (put.ours, put.row.state) == (True, State.SENDING)


def test_adopting_counts_each_row_in_once(rows: RecipientStore, campaigns: CampaignStore) -> None:
    two = [make_row("a@example.com"), make_row("b@example.com")]
    for _ in range(2):
        assert set(rows.adopt(two)) == {key(row) for row in two}
    assert campaigns.get("spring").total == 2  # type: ignore[union-attr]


def test_a_claim_and_a_record_move_row_and_counters(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    (row,) = claimed(rows, make_row())
    assert standing(rows, row) == [row]
    assert campaigns.counters("spring") == {"sending": 1}
    step = record(row, accepted("0102"), now=NOW + 1, jitter=1.0)
    assert rows.apply([step], owner=OWNER) == [True]
    assert standing(rows, row) == [step.after]
    assert campaigns.counters("spring") == {"accepted": 1}


def test_counters_of_every_owner_add_up(rows: RecipientStore, campaigns: CampaignStore) -> None:
    for n in range(20):
        row = make_row(f"user{n}@example.com")
        rows.adopt([row])
        rows.apply([claim(row, owner=f"o{n}", lease=NOW, now=NOW)], owner=f"o{n}")
    assert campaigns.counters("spring") == {"sending": 20}


def test_two_campaigns_in_one_batch_keep_their_own_counters(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    claimed(rows, make_row(), make_row(campaign_id="summer"), make_row("b@example.com"))
    assert campaigns.counters("spring") == {"sending": 2}
    assert campaigns.counters("summer") == {"sending": 1}


def test_a_refused_row_is_dropped_alone_and_the_rest_applied(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    all_rows = [make_row(f"user{n}@example.com") for n in range(10)]
    rows.adopt(all_rows)
    rows.apply([claim(all_rows[3], owner="other", lease=NOW, now=NOW)], owner="other")
    steps = [claim(row, owner=OWNER, lease=NOW + 90, now=NOW) for row in all_rows]
    assert rows.apply(steps, owner=OWNER) == [n != 3 for n in range(10)]
    owners = [row.owner for row in standing(rows, *all_rows)]
    assert owners == ["other" if n == 3 else OWNER for n in range(10)]
    assert campaigns.counters("spring") == {"sending": 10}


def test_a_whole_batch_that_was_refused_moves_nothing(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    taken = claimed(rows, make_row(), make_row("b@example.com"))
    stale = [
        claim(replace(row, state=State.PENDING, attempt=0, owner=""), owner="late", lease=1, now=1)
        for row in taken
    ]
    assert rows.apply(stale, owner="late") == [False, False]
    assert standing(rows, *taken) == taken
    assert campaigns.counters("spring") == {"sending": 2}


def test_our_own_write_whose_answer_was_lost_counts_once(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    two = [make_row(), make_row("b@example.com")]
    rows.adopt(two)
    steps = [claim(row, owner=OWNER, lease=NOW + 90, now=NOW) for row in two]
    for _ in range(3):
        assert rows.apply(steps, owner=OWNER) == [True, True]
    assert campaigns.counters("spring") == {"sending": 2}


def test_a_replay_of_half_a_batch_counts_once(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    two = [make_row(), make_row("b@example.com")]
    rows.adopt(two)
    steps = [claim(row, owner=OWNER, lease=NOW + 90, now=NOW) for row in two]
    assert rows.apply(steps[:1], owner=OWNER) == [True]
    assert rows.apply(steps, owner=OWNER) == [True, True]
    assert campaigns.counters("spring") == {"sending": 2}


def test_the_answer_to_the_first_attempt_is_lost_and_the_sdk_asks_again(
    rows: RecipientStore, campaigns: CampaignStore, cloud: Cloud
) -> None:
    rows.adopt([make_row()])
    lost = []

    def lose_the_first(**_: Any) -> None:
        if not lost:
            lost.append(True)
            raise EndpointConnectionError(endpoint_url="lost")

    cloud.on_dynamodb("after-call.dynamodb.TransactWriteItems", lose_the_first)
    step = claim(make_row(), owner=OWNER, lease=NOW + 90, now=NOW)
    with pytest.raises(StoreUnavailable, match="writing rows: EndpointConnectionError"):
        rows.apply([step], owner=OWNER)
    assert rows.apply([step], owner=OWNER) == [True]
    assert campaigns.counters("spring") == {"sending": 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: replace(row, owner="somebody"),
        lambda row: replace(row, attempt=row.attempt + 1),
        lambda row: replace(row, state=State.UNKNOWN),
    ],
    ids=["owner", "attempt", "state"],
)
def test_a_write_is_fenced_by_state_owner_and_attempt(
    rows: RecipientStore, campaigns: CampaignStore, spoil: Callable[[Row], Row]
) -> None:
    (row,) = claimed(rows, make_row())
    step = record(row, accepted("0102"), now=NOW, jitter=1.0)
    stale = Transition(before=spoil(row), after=step.after, counts=step.counts)
    assert rows.apply([stale], owner=OWNER) == [False]
    assert standing(rows, row) == [row]
    assert campaigns.counters("spring") == {"sending": 1}


def test_a_large_batch_takes_several_transactions(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    many = [make_row(f"user{n}@example.com") for n in range(110)]
    rows.put_all(many)
    steps = [claim(row, owner=OWNER, lease=NOW, now=NOW) for row in many]
    assert rows.apply(steps, owner=OWNER) == [True] * 110
    assert campaigns.counters("spring") == {"sending": 110}


def cancelled(*codes: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
            "CancellationReasons": [{"Code": code} for code in codes],
        },
        "TransactWriteItems",
    )


class Conflicts:
    """Cancel the next transactions as DynamoDB does when they meet another one."""

    def __init__(self, cloud: Cloud, times: int, *codes: str) -> None:
        self.left, self.codes = times, codes
        name = "before-call.dynamodb.TransactWriteItems"
        cloud.on_dynamodb(name, self._cancel)

    def _cancel(self, **_: Any) -> None:
        if self.left:
            self.left -= 1
            raise cancelled(*self.codes)


@pytest.mark.parametrize(
    "code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_a_transaction_that_only_met_another_is_sent_again(
    rows: RecipientStore, campaigns: CampaignStore, cloud: Cloud, code: str
) -> None:
    rows.adopt([make_row()])
    Conflicts(cloud, 3, "None", code)
    step = claim(make_row(), owner=OWNER, lease=NOW, now=NOW)
    assert rows.apply([step], owner=OWNER) == [True]
    assert campaigns.counters("spring") == {"sending": 1}


def test_a_conflict_without_end_is_an_error(rows: RecipientStore, cloud: Cloud) -> None:
    rows.adopt([make_row()])
    Conflicts(cloud, 1_000, "TransactionConflict", "None")
    with pytest.raises(StoreUnavailable, match="kept conflicting"):
        rows.apply([claim(make_row(), owner=OWNER, lease=NOW, now=NOW)], owner=OWNER)


def test_a_row_is_not_adopted_into_a_campaign_that_is_gone(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    """A draft deleted meanwhile; half a campaign would stop every sweep from then on."""
    with pytest.raises(StoreUnavailable, match="campaign gone does not exist"):
        rows.adopt([make_row(campaign_id="gone")])
    assert campaigns.get("gone") is None
    assert rows.read([key(make_row(campaign_id="gone"))], suppression_keys=[]) == ({}, {})


def test_adopting_goes_on_after_a_conflict(
    rows: RecipientStore, campaigns: CampaignStore, cloud: Cloud
) -> None:
    """Every worker of a campaign of plain messages adds to the same total."""
    Conflicts(cloud, 3, "None", "TransactionConflict")
    rows.adopt([make_row()])
    assert campaigns.get("spring").total == 1  # type: ignore[union-attr]


def test_adopting_under_conflict_without_end_is_an_error(
    rows: RecipientStore, cloud: Cloud
) -> None:
    Conflicts(cloud, 1_000, "None", "TransactionConflict")
    with pytest.raises(StoreUnavailable, match="TransactionConflict"):
        rows.adopt([make_row()])


def test_keys_left_unprocessed_are_asked_for_again(rows: RecipientStore, cloud: Cloud) -> None:
    rows.adopt([make_row()])
    times = [2]

    def leave_all(parsed: dict[str, Any], **_: Any) -> None:
        if times[0]:
            times[0] -= 1
            parsed["Responses"] = {}
            parsed["UnprocessedKeys"] = {
                RECIPIENTS: {
                    "Keys": [{"pk": row["pk"], "sk": row["sk"]} for row in cloud.rows()],
                    "ConsistentRead": True,
                }
            }

    cloud.on_dynamodb("after-call.dynamodb.BatchGetItem", leave_all)
    assert standing(rows, make_row()) == [make_row()]
    times[0] = 1_000
    with pytest.raises(StoreUnavailable, match="left keys unprocessed"):
        standing(rows, make_row())


def test_a_failed_row_that_is_opened_again_is_back_in_the_index(
    rows: RecipientStore, cloud: Cloud
) -> None:
    (row,) = claimed(rows, make_row())
    failed = record(row, Outcome(fate=Fate.NEVER, reason="x"), now=NOW, jitter=1.0)
    assert rows.apply(
        [
            failed,
        ],
        owner=OWNER,
    ) == [True]
    assert rows.apply([reopen(failed.after, now=NOW + 9)], owner=OWNER) == [True]
    (item,) = cloud.rows()
    assert item["g1pk"]["S"].startswith("DUE#")
    assert int(item["g1sk"]["N"]) == NOW + 9


@pytest.mark.parametrize(
    "end",
    [
        lambda row: record(row, accepted("x"), now=NOW, jitter=1.0),
        lambda row: record(row, Outcome(fate=Fate.NEVER, reason="x"), now=NOW, jitter=1.0),
    ],
    ids=["accepted", "failed"],
)
def test_a_final_row_leaves_the_index_of_what_is_due(
    rows: RecipientStore, cloud: Cloud, end: Callable[[Row], Transition]
) -> None:
    (row,) = claimed(rows, make_row(due=NOW))
    (item,) = cloud.rows()
    assert item["g1pk"]["S"].startswith("DUE#")
    rows.apply([end(row)], owner=OWNER)
    (item,) = cloud.rows()
    assert "g1pk" not in item
    assert "g1sk" not in item


def test_a_row_that_waits_is_in_the_index_at_its_time(rows: RecipientStore, cloud: Cloud) -> None:
    (row,) = claimed(rows, make_row())
    step = record(row, Outcome(fate=Fate.LATER, reason="smtp_421"), now=NOW, jitter=1.0)
    rows.apply([step], owner=OWNER)
    (item,) = cloud.rows()
    assert int(item["g1sk"]["N"]) == step.after.due


def test_pages_show_every_row_once(rows: RecipientStore, search: RecipientSearch) -> None:
    many = [make_row(f"user{n}@example.com") for n in range(25)]
    many += [make_row(f"done{n}@example.com", state=State.ACCEPTED) for n in range(5)]
    rows.put_all(many)
    for state, expected in (("", 30), ("pending", 25), ("accepted", 5), ("failed", 0)):
        seen: Counter[str] = Counter()
        cursor, pages = "", 0
        while True:
            page, cursor = search.page("spring", Wanted(state=state), cursor=cursor, limit=4)
            assert len(page) <= 4
            seen.update(row.rid for row in page)
            pages += 1
            if not cursor:
                break
            assert pages < 100
        assert len(seen) == expected
        assert set(seen.values()) <= {1}


@pytest.mark.parametrize("cursor", ["x", "99x", "-1", "1.2.3", "\u00b2", "3.A B", "99."])
def test_a_cursor_that_no_page_gave_is_refused(search: RecipientSearch, cursor: str) -> None:
    with pytest.raises(InvalidCampaign, match="cursor must be"):
        search.page("spring", Wanted(), cursor=cursor, limit=4)


def test_a_partition_is_read_whole(rows: RecipientStore) -> None:
    many = [make_row(f"user{n}@example.com") for n in range(64)]
    rows.put_all(many)
    found = [row for shard in range(16) for row in rows.in_shard("spring", shard)]
    assert sorted(found, key=key) == sorted(many, key=key)
    assert all(row.shard == 3 for row in rows.in_shard("spring", 3))


def test_a_partition_of_more_than_one_page_is_read_whole(
    rows: RecipientStore, cloud: Cloud
) -> None:
    people = (make_row(f"user{n}@example.com") for n in count())
    many = list(islice((row for row in people if row.shard == 3), 501))
    puts: list[Any] = [{"PutRequest": {"Item": encode(item_of(row))}} for row in many]
    for first in range(0, len(puts), 25):
        cloud.dynamodb.batch_write_item(RequestItems={RECIPIENTS: puts[first : first + 25]})
    found = list(rows.in_shard("spring", 3))
    assert len(found) == len({row.rid for row in found}) == 501


def test_no_key_holds_an_address(rows: RecipientStore, cloud: Cloud) -> None:
    claimed(rows, make_row("victim@example.com"))
    for item in cloud.rows():
        keys = {name: value for name, value in item.items() if name in ("pk", "sk", "g1pk", "g1sk")}
        assert "victim" not in repr(keys)


def test_a_table_that_is_away_is_an_error_of_ours(cloud: Cloud) -> None:
    store = RecipientStore(cloud.dynamodb, "nowhere", "nowhere", sleep=lambda _: None)
    with pytest.raises(StoreUnavailable, match="reading rows: ResourceNotFoundException"):
        store.read([("spring", "x")], suppression_keys=[])
    with pytest.raises(StoreUnavailable, match="creating a row"):
        store.put_all([make_row()])


SCRIPT: list[tuple[str, Callable[[Row], Transition]]] = [
    ("a", lambda row: claim(row, owner="w1", lease=NOW + 9, now=NOW)),
    ("a", lambda row: record(row, Outcome(fate=Fate.LATER, reason="x"), now=NOW, jitter=1.0)),
    ("a", lambda row: claim(row, owner="w2", lease=NOW + 9, now=NOW)),
    ("b", lambda row: suppress(row, reason="bounced", now=NOW)),
    ("a", lambda row: expire(row, now=NOW)),
    ("c", lambda row: fail(row, reason="no", now=NOW)),
]


def play(ledger: Ledger) -> tuple[list[Sequence[bool]], list[Row]]:
    """Write the script, each step twice, once more from the row as it first was."""
    start = {name: make_row(f"{name}@example.com") for name in "abc"}
    keys = [key(row) for row in start.values()]
    ledger.adopt(list(start.values()))
    answers = []
    for name, act in SCRIPT:
        found, _ = ledger.read(keys, suppression_keys=[])
        step = act(found[key(start[name])])
        stale = Transition(before=start[name], after=step.after, counts=step.counts)
        answers += [ledger.apply([one], owner="w") for one in (step, step, stale)]
    found, _ = ledger.read(keys, suppression_keys=[])
    return answers, [found[one] for one in keys]


def test_the_memory_ledger_of_these_tests_does_as_this_store_does(
    rows: RecipientStore, campaigns: CampaignStore
) -> None:
    memory = MemoryCampaigns(make_campaign())
    assert play(rows) == play(MemoryLedger(memory))
    assert campaigns.counters("spring") == memory.counters("spring")
    assert campaigns.counters("spring") == {"unknown": 1, "suppressed": 1, "failed": 1}


def test_states_and_news_are_counted_row_by_row(rows: RecipientStore) -> None:
    found = [
        make_row("a@example.com"),
        make_row("b@example.com", state=State.ACCEPTED, news="sent"),
        *[make_row(f"c{n}@example.com", state=State.ACCEPTED, news="delivered") for n in range(40)],
        make_row("d@example.com", state=State.ACCEPTED, news="bounced"),
        make_row("e@example.com", state=State.UNKNOWN),
    ]
    rows.put_all([*found, make_row("f@example.com", campaign_id="summer")])
    assert rows.count_states("spring") == {
        "pending": 1,
        "accepted": 42,
        "unknown": 1,
        "delivered": 40,
        "bounced": 1,
    }
    assert rows.count_states("nothing") == {}
