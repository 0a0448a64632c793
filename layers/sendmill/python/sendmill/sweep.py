"""Look, every minute, for whatever would otherwise wait for ever.

A message may be lost, a worker may die, an answer may never come: each leaves a row in the index
of what is due. The sweep is the one that notices, and the only one that ends a wait:

- a claim whose lease has passed becomes ``unknown``;
- a recipient who waits, in a campaign that runs, is put on the queue again;
- an ``unknown`` is settled by the campaign's policy;
- a campaign all of whose recipients are settled is complete, once its counters agree with its
  rows; counters that do not are repaired, and that is an alarm;
- a campaign that stopped for the daily quota goes on when there is quota again;
- a campaign that bounces or is complained about too much is paused.

Every step may be done twice, by two sweeps at once too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sendmill.campaign import OVER, Campaign, Status, UnknownPolicy
from sendmill.dispatch import Job, Op, check_plan_of, job_body, plan_of, shard_jobs
from sendmill.ledger import (
    ENQUEUE_GRACE_SECONDS,
    SHARDS,
    Row,
    State,
    Transition,
    Verdict,
    cancel,
    expire,
    judge,
    postpone,
    try_again,
)
from sendmill.message import Message, message_body
from sendmill.outcome import QUOTA_REASON
from sendmill.progress import OPEN, progress
from sendmill.rate import Account

# Rows of one shard that one look takes up; the next minute takes the next ones.
PAGE = 200
# The queue holds this many messages or more: who waits has not had his turn yet.
BUSY_QUEUE = 500
# Recipients of a paused campaign are looked at again after this long, in seconds.
PAUSED_SECONDS = 900
# A lost answer that nobody may settle yet is looked at again after this long, in seconds.
HELD_SECONDS = 3600
# The stream of events has provably passed an attempt when it is this far beyond it, in seconds.
STREAM_MARGIN_SECONDS = 60
# A plan that has not come to its end by then is begun again, in seconds.
STUCK_SECONDS = 600
# A sweep comes once within this time, in seconds.
PUSH_SECONDS = 90
# A campaign goes on after the daily quota when this share of it, or all it needs, is there.
QUOTA_SHARE = 0.05
# The timer of a scheduled campaign has failed when it is this late, in seconds.
LATE_START_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Say how far the provider's events have come.

    ``last_send`` is the time of the newest Send event; ``waiting`` how many events wait, ``dead``
    how many could not be understood.
    """

    last_send: int = 0
    waiting: int = 0
    dead: int = 0

    def has_passed(self, moment: int) -> bool:
        """Tell whether an event of this moment would certainly have been seen by now."""
        return (
            self.last_send >= moment + STREAM_MARGIN_SECONDS and not self.waiting and not self.dead
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """Say from which shares of bounces and complaints a campaign is paused."""

    bounce_pause: float = 0.04
    complaint_pause: float = 0.0008
    minimum: int = 500


class Ledger(Protocol):
    """Keep the rows of recipients."""

    def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
        """Return rows that wanted to be looked at before now, oldest first."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write what still can be; say for each whether it stands."""

    def count_states(self, campaign_id: str) -> Mapping[str, int]:
        """Return the states of a campaign's rows, by counting them."""


class Book(Protocol):
    """Keep the campaigns."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stands now."""

    def active(self) -> Iterator[str]:
        """Yield the ids of the campaigns to look after."""

    def counters(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counters of a campaign."""

    def set_status(
        self, campaign_id: str, status: Status, *, expected: set[Status], reason: str = ""
    ) -> bool:
        """Change the status if it is one of the expected ones; tell whether it was."""

    def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
        """Move counters by these amounts, unless that was just done; tell whether it was now."""

    def deactivate(self, campaign_id: str) -> None:
        """Look after this campaign no longer."""


class Queues(Protocol):
    """Take messages, and say how many wait."""

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Put bodies on the dispatch queue."""

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Put bodies on the e-mail queue."""

    def mails_waiting(self) -> int:
        """Return how many messages are on the e-mail queue, seen or not."""


@dataclass(slots=True, kw_only=True)
class Report:
    """Hold what one sweep did and saw, for metrics and the log."""

    expired: int = 0
    requeued: int = 0
    resent: int = 0
    failed: int = 0
    cancelled: int = 0
    postponed: int = 0
    completed: int = 0
    resumed: int = 0
    paused: int = 0
    drifted: int = 0
    unknown: int = 0
    oldest_open_seconds: int = 0
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper:
    """Hold what a sweep needs; built once for each function."""

    ledger: Ledger
    book: Book
    queues: Queues
    stream: Callable[[], Stream]
    account: Callable[[], Account]
    clock: Callable[[], int]
    reputation: Reputation = field(default_factory=Reputation)

    def sweep(self, *, owner: str) -> Report:
        """Look once through everything that is due; ``owner`` is unique for each call."""
        report = Report()
        run = _Sweep(self, report, owner)
        for shard in range(SHARDS):
            run.shard(shard)
        for campaign_id in list(self.book.active()):
            run.campaign(campaign_id)
        return report


class _Sweep:
    """Carry one sweep through its steps."""

    def __init__(self, tools: Sweeper, report: Report, owner: str) -> None:
        self._tools = tools
        self._report = report
        self._owner = owner
        self._campaigns: dict[str, Campaign | None] = {}
        self._stream = tools.stream()
        self._queue_is_busy = tools.queues.mails_waiting() >= BUSY_QUEUE

    def shard(self, shard: int) -> None:
        """Take up a page of what is due in one partition."""
        now = self._tools.clock()
        rows = self._tools.ledger.due(shard, now=now, limit=PAGE)
        self._report.full |= len(rows) == PAGE
        steps = [step for row in rows if (step := self._step(row, now)) is not None]
        self._look_at(rows, now)
        if not steps:
            return
        stands = self._tools.ledger.apply(steps, owner=f"{self._owner}#{shard}")
        done = [step for step, stood in zip(steps, stands, strict=True) if stood]
        self._enqueue(done)
        self._count(done)

    def campaign(self, campaign_id: str) -> None:
        """Complete, resume, pause or push on one campaign."""
        # not as the rows found it a minute ago: people act meanwhile
        campaign = self._tools.book.get(campaign_id)
        if campaign is None or campaign.status in OVER - {Status.CANCELLED}:
            self._forget(campaign_id, campaign)
            return
        if campaign.status is Status.PLANNING:
            self._push_on(campaign, check_plan_of(campaign))
        elif campaign.status is Status.RUNNING and campaign.chunks_done < campaign.chunks:
            self._push_on(campaign, plan_of(campaign))
        elif campaign.status is Status.SCHEDULED:
            self._start_late(campaign)
        elif campaign.status is Status.PAUSED:
            self._resume(campaign)
        if campaign.status in (Status.RUNNING, Status.CANCELLED):
            self._settle(campaign)

    def _step(self, row: Row, now: int) -> Transition | None:
        """Return what is to be done with one row that is due."""
        campaign = self._campaign(row.campaign_id)
        if campaign is None or row.state is State.UNKNOWN:
            return self._settle_unknown(campaign, row, now)
        verdict = judge(row, now)
        if verdict is Verdict.LOST:
            return expire(row, now=now)
        if verdict is not Verdict.SEND:
            return None
        if campaign.status is Status.CANCELLED:
            return cancel(row, now=now)
        if campaign.status in OVER:
            campaign = self._run_again(campaign)
        if not campaign.may_send():
            return postpone(row, until=now + PAUSED_SECONDS, now=now)
        if row.state is State.PENDING and self._queue_is_busy:
            return postpone(row, until=now + ENQUEUE_GRACE_SECONDS, now=now)
        # the new due time is also what tells the enqueuing below to send a message
        return postpone(row, until=self._next_look(row, now), now=now)

    def _run_again(self, campaign: Campaign) -> Campaign:
        """Let a campaign go on that a message or a person gave a recipient after its end."""
        over = {Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN}
        self._tools.book.set_status(campaign.id, Status.RUNNING, expected=over)
        self._campaigns[campaign.id] = self._tools.book.get(campaign.id)
        return self._campaign(campaign.id) or campaign

    def _next_look(self, row: Row, now: int) -> int:
        # a retry must stay due, or the worker would not take it
        return now if row.state is State.RETRY else now + ENQUEUE_GRACE_SECONDS

    def _settle_unknown(self, campaign: Campaign | None, row: Row, now: int) -> Transition | None:
        self._report.unknown += 1
        if campaign is None:
            return postpone(row, until=now + HELD_SECONDS, now=now)
        if campaign.status is Status.CANCELLED:
            return postpone(row, until=now + HELD_SECONDS, now=now)
        if campaign.unknown_policy is UnknownPolicy.RESEND:
            return try_again(row, reason="resent by policy", now=now)
        if not campaign.settles_by_event():
            return postpone(row, until=now + HELD_SECONDS, now=now)
        # a claimed mail may leave until its lease ends
        if self._stream.has_passed(max(row.attempted_at, row.lease)):
            return try_again(row, reason="never taken: no event came", now=now)
        return postpone(row, until=now + STREAM_MARGIN_SECONDS, now=now)

    def _enqueue(self, steps: Sequence[Transition]) -> None:
        """Send a message for each row that may go; a doubled message is absorbed by the claim."""
        by_campaign: dict[str, list[Row]] = {}
        for step in steps:
            if self._wants_message(step):
                by_campaign.setdefault(step.after.campaign_id, []).append(step.after)
        for campaign_id, rows in by_campaign.items():
            bodies = [
                message_body(Message(campaign_id=campaign_id, contact=row.contact)) for row in rows
            ]
            self._tools.queues.send_mails(bodies, group=campaign_id)

    def _wants_message(self, step: Transition) -> bool:
        row = step.after
        campaign = self._campaign(row.campaign_id)
        if campaign is None or not campaign.may_send():
            return False
        waits = row.state is State.PENDING or (
            row.state is State.RETRY and row.due <= self._tools.clock()
        )
        return waits and not self._queue_is_busy

    def _count(self, steps: Sequence[Transition]) -> None:
        report = self._report
        for step in steps:
            moved = (step.before.state, step.after.state)
            if step.after.state is State.CANCELLED:
                report.cancelled += 1
            elif step.after.state is State.FAILED:
                report.failed += 1
            elif moved == (State.SENDING, State.UNKNOWN):
                report.expired += 1
            elif moved == (State.UNKNOWN, State.RETRY):
                report.resent += 1
            elif self._wants_message(step):
                report.requeued += 1
            else:
                report.postponed += 1

    def _look_at(self, rows: Sequence[Row], now: int) -> None:
        """Note the age of the oldest recipient who should have been served by now."""
        for row in rows:
            campaign = self._campaign(row.campaign_id)
            if campaign is not None and campaign.may_send() and row.due:
                age = now - row.due
                self._report.oldest_open_seconds = max(self._report.oldest_open_seconds, age)

    def _push_on(self, campaign: Campaign, job: Job) -> None:
        """Begin a plan again that has not ended; chunks that are done are left alone."""
        since = self._tools.clock() - max(campaign.created_at, campaign.changed_at)
        # once in that time, not every minute: a plan of many chunks would pile up on itself
        if since >= STUCK_SECONDS and since % STUCK_SECONDS < PUSH_SECONDS:
            self._tools.queues.send_jobs([job_body(job)])

    def _start_late(self, campaign: Campaign) -> None:
        """Start a campaign whose timer did not; the job itself looks whether it is too late."""
        if self._tools.clock() >= campaign.start_at + LATE_START_SECONDS:
            self._tools.queues.send_jobs([job_body(Job(op=Op.START, campaign_id=campaign.id))])

    def _resume(self, campaign: Campaign) -> None:
        """Go on with a campaign that stopped for the daily quota, once there is some again."""
        if campaign.reason != QUOTA_REASON:
            return
        account = self._tools.account()
        # the quota comes back mail by mail: going on queues everybody who waits, so not for one
        waiting = progress(campaign, self._tools.book.counters(campaign.id)).open()
        enough = max(1.0, min(waiting, QUOTA_SHARE * account.daily_quota))
        if account.stopped or account.left_today() < enough:
            return
        if self._tools.book.set_status(campaign.id, Status.RUNNING, expected={Status.PAUSED}):
            jobs = shard_jobs(Op.REQUEUE, campaign.id)
            self._tools.queues.send_jobs([job_body(job) for job in jobs])
            self._report.resumed += 1

    def _settle(self, campaign: Campaign) -> None:
        counters = self._tools.book.counters(campaign.id)
        found = progress(campaign, counters)
        self._report.unknown = max(self._report.unknown, found.states.get(State.UNKNOWN, 0))
        if campaign.status is Status.RUNNING and self._brake(campaign, found.states, found.news):
            return
        # below zero: the counters say too much, which the count of the rows will mend
        if found.open() > 0 or campaign.chunks_done < campaign.chunks:
            return
        if campaign.status is Status.RUNNING and not campaign.list_id:
            # made by plain messages: nobody knows which one is the last
            return
        if found.states.get(State.UNKNOWN) and _settles_itself(campaign):
            return
        counted = self._tools.ledger.count_states(campaign.id)
        if any(counted.get(state) for state in OPEN):
            # a recipient was added while this sweep looked
            return
        drift = _difference(counted, counters)
        if drift and self._tools.book.counters(campaign.id) != counters:
            # an event came while the rows were counted: the next sweep looks again
            return
        if drift:
            self._report.drifted += self._tools.book.repair(campaign.id, drift)
            return
        if campaign.status is Status.RUNNING and found.total:
            self._report.completed += self._tools.book.set_status(
                campaign.id, found.status, expected={Status.RUNNING}
            )
        self._forget(campaign.id, campaign)

    def _forget(self, campaign_id: str, campaign: Campaign | None) -> None:
        """Look after a campaign no longer, unless somebody was let in again meanwhile."""
        book = self._tools.book
        if campaign is not None and progress(campaign, book.counters(campaign_id)).open():
            over = {Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN}
            book.set_status(campaign_id, Status.RUNNING, expected=over)
            return
        book.deactivate(campaign_id)

    def _brake(
        self, campaign: Campaign, states: Mapping[str, int], news: Mapping[str, int]
    ) -> bool:
        limits, sent = self._tools.reputation, states.get(State.ACCEPTED, 0)
        if sent < limits.minimum:
            return False
        for name, share in (
            ("bounced", limits.bounce_pause),
            ("complained", limits.complaint_pause),
        ):
            found = news.get(name, 0) / sent
            if found >= share:
                reason = f"reputation: {found:.2%} of {sent} mails {name} (limit {share:.2%})"
                self._tools.book.set_status(
                    campaign.id, Status.PAUSED, expected={Status.RUNNING}, reason=reason
                )
                self._report.paused += 1
                return True
        return False

    def _campaign(self, campaign_id: str) -> Campaign | None:
        if campaign_id not in self._campaigns:
            self._campaigns[campaign_id] = self._tools.book.get(campaign_id)
        return self._campaigns[campaign_id]


def _settles_itself(campaign: Campaign) -> bool:
    """Tell whether unknown recipients will be settled without a person."""
    if campaign.status is not Status.RUNNING:
        return False
    return campaign.settles_by_event() or campaign.unknown_policy is UnknownPolicy.RESEND


def _difference(counted: Mapping[str, int], counters: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each counter must move to say what was counted."""
    names = (set(counted) | set(counters)) - {str(State.PENDING)}
    wanted = Counter({name: counted.get(name, 0) - counters.get(name, 0) for name in names})
    return {name: change for name, change in wanted.items() if change}
