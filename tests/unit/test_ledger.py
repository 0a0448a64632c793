"""A row changes state only by the table, its counters with it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOW, make_row
from sendmill.contact import Contact
from sendmill.errors import IllegalTransition
from sendmill.ledger import (
    FINAL,
    GREYLIST_SECONDS,
    MAX_REASON_CHARS,
    MAX_RETRY_SECONDS,
    MAX_TRIES,
    NEWS_ORDER,
    RECONCILE_SECONDS,
    SHARDS,
    News,
    Row,
    State,
    Verdict,
    cancel,
    claim,
    contact_from_text,
    contact_text,
    expire,
    fail,
    give_up,
    hear,
    judge,
    postpone,
    record,
    reopen,
    retry_seconds,
    shard_of,
    suppress,
    transition,
    try_again,
)
from sendmill.outcome import Fate, Outcome, accepted

ALLOWED = {
    "pending": {"sending", "suppressed", "cancelled", "failed"},
    "sending": {"accepted", "failed", "retry", "unknown"},
    "retry": {"sending", "suppressed", "cancelled", "failed", "accepted"},
    "unknown": {"accepted", "retry", "failed"},
    "accepted": set(),
    "failed": {"retry", "accepted"},
    "suppressed": set(),
    "cancelled": set(),
}
PAIRS = list(itertools.product(State, State))


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_only_the_pairs_of_the_table_are_allowed(before: State, after: State) -> None:
    row = make_row(state=before)
    if after not in ALLOWED[before]:
        with pytest.raises(IllegalTransition, match=f"{before} must not become {after}"):
            transition(row, after, now=NOW)
        return
    found = transition(row, after, now=NOW + 5)
    assert found.before is row
    assert (found.after.state, found.after.updated_at) == (after, NOW + 5)


@pytest.mark.parametrize(
    ("before", "after"), [(a, State(b)) for a in State for b in sorted(ALLOWED[a])]
)
def test_counters_move_with_the_states_they_count(before: State, after: State) -> None:
    found = transition(make_row(state=before), after, now=NOW)
    assert found.counts.get(after) == 1
    # pending is what is left of the total: it has no counter
    assert found.counts.get(before) == (None if before is State.PENDING else -1)
    assert State.PENDING not in found.counts


def test_an_error_about_a_row_names_it_by_its_id_and_never_by_its_address() -> None:
    row = make_row(state=State.ACCEPTED)
    with pytest.raises(IllegalTransition) as caught:
        transition(row, State.SENDING, now=NOW)
    assert row.rid in str(caught.value)
    assert "@" not in str(caught.value)


def test_a_claim_names_owner_attempt_and_lease() -> None:
    row = make_row(state=State.RETRY, attempt=2, tries=1, owner="old", reason="smtp_450")
    after = claim(row, owner="me", lease=NOW + 90, now=NOW).after
    assert after == replace(
        row,
        state=State.SENDING,
        attempt=3,
        attempted_at=NOW,
        owner="me",
        lease=NOW + 90,
        reason="",
        updated_at=NOW,
    )


CLAIMED = make_row(state=State.SENDING, attempt=1, owner="me", lease=NOW + 90, due=NOW)


def recorded(outcome: Outcome, row: Row = CLAIMED, jitter: float = 1.0) -> Row:
    return record(row, outcome, now=NOW, jitter=jitter).after


def test_an_accepted_mail_keeps_the_providers_id_and_burns_no_try() -> None:
    after = recorded(accepted("0102"))
    assert (after.state, after.message_id, after.due) == (State.ACCEPTED, "0102", 0)
    assert after.tries == CLAIMED.tries


@pytest.mark.parametrize(
    ("outcome", "state", "tries", "due"),
    [
        (Outcome(fate=Fate.NEVER, reason="smtp_550"), State.FAILED, 0, 0),
        (Outcome(fate=Fate.UNKNOWN, reason="answer_lost"), State.UNKNOWN, 0, RECONCILE_SECONDS),
        (Outcome(fate=Fate.STOP, reason="daily_quota"), State.RETRY, 0, 0),
        (Outcome(fate=Fate.LATER, reason="throttled", throttled=True), State.RETRY, 0, 0),
        (Outcome(fate=Fate.LATER, reason="away", unasked=True), State.RETRY, 0, 60),
        (Outcome(fate=Fate.LATER, reason="unreachable"), State.RETRY, 1, 10),
        (Outcome(fate=Fate.LATER, reason="smtp_450"), State.RETRY, 1, GREYLIST_SECONDS),
        (Outcome(fate=Fate.LATER, reason="smtp_451"), State.RETRY, 1, GREYLIST_SECONDS),
    ],
)
def test_each_class_of_outcome_is_recorded(
    outcome: Outcome, state: State, tries: int, due: int
) -> None:
    after = recorded(outcome)
    assert (after.state, after.tries, after.reason) == (state, tries, outcome.reason)
    assert after.due == (NOW + due if state is not State.FAILED else 0)
    assert after.attempt == CLAIMED.attempt


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate is not Fate.NEVER])
def test_what_was_not_claimed_cannot_be_recorded(fate: Fate) -> None:
    with pytest.raises(IllegalTransition):
        recorded(Outcome(fate=fate, reason="x"), make_row())


LATER = Outcome(fate=Fate.LATER, reason="smtp_421")


def test_refusals_end_in_failure_after_the_last_try() -> None:
    states = [recorded(LATER, replace(CLAIMED, tries=tries)).state for tries in range(MAX_TRIES)]
    assert states == [State.RETRY] * (MAX_TRIES - 1) + [State.FAILED]


def test_throttling_never_gives_a_recipient_up() -> None:
    slow = Outcome(fate=Fate.LATER, reason="throttled", throttled=True)
    row = replace(CLAIMED, tries=MAX_TRIES - 1, attempt=500)
    assert recorded(slow, row).state is State.RETRY
    assert recorded(slow, row).tries == MAX_TRIES - 1


def test_retries_back_off_and_are_capped() -> None:
    waits = [retry_seconds(LATER, tries=tries, jitter=1.0) for tries in (1, 2, 3, 4)]
    assert waits == [10, 20, 40, 80]
    assert retry_seconds(LATER, tries=40, jitter=1.0) == MAX_RETRY_SECONDS


@given(st.integers(1, 60), st.floats(0, 1))
def test_a_retry_waits_at_least_a_second_and_at_most_an_hour(tries: int, jitter: float) -> None:
    assert 1 <= retry_seconds(LATER, tries=tries, jitter=jitter) <= MAX_RETRY_SECONDS


def test_greylisting_waits_long_enough_whatever_the_jitter() -> None:
    grey = Outcome(fate=Fate.LATER, reason="smtp_451")
    assert retry_seconds(grey, tries=1, jitter=0.0) >= 900


def test_a_long_reason_is_cut() -> None:
    after = recorded(Outcome(fate=Fate.NEVER, reason="x" * 1000))
    assert len(after.reason) == MAX_REASON_CHARS
    assert len(fail(make_row(), reason="x" * 1000, now=NOW).after.reason) == MAX_REASON_CHARS


def test_an_expired_claim_is_unknown_and_waits_for_the_providers_event() -> None:
    after = expire(CLAIMED, now=NOW).after
    assert (after.state, after.reason) == (State.UNKNOWN, "worker_lost")
    assert after.due == NOW + RECONCILE_SECONDS
    assert (after.owner, after.attempt) == (CLAIMED.owner, CLAIMED.attempt)


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_waiting_rows_can_be_suppressed_or_failed(state: State) -> None:
    row = make_row(state=state, due=NOW)
    assert suppress(row, reason="bounced", now=NOW).after.state is State.SUPPRESSED
    assert suppress(row, reason="bounced", now=NOW).after.reason == "bounced"
    assert fail(row, reason="no", now=NOW).after.state is State.FAILED
    assert suppress(row, reason="x", now=NOW).after.due == 0


@pytest.mark.parametrize(
    ("state", "lease", "due", "verdict"),
    [
        (State.PENDING, 0, 0, Verdict.SEND),
        (State.PENDING, 0, NOW + 99, Verdict.SEND),
        (State.RETRY, 0, NOW - 1, Verdict.SEND),
        (State.RETRY, 0, NOW, Verdict.SEND),
        (State.RETRY, 0, NOW + 1, Verdict.WAIT),
        (State.SENDING, NOW + 1, 0, Verdict.WAIT),
        (State.SENDING, NOW, 0, Verdict.WAIT),
        (State.SENDING, NOW - 1, 0, Verdict.LOST),
        (State.UNKNOWN, 0, NOW - 1, Verdict.DONE),
        (State.ACCEPTED, 0, 0, Verdict.DONE),
        (State.FAILED, 0, 0, Verdict.DONE),
        (State.SUPPRESSED, 0, 0, Verdict.DONE),
        (State.CANCELLED, 0, 0, Verdict.DONE),
    ],
)
def test_what_a_worker_may_do_with_a_row(
    state: State, lease: int, due: int, verdict: Verdict
) -> None:
    assert judge(make_row(state=state, lease=lease, due=due), NOW) is verdict


def test_final_states_are_those_without_a_way_out() -> None:
    """A failed row leaves its state only by a person's word, or by the provider's."""
    assert {state for state in State if not ALLOWED[state] - {"retry", "accepted"}} == FINAL


def test_rows_spread_over_every_partition() -> None:
    shards = [make_row(f"user{n}@example.com").shard for n in range(1600)]
    assert set(shards) == set(range(SHARDS))
    assert max(shards.count(n) for n in range(SHARDS)) < 200
    assert make_row().shard == shard_of(make_row().rid)


def test_a_contact_survives_its_row() -> None:
    contact = Contact(
        email="a@example.com", fields={"name": 'Zo\u00eb "Z" \U0001f600', "empty": ""}
    )
    assert contact_from_text(contact_text(contact)) == contact
    assert "\\u" not in contact_text(contact)


def test_a_campaign_that_was_cancelled_ends_those_who_wait() -> None:
    assert cancel(make_row(), now=NOW).after.state is State.CANCELLED
    with pytest.raises(IllegalTransition):
        cancel(CLAIMED, now=NOW)


def test_an_unknown_recipient_is_tried_again_or_given_up_by_decision() -> None:
    lost = make_row(state=State.UNKNOWN, attempt=1, due=NOW)
    again, ended = try_again(lost, reason="r", now=NOW), give_up(lost, reason="r", now=NOW)
    assert (again.after.state, again.after.due, again.counts["unknown"]) == (State.RETRY, NOW, -1)
    assert (ended.after.state, ended.after.due, ended.counts["unknown"]) == (State.FAILED, 0, -1)


def test_a_failed_recipient_is_tried_anew_with_all_his_tries() -> None:
    row = make_row(state=State.FAILED, tries=MAX_TRIES, reason="smtp_450", attempt=5)
    after = reopen(row, now=NOW).after
    assert (after.state, after.tries, after.due, after.attempt) == (State.RETRY, 0, NOW, 5)


def test_postponing_moves_the_time_and_keeps_when_it_first_came() -> None:
    row = make_row(due=NOW)
    step = postpone(row, until=NOW + 300, now=NOW)
    assert step.after == replace(row, due=NOW + 300, late_since=NOW, updated_at=NOW)
    again = postpone(step.after, until=NOW + 600, now=NOW + 300)
    assert again.after.late_since == NOW
    assert step.counts == {}


SENT_ONCE = {"attempt": 1, "owner": "me"}
HEARD = [
    (State.SENDING, 1, State.ACCEPTED),
    (State.UNKNOWN, 1, State.ACCEPTED),
    (State.RETRY, 1, State.ACCEPTED),
    (State.ACCEPTED, 1, State.ACCEPTED),
    (State.FAILED, 1, State.ACCEPTED),
    (State.FAILED, 0, None),
    (State.FAILED, 2, None),
    (State.PENDING, 0, None),
    (State.SUPPRESSED, 0, None),
    (State.CANCELLED, 0, None),
    (State.SENDING, 2, None),
]


@pytest.mark.parametrize(("state", "attempt", "after"), HEARD)
def test_an_event_proves_that_the_provider_took_the_mail(
    state: State, attempt: int, after: State | None
) -> None:
    row = make_row(state=state, **SENT_ONCE)
    step = hear(row, News.SENT, attempt=attempt, message_id="0102", now=NOW)
    assert (step and step.after.state) == after


@pytest.mark.parametrize(
    ("old", "new"), list(itertools.product(News, News)), ids=lambda news: str(news) or "none"
)
def test_news_only_ever_advance_and_their_counters_with_them(old: News, new: News) -> None:
    row = make_row(state=State.ACCEPTED, news=old, **SENT_ONCE)
    step = hear(row, new, attempt=1, message_id="0102", now=NOW)
    if NEWS_ORDER.index(new) <= NEWS_ORDER.index(old):
        assert step is None
        return
    assert step is not None
    assert (step.after.news, step.after.state) == (new, State.ACCEPTED)
    counted = {"delivered", "soft_bounced", "bounced", "complained"}
    assert step.counts == {
        **({str(old): -1} if old in counted else {}),
        **({str(new): 1} if new in counted else {}),
    }


def test_the_first_news_of_a_lost_answer_settle_it_and_count_both() -> None:
    row = make_row(state=State.UNKNOWN, **SENT_ONCE)
    step = hear(row, News.BOUNCED, attempt=1, message_id="0102", now=NOW)
    assert step is not None
    assert step.counts == {"unknown": -1, "accepted": 1, "bounced": 1}
    assert (step.after.message_id, step.after.reason, step.after.due) == ("0102", "", 0)
