"""Say in which states a recipient can be, and by which conditional writes it changes.

Pure: a rule takes the row as read and the time, and returns a :class:`Transition`, which is data.
The store turns it into one conditional write; nothing else ever changes a row.

::

    pending ──> sending ──> accepted | failed | retry | unknown
    retry   ──> sending | accepted (by the provider's event)
    pending | retry ──> suppressed | cancelled | failed
    unknown ──> accepted (by the provider's event) | retry | failed
    failed  ──> retry (a person asks for it) | accepted (by the provider's event)

An accepted row carries the news of its delivery, which only ever advances: sent, delayed,
delivered, soft bounced, bounced, complained.

A claim is written before the send and names owner and attempt; every later write is fenced by
both. Reasoning, crash points and invariants: docs/ledger.md.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sendmill.contact import Contact
from sendmill.errors import IllegalTransition
from sendmill.outcome import Fate, Outcome

SHARDS = 16
# How long a row may wait for its message before a sweep sends another, in seconds.
ENQUEUE_GRACE_SECONDS = 120
# How long a lost answer waits for the provider's own event, in seconds.
RECONCILE_SECONDS = 900
# Definite refusals before a recipient is given up.
MAX_TRIES = 5
MAX_RETRY_SECONDS = 3600
# Greylisting servers want this long before the second try (RFC 6647 section 2.2).
GREYLIST_SECONDS = 900
# What is away on our side is asked for again after this long, in seconds.
UNASKED_SECONDS = 60
MAX_REASON_CHARS = 300


class State(StrEnum):
    """Where a recipient stands."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    RETRY = "retry"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


class News(StrEnum):
    """What the provider's events have said of an accepted mail, in the order they advance."""

    NONE = ""
    SENT = "sent"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    SOFT_BOUNCED = "soft_bounced"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


# Events come late, twice and out of order: a mail's news only ever moves to the right.
NEWS_ORDER = tuple(News)
# The news that campaigns count; they are counters beside the states, not states.
COUNTED_NEWS = frozenset({News.DELIVERED, News.SOFT_BOUNCED, News.BOUNCED, News.COMPLAINED})

FINAL = frozenset({State.ACCEPTED, State.FAILED, State.SUPPRESSED, State.CANCELLED})

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.SENDING, State.SUPPRESSED, State.CANCELLED, State.FAILED}),
    State.SENDING: frozenset({State.ACCEPTED, State.FAILED, State.RETRY, State.UNKNOWN}),
    State.RETRY: frozenset(
        {State.SENDING, State.SUPPRESSED, State.CANCELLED, State.FAILED, State.ACCEPTED}
    ),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.RETRY, State.FAILED}),
    State.FAILED: frozenset({State.RETRY, State.ACCEPTED}),
}


class Verdict(StrEnum):
    """What a worker that holds a message for a row may do."""

    SEND = "send"
    DONE = "done"
    WAIT = "wait"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one recipient as the ledger has it.

    Times are seconds since 1970. ``attempt`` counts claims and fences writes; ``tries`` counts
    definite refusals, which throttling and what is away on our side do not add to. ``content``
    names another content than the campaign's, ``chunk`` the part of the list the row came from
    (-1: from a message).
    ``attempted_at`` is when the last claim was made; ``late_since`` when the row's turn first came
    before it was put off; ``news`` what events said of the mail.
    """

    campaign_id: str
    rid: str
    contact: Contact
    state: State = State.PENDING
    attempt: int = 0
    tries: int = 0
    owner: str = ""
    lease: int = 0
    due: int = 0
    content: str = ""
    chunk: int = -1
    line: int = 0
    reason: str = ""
    message_id: str = ""
    news: News = News.NONE
    attempted_at: int = 0
    late_since: int = 0
    created_at: int = 0
    updated_at: int = 0

    @property
    def shard(self) -> int:
        """Return the partition, 0 to 15, in which the row is kept."""
        return shard_of(self.rid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Hold one conditional write: the row as it must stand, and as it will.

    It applies only while state, attempt, owner and news are still those of ``before``.
    ``counts`` are the campaign's counters, states and news, that move in the same transaction.
    """

    before: Row
    after: Row
    counts: Mapping[str, int] = field(default_factory=dict)


def shard_of(rid: str) -> int:
    """Return the partition, 0 to 15, of a recipient: as many to each."""
    return zlib.crc32(rid.encode()) % SHARDS


def transition(before: Row, state: State, *, now: int, **changes: object) -> Transition:
    """Return the write that takes a row to a state, with the counters it moves.

    Raises IllegalTransition for a pair that is not in the table.
    """
    if state not in TRANSITIONS.get(before.state, frozenset()):
        raise IllegalTransition(f"{before.state} must not become {state} (recipient {before.rid})")
    after = replace(before, state=state, updated_at=now, **changes)  # type: ignore[arg-type]
    # pending is what is left of the total: it has no counter of its own
    counts: dict[str, int] = {
        str(name): change
        for name, change in ((before.state, -1), (state, 1))
        if name is not State.PENDING
    }
    return Transition(before=before, after=after, counts=counts)


def judge(row: Row, now: int) -> Verdict:
    """Say what a worker that holds a message for this row may do."""
    if row.state in FINAL or row.state is State.UNKNOWN:
        return Verdict.DONE
    if row.state is State.SENDING:
        return Verdict.LOST if row.lease < now else Verdict.WAIT
    if row.state is State.RETRY and row.due > now:
        return Verdict.WAIT
    return Verdict.SEND


def claim(row: Row, *, owner: str, lease: int, now: int) -> Transition:
    """Return the write-ahead claim: written before the send, so that no send goes unnoticed.

    ``owner`` is unique for each invocation; ``lease`` is when the claim may be taken as lost.
    """
    return transition(
        row,
        State.SENDING,
        now=now,
        owner=owner,
        attempt=row.attempt + 1,
        attempted_at=now,
        lease=lease,
        late_since=0,
        reason="",
    )


def record(row: Row, outcome: Outcome, *, now: int, jitter: float) -> Transition:
    """Return the write that says what became of a claimed row's one attempt.

    ``jitter`` is a random number from 0 to 1 that spreads the retries of a campaign.
    """
    reason = outcome.reason[:MAX_REASON_CHARS]
    if outcome.fate is Fate.ACCEPTED:
        return transition(row, State.ACCEPTED, now=now, message_id=outcome.message_id, due=0)
    if outcome.fate is Fate.NEVER:
        return transition(row, State.FAILED, now=now, reason=reason, due=0)
    if outcome.fate is Fate.UNKNOWN:
        return transition(row, State.UNKNOWN, now=now, reason=reason, due=now + RECONCILE_SECONDS)
    if outcome.fate is Fate.STOP or outcome.throttled:
        return transition(row, State.RETRY, now=now, reason=reason, due=now)
    if outcome.unasked:
        return transition(row, State.RETRY, now=now, reason=reason, due=now + UNASKED_SECONDS)
    tries = row.tries + 1
    if tries >= MAX_TRIES:
        return transition(row, State.FAILED, now=now, reason=reason, tries=tries, due=0)
    due = now + retry_seconds(outcome, tries=tries, jitter=jitter)
    return transition(row, State.RETRY, now=now, reason=reason, tries=tries, due=due)


def retry_seconds(outcome: Outcome, *, tries: int, jitter: float) -> int:
    """Return how long a refused mail waits: full jitter on 5 s doubled by each try, at most 1 h.

    Temporary refusals of the mailbox itself (SMTP 450, 451) wait as greylisting wants.
    """
    if outcome.reason in ("smtp_450", "smtp_451"):
        return GREYLIST_SECONDS
    return max(1, math.ceil(min(MAX_RETRY_SECONDS, 5.0 * 2.0**tries) * jitter))


def expire(row: Row, *, now: int) -> Transition:
    """Return the write for a claim whose worker is gone: it may or may not have sent."""
    return transition(
        row, State.UNKNOWN, now=now, reason="worker_lost", due=now + RECONCILE_SECONDS
    )


def suppress(row: Row, *, reason: str, now: int) -> Transition:
    """Return the write for an address that must not be mailed."""
    return transition(row, State.SUPPRESSED, now=now, reason=reason, due=0)


def fail(row: Row, *, reason: str, now: int) -> Transition:
    """Return the write for a recipient for whom no mail can be made."""
    return transition(row, State.FAILED, now=now, reason=reason[:MAX_REASON_CHARS], due=0)


def cancel(row: Row, *, now: int) -> Transition:
    """Return the write for a recipient whose campaign was cancelled before it was sent to."""
    return transition(row, State.CANCELLED, now=now, due=0)


def give_up(row: Row, *, reason: str, now: int) -> Transition:
    """Return the write by which an operator, or a deadline, ends the wait for a recipient."""
    return transition(row, State.FAILED, now=now, reason=reason, due=0)


def try_again(row: Row, *, reason: str, now: int) -> Transition:
    """Return the write that lets an unknown recipient be mailed once more."""
    return transition(row, State.RETRY, now=now, reason=reason, due=now)


def reopen(row: Row, *, now: int) -> Transition:
    """Return the write by which a person lets a failed recipient be tried again."""
    return transition(row, State.RETRY, now=now, reason="", tries=0, due=now)


def postpone(row: Row, *, until: int, now: int) -> Transition:
    """Return the write that lets a recipient who waits be looked at again only later.

    When his turn first came is kept: who is put off for ever must show in the age of the ledger.
    """
    since = row.late_since or row.due
    return Transition(before=row, after=replace(row, due=until, late_since=since, updated_at=now))


def recall(row: Row, *, now: int) -> Transition:
    """Return the write that lets a recipient who was put off have his turn now."""
    return Transition(before=row, after=replace(row, due=now, late_since=0, updated_at=now))


def hear(
    row: Row, news: News, *, attempt: int, message_id: str, now: int, reason: str = ""
) -> Transition | None:
    """Return the write for an event of the provider about this row, or None if it says nothing new.

    Any event proves that the provider took the mail: a row that is still being sent, unknown,
    waiting for another try or given up becomes accepted, or "retry the failed" would mail it
    twice. Events of an attempt the row has not made, and of rows that were never sent, say
    nothing. ``reason`` says why a mail bounced or waits.
    """
    if not 0 < attempt <= row.attempt or row.state in (
        State.PENDING,
        State.SUPPRESSED,
        State.CANCELLED,
    ):
        return None
    advanced = NEWS_ORDER.index(news) > NEWS_ORDER.index(row.news)
    if row.state is State.ACCEPTED:
        if not advanced:
            return None
        after = replace(row, news=news, reason=reason, updated_at=now)
        return Transition(before=row, after=after, counts=_news_counts(row.news, news))
    step = transition(
        row,
        State.ACCEPTED,
        now=now,
        message_id=message_id or row.message_id,
        news=news if advanced else row.news,
        reason=reason,
        due=0,
    )
    return replace(step, counts={**step.counts, **_news_counts(row.news, news)})


def _news_counts(old: News, new: News) -> dict[str, int]:
    counts = {str(old): -1} if old in COUNTED_NEWS else {}
    if new in COUNTED_NEWS:
        counts[str(new)] = 1
    return counts


def contact_text(contact: Contact) -> str:
    """Return the contact as the row keeps it: JSON without spaces."""
    return json.dumps(
        {"email": contact.email, **contact.fields}, ensure_ascii=False, separators=(",", ":")
    )


def contact_from_text(text: str) -> Contact:
    """Return the contact that :func:`contact_text` wrote."""
    return contact_from_fields(json.loads(text))


def contact_from_fields(raw: Mapping[str, str]) -> Contact:
    """Return the contact of an object that holds its address as ``email``, checked before."""
    fields = {name: value for name, value in raw.items() if name != "email"}
    return Contact(email=raw["email"], fields=fields)
