"""The account and its rate in DynamoDB: one write a reservation, no slot given twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud import CAMPAIGNS, Cloud
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import CONFIG, NOW
from sendmill.campaign import Service
from sendmill.errors import StoreUnavailable
from sendmill.rate import CUT_FACTOR, SAFETY, SAMPLE_MAILS, Account, Slot
from sendmill.store import AccountStore
from sendmill.store.accounts import (
    ASK_AGAIN_SECONDS,
    CACHE_SECONDS,
    STALE_SECONDS,
    SharedLimiter,
)

HOME, OTHER = "us-east-1", "eu-west-1"
SMTP = replace(CONFIG, email_service=Service.SMTP)
ELSEWHERE = replace(CONFIG, aws_region=OTHER)
SECOND = 1_000_000
START = NOW * SECOND
ASKED = Account(max_rate=10.0 / SAFETY, daily_quota=200.0, sent_today=5.0)


@dataclass
class Seconds:
    """A clock that only the test moves."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Ses:
    """Says of the account what it is told to, and counts how often it was asked."""

    account: Account = ASKED
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def __call__(self, region: str) -> Account:
        self.asked.append(region)
        if self.away:
            raise StoreUnavailable("asking SES for the account: TooManyRequestsException")
        return self.account


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def ses() -> Ses:
    return Ses()


@pytest.fixture
def calls(cloud: Cloud) -> list[str]:
    """The names of the calls that DynamoDB was sent."""
    found: list[str] = []

    def note(model: Any, **_: Any) -> None:
        found.append(model.name)

    cloud.on_dynamodb("before-call.dynamodb.*", note)
    return found


@pytest.fixture
def make(cloud: Cloud, clock: Seconds) -> Callable[[], AccountStore]:
    """A function that makes the store of one more worker."""
    return lambda: AccountStore(cloud.dynamodb, CAMPAIGNS, monotonic=clock)


@pytest.fixture
def store(make: Callable[[], AccountStore]) -> AccountStore:
    return make()


@pytest.fixture
def limiter(store: AccountStore, ses: Ses, clock: Seconds) -> SharedLimiter:
    return SharedLimiter(store, ask=ses, home=HOME, clock=clock)


# Reservations


def test_reservations_of_a_busy_rate_take_one_write_each(
    store: AccountStore, calls: list[str]
) -> None:
    store.reserve(HOME, 10, 10.0, START)
    calls.clear()
    waits = [store.reserve(HOME, 10, 10.0, START) for _ in range(5)]
    assert waits == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0])
    assert len(calls) <= 6
    calls.clear()
    store.reserve(HOME, 10, 10.0, START)
    assert calls == ["UpdateItem"]


def test_reservations_of_an_idle_rate_take_one_write_each(
    store: AccountStore, calls: list[str]
) -> None:
    store.reserve(HOME, 10, 10.0, START)
    for minute in range(1, 4):
        calls.clear()
        assert store.reserve(HOME, 10, 10.0, START + minute * 60 * SECOND) == 0.0
    assert calls == ["UpdateItem"]


def test_the_first_reservation_of_all_starts_at_once(store: AccountStore) -> None:
    assert store.reserve(HOME, 1, 14.0, START) == pytest.approx(0.0, abs=1e-5)


def test_regions_share_nothing(store: AccountStore) -> None:
    store.reserve(HOME, 100, 1.0, START)
    assert store.reserve(OTHER, 1, 1.0, START) == 0.0


def test_two_workers_that_take_turns_never_share_a_slot(make: Callable[[], AccountStore]) -> None:
    workers, waits = [make(), make()], []
    for turn in range(10):
        waits.append(workers[turn % 2].reserve(HOME, 5, 10.0, START))
    assert waits == pytest.approx([0.5 * n for n in range(10)])


def test_a_worker_that_is_overtaken_within_its_write_waits_behind_the_other(
    make: Callable[[], AccountStore], cloud: Cloud
) -> None:
    first, second = make(), make()
    first.reserve(HOME, 1, 10.0, START - 60 * SECOND)
    found: dict[str, float] = {}

    def overtake(**_: Any) -> None:
        if "second" not in found:
            found["second"] = 0.0
            found["second"] = second.reserve(HOME, 10, 10.0, START)

    cloud.on_dynamodb("before-call.dynamodb.UpdateItem", overtake)
    found["first"] = first.reserve(HOME, 10, 10.0, START)
    assert (found["second"], found["first"]) == pytest.approx((0.0, 1.0))


def test_a_clock_that_goes_back_gets_no_slot_twice(make: Callable[[], AccountStore]) -> None:
    make().reserve(HOME, 10, 10.0, START)
    assert make().reserve(HOME, 10, 10.0, START - 5 * SECOND) == pytest.approx(6.0)


TURNS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 10), st.integers(-SECOND, 3 * SECOND)),
    min_size=1,
    max_size=12,
)


@given(TURNS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_workers_with_clocks_of_their_own_never_exceed_the_rate(
    make: Callable[[], AccountStore], cloud: Cloud, turns: list[tuple[int, int, int]]
) -> None:
    cloud.dynamodb.delete_item(
        TableName=CAMPAIGNS, Key={"pk": {"S": f"RATE#{HOME}"}, "sk": {"S": "SES"}}
    )
    workers, now, starts = [make() for _ in range(3)], START, []
    for worker, count, passed in turns:
        now += passed
        wait = workers[worker].reserve(HOME, count, 10.0, now)
        starts.append(((now - START) / SECOND + wait, count))
    starts.sort()
    for first in range(len(starts)):
        begun = 0
        for at, count in starts[first:]:
            begun += count
            assert begun <= 10.0 * (at - starts[first][0] + 0.001) + count


def test_a_rate_that_everybody_takes_first_is_said_so(store: AccountStore, cloud: Cloud) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")

    cloud.on_dynamodb("before-call.dynamodb.UpdateItem", refuse)
    with pytest.raises(StoreUnavailable, match="other workers kept coming first"):
        store.reserve(HOME, 1, 10.0, START)


# The account


def test_an_account_nobody_asked_for_is_a_plain_one(store: AccountStore) -> None:
    assert store.load(HOME) == Account()


def test_an_account_reads_back_as_it_was_kept(make: Callable[[], AccountStore]) -> None:
    account = Account(
        max_rate=13.7,
        daily_quota=-1.0,
        sent_today=17.5,
        production=False,
        enforcement="PROBATION",
        stopped="sending_paused",
        asked_at=NOW,
    )
    make().save_quota(HOME, account)
    assert make().load(HOME) == account
    assert make().load(OTHER) == Account()


def test_a_quota_that_is_refreshed_leaves_the_factor(make: Callable[[], AccountStore]) -> None:
    make().save_factor(HOME, Account(factor=0.4, factor_at=NOW), was=Account())
    make().save_quota(HOME, replace(ASKED, asked_at=NOW))
    found = make().load(HOME)
    assert (found.factor, found.factor_at, found.max_rate) == (0.4, NOW, ASKED.max_rate)
    later = replace(found, factor=0.5, factor_at=NOW + 5, max_rate=1.0)
    make().save_factor(HOME, later, was=found)
    found = make().load(HOME)
    assert (found.factor, found.max_rate) == (0.5, ASKED.max_rate)


def test_an_answer_that_comes_late_does_not_undo_a_newer_one(
    make: Callable[[], AccountStore],
) -> None:
    store = make()
    store.save_quota(HOME, replace(ASKED, asked_at=NOW))
    store.save_quota(HOME, replace(ASKED, asked_at=NOW - 1, stopped="sending_paused"))
    assert store.load(HOME) == replace(ASKED, asked_at=NOW)
    store.save_quota(HOME, replace(ASKED, asked_at=NOW, sent_today=6.0))
    assert make().load(HOME).sent_today == 6.0


def test_a_recovery_does_not_undo_a_cut_that_came_meanwhile(
    make: Callable[[], AccountStore],
) -> None:
    first = Account(factor=0.5, factor_at=NOW)
    slow, quick = make(), make()
    slow.save_factor(HOME, first, was=Account())
    assert slow.load(HOME) == quick.load(HOME) == first
    cut = replace(first, factor=0.4, factor_at=NOW + 6)
    quick.save_factor(HOME, cut, was=first)
    slow.save_factor(HOME, replace(first, factor=0.52, factor_at=NOW + 6), was=first)
    assert make().load(HOME) == cut
    assert slow.load(HOME) == cut


def test_a_change_is_seen_within_seconds(
    make: Callable[[], AccountStore], clock: Seconds, calls: list[str]
) -> None:
    one, two = make(), make()
    assert one.load(HOME) == Account()
    two.save_quota(HOME, ASKED)
    clock.now += CACHE_SECONDS - 0.1
    calls.clear()
    assert one.load(HOME) == Account()
    assert calls == []
    clock.now += 0.1
    assert one.load(HOME) == ASKED


def test_a_table_that_is_away_is_said_so(store: AccountStore, cloud: Cloud) -> None:
    cloud.dynamodb.delete_table(TableName=CAMPAIGNS)
    with pytest.raises(StoreUnavailable, match="reading the account"):
        store.load(HOME)
    with pytest.raises(StoreUnavailable, match="reserving the rate"):
        store.reserve(HOME, 1, 10.0, START)
    with pytest.raises(StoreUnavailable, match="writing the account"):
        store.save_quota(HOME, ASKED)


# The limiter


def test_a_stale_account_is_asked_for_once(
    limiter: SharedLimiter, ses: Ses, clock: Seconds, make: Callable[[], AccountStore]
) -> None:
    slots = [limiter.reserve(CONFIG, 10) for _ in range(3)]
    assert ses.asked == [HOME]
    assert [slot.rate for slot in slots] == pytest.approx([10.0] * 3)
    assert [slot.starts_in for slot in slots] == pytest.approx([0.0, 1.0, 2.0], abs=1e-5)
    clock.now += STALE_SECONDS - 1
    limiter.reserve(CONFIG, 1)
    SharedLimiter(make(), ask=ses, home=HOME, clock=clock).reserve(CONFIG, 1)
    assert ses.asked == [HOME]
    clock.now += 1
    limiter.reserve(CONFIG, 1)
    assert ses.asked == [HOME, HOME]


def test_ses_that_does_not_answer_is_not_asked_for_every_batch(
    limiter: SharedLimiter, ses: Ses, clock: Seconds
) -> None:
    ses.away = True
    for _ in range(5):
        assert limiter.reserve(CONFIG, 1).rate == Account().rate()
    assert ses.asked == [HOME]
    clock.now += ASK_AGAIN_SECONDS
    ses.away = False
    assert limiter.reserve(CONFIG, 1).rate == pytest.approx(10.0)
    assert ses.asked == [HOME, HOME]


def test_what_the_sweep_has_asked_no_worker_asks(
    limiter: SharedLimiter, ses: Ses, make: Callable[[], AccountStore]
) -> None:
    make().save_quota(HOME, replace(ASKED, asked_at=NOW))
    limiter.reserve(CONFIG, 1)
    assert ses.asked == []


def test_each_region_has_its_own_account(limiter: SharedLimiter, ses: Ses) -> None:
    limiter.reserve(CONFIG, 100)
    assert limiter.reserve(ELSEWHERE, 1).starts_in == 0.0
    assert ses.asked == [HOME, OTHER]


def test_a_stopped_account_says_why_and_takes_no_slot(
    limiter: SharedLimiter, ses: Ses, calls: list[str], cloud: Cloud
) -> None:
    ses.account = replace(ASKED, stopped="account_suspended")
    assert limiter.reserve(CONFIG, 10) == Slot(stopped="account_suspended")
    keys = {item["pk"]["S"] for item in cloud.dynamodb.scan(TableName=CAMPAIGNS)["Items"]}
    assert keys == {f"ACCOUNT#{HOME}"}


def test_smtp_has_no_limit_and_costs_nothing(
    limiter: SharedLimiter, ses: Ses, calls: list[str]
) -> None:
    assert limiter.reserve(SMTP, 1_000_000) == Slot()
    limiter.report(SMTP, sent=0, throttled=100)
    assert (ses.asked, calls) == ([], [])


def test_whoever_cannot_wait_makes_nobody_wait(
    store: AccountStore, make: Callable[[], AccountStore]
) -> None:
    store.reserve(HOME, 100, 10.0, START)
    # told when it would be his turn, again and again, and nothing is taken
    for worker in (store, make(), store, make()):
        waits = [worker.reserve(HOME, 10, 10.0, START, within=9.0) for _ in range(3)]
        assert waits == pytest.approx([10.0] * 3)
    assert make().reserve(HOME, 10, 10.0, START, within=10.0) == pytest.approx(10.0)
    assert make().reserve(HOME, 10, 10.0, START, within=11.0) == pytest.approx(11.0)
    assert make().reserve(HOME, 10, 10.0, START) == pytest.approx(12.0)
    # and when all that has passed, he is the first
    later = START + 60 * SECOND
    assert store.reserve(HOME, 10, 10.0, later, within=1.0) == 0.0
    assert store.reserve(HOME, 10, 10.0, later, within=1.0) == pytest.approx(1.0)
    assert store.reserve(HOME, 10, 10.0, later, within=1.0) == pytest.approx(2.0)
    assert store.reserve(HOME, 10, 10.0, later, within=2.0) == pytest.approx(2.0)


def test_refusals_cut_the_rate_of_every_worker(
    limiter: SharedLimiter, clock: Seconds, make: Callable[[], AccountStore], ses: Ses
) -> None:
    limiter.reserve(CONFIG, 1)
    for _ in range(SAMPLE_MAILS // 10):
        limiter.report(CONFIG, sent=1, throttled=9)
    other = SharedLimiter(make(), ask=ses, home=HOME, clock=clock)
    assert other.reserve(CONFIG, 1).rate == pytest.approx(10.0 * CUT_FACTOR)
    clock.now += 60
    limiter.report(CONFIG, sent=10, throttled=0)
    assert make().load(HOME).factor == pytest.approx(CUT_FACTOR + 0.02)


def test_single_refusals_do_not_add_up_to_a_cut(
    limiter: SharedLimiter, make: Callable[[], AccountStore]
) -> None:
    # three of ten are refused, and two of them again, and one of these, as `delivery` sends them
    limiter.reserve(CONFIG, 1)
    for _ in range(50):
        for sent, throttled in ((7, 3), (1, 2), (1, 1), (0, 1), (1, 0)):
            limiter.report(CONFIG, sent=sent, throttled=throttled)
    assert make().load(HOME).factor == 1.0


def test_a_batch_without_refusals_writes_nothing(limiter: SharedLimiter, calls: list[str]) -> None:
    limiter.reserve(CONFIG, 10)
    calls.clear()
    limiter.report(CONFIG, sent=10, throttled=0)
    assert calls == []
