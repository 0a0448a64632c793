"""The common rate is never exceeded, whoever reserves, in whatever order, by whatever clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import CONFIG, NOW
from sendmill.rate import (
    CUT_ABOVE,
    CUT_FACTOR,
    MIN_FACTOR,
    RECOVERY_SECONDS,
    RECOVERY_STEP,
    SAFETY,
    Account,
    Slot,
    Unlimited,
    after_batch,
    drain_seconds,
    group_size,
    starts_in,
    taken_until,
)

SECOND = 1_000_000
START = NOW * SECOND
RATES = st.one_of(
    st.sampled_from([0.1, 0.95, 1.0, 13.3, 14.0, 475.0, 700.0, 3000.0]), st.floats(0.1, 5000.0)
)
BATCHES = st.lists(
    st.tuples(st.integers(1, 10), st.integers(-3 * SECOND, 5 * SECOND)), min_size=1, max_size=60
)


def reserve(rate: float, batches: list[tuple[int, int]]) -> list[tuple[float, int, int]]:
    """Reserve one batch after the other; return when each starts, of how many, and its TAT."""
    tat, now, found = 0, START, []
    for count, passed in batches:
        now = max(1, now + passed)
        tat = taken_until(tat, now_us=now, count=count, rate=rate)
        wait = starts_in(tat, now_us=now, count=count, rate=rate)
        found.append((now / SECOND + wait, count, tat))
    return found


@given(RATES, BATCHES)
@settings(deadline=None)
def test_in_no_window_more_start_than_the_rate_and_one_batch(
    rate: float, batches: list[tuple[int, int]]
) -> None:
    """Clocks go backwards here too: by up to three seconds from one reservation to the next."""
    starts = sorted((at, count) for at, count, _ in reserve(rate, batches))
    for first in range(len(starts)):
        begun = 0
        for at, count in starts[first:]:
            begun += count
            # 0.001: a float cannot hold seconds since 1970 to the microsecond
            assert begun <= rate * (at - starts[first][0] + 0.001) + count


@given(RATES, BATCHES)
@settings(deadline=None)
def test_slots_follow_each_other_and_never_overlap(
    rate: float, batches: list[tuple[int, int]]
) -> None:
    found = reserve(rate, batches)
    for (_, _, before), (at, count, tat) in pairwise(found):
        assert tat > before
        assert tat - before >= count * SECOND / rate - 1
        assert at >= before / SECOND - 0.001


@given(RATES, st.integers(1, 10))
def test_an_idle_rate_starts_at_once_and_saves_nothing_up(rate: float, count: int) -> None:
    tat = taken_until(START - 3600 * SECOND, now_us=START, count=count, rate=rate)
    assert starts_in(tat, now_us=START, count=count, rate=rate) < 2e-6
    following = taken_until(tat, now_us=START, count=1, rate=rate)
    wait = starts_in(following, now_us=START, count=1, rate=rate)
    assert wait == pytest.approx(count / rate, abs=1e-5)


def test_a_clock_that_goes_back_waits_longer_and_gives_nothing_twice() -> None:
    tat = taken_until(0, now_us=START, count=10, rate=10.0)
    back = START - 5 * SECOND
    following = taken_until(tat, now_us=back, count=10, rate=10.0)
    assert following == tat + SECOND
    assert starts_in(following, now_us=back, count=10, rate=10.0) == pytest.approx(6.0)


@pytest.mark.parametrize("rate", [700.0, 1999.0, 4000.0])
def test_single_mails_of_a_fast_account_keep_the_rate(rate: float) -> None:
    """The interval is below a millisecond or close to it: what is rounded off would add up."""
    tat = START
    for _ in range(1000):
        tat = taken_until(tat, now_us=START, count=1, rate=rate)
    assert (tat - START) / SECOND == pytest.approx(1000 / rate, rel=0.01)
    assert tat - START >= 1000 * SECOND / rate


@pytest.mark.parametrize(
    ("rate", "count", "size"),
    [(0.0, 10, 10), (0.1, 10, 1), (1.0, 10, 1), (13.3, 10, 10), (3.9, 10, 3), (500.0, 10, 10)],
)
def test_a_group_is_at_most_a_seconds_worth_and_at_least_one(
    rate: float, count: int, size: int
) -> None:
    assert group_size(rate, count) == size


@given(st.floats(0.0, 1000.0), st.integers(1, 100))
def test_groups_always_get_a_batch_done(rate: float, count: int) -> None:
    assert 1 <= group_size(rate, count) <= count


def test_the_rate_stays_below_what_ses_allows() -> None:
    assert Account(max_rate=100.0).rate() == pytest.approx(100.0 * SAFETY)
    assert Account(max_rate=100.0, factor=0.5).rate() == pytest.approx(50.0 * SAFETY)
    assert Account(max_rate=0.0).rate() > 0


@pytest.mark.parametrize(
    ("quota", "today", "left"),
    [(-1.0, 1e9, float("inf")), (200.0, 50.0, 150.0), (200.0, 201.0, 0.0), (0.0, 0.0, 0.0)],
)
def test_what_is_left_of_the_quota(quota: float, today: float, left: float) -> None:
    assert Account(daily_quota=quota, sent_today=today).left_today() == left


@pytest.mark.parametrize(
    ("quota", "today", "used"), [(-1.0, 1e9, 0.0), (200.0, 50.0, 25.0), (0.0, 5.0, 0.0)]
)
def test_how_much_of_the_quota_is_used(quota: float, today: float, used: float) -> None:
    assert Account(daily_quota=quota, sent_today=today).used_percent() == used


@pytest.mark.parametrize(
    ("account", "trouble"),
    [
        (Account(), False),
        (Account(stopped="sending_paused"), True),
        (Account(enforcement="PROBATION"), True),
    ],
)
def test_an_account_under_review_is_in_trouble(account: Account, trouble: bool) -> None:
    assert account.in_trouble() is trouble


FULL = Account(max_rate=100.0)


def test_a_batch_that_is_mostly_refused_cuts_the_rate() -> None:
    after = after_batch(FULL, sent=2, throttled=8, now=NOW)
    assert (after.factor, after.factor_at) == (CUT_FACTOR, NOW)


@pytest.mark.parametrize(("sent", "throttled"), [(10, 0), (9, 1), (3, 7), (0, 0)])
def test_a_few_refusals_are_noise(sent: int, throttled: int) -> None:
    assert throttled <= CUT_ABOVE * (sent + throttled)
    assert after_batch(FULL, sent=sent, throttled=throttled, now=NOW) == FULL


def test_a_fleet_that_is_refused_together_cuts_once_a_second() -> None:
    account = FULL
    for _ in range(20):
        account = after_batch(account, sent=0, throttled=10, now=NOW)
    assert account.factor == CUT_FACTOR
    account = after_batch(account, sent=0, throttled=10, now=NOW + 1)
    assert account.factor == pytest.approx(CUT_FACTOR**2)


def test_the_rate_recovers_step_by_step_within_minutes() -> None:
    account, now = replace(FULL, factor=MIN_FACTOR, factor_at=NOW), NOW
    soon = after_batch(account, sent=10, throttled=0, now=NOW + RECOVERY_SECONDS - 1)
    assert soon == account
    while account.factor < 1.0:
        before, now = account.factor, now + RECOVERY_SECONDS
        account = after_batch(account, sent=10, throttled=0, now=now)
        assert 0 < account.factor - before <= RECOVERY_STEP + 1e-9
    assert account.factor == 1.0
    assert now - NOW < 300
    assert after_batch(account, sent=10, throttled=0, now=now + 60) == account


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(-60, 60)), max_size=60)
)
def test_the_factor_stays_between_its_ends_whatever_happens(
    batches: list[tuple[int, int, int]],
) -> None:
    account, now = FULL, NOW
    for sent, throttled, passed in batches:
        now += passed
        account = after_batch(account, sent=sent, throttled=throttled, now=now)
        assert MIN_FACTOR <= account.factor <= 1.0
        assert account.rate() > 0


@pytest.mark.parametrize(
    ("rate", "mails", "seconds"), [(100.0, 0, 0), (100.0, 950, 15), (1.0, 95, 150)]
)
def test_a_queue_drains_in_the_time_it_takes_and_half_as_long(
    rate: float, mails: int, seconds: int
) -> None:
    assert drain_seconds(Account(max_rate=rate), mails) == seconds


def test_a_cut_rate_drains_more_slowly() -> None:
    cut = replace(FULL, factor=0.5)
    assert drain_seconds(cut, 1000) == pytest.approx(2 * drain_seconds(FULL, 1000), abs=1)


def test_servers_that_know_no_rate_are_not_limited() -> None:
    limiter = Unlimited()
    assert limiter.reserve(CONFIG, 1_000_000) == Slot(starts_in=0.0, rate=0.0, stopped="")
    limiter.report(CONFIG, sent=0, throttled=10)
    assert limiter.reserve(CONFIG, 1) == Slot()
