"""Take up the recipients who are due: end lost claims, queue who waits, settle the unknown."""

from __future__ import annotations

from collections.abc import Sequence

from sendmill.campaign import FINISHED, OVER, Campaign, Status, UnknownPolicy
from sendmill.dispatch import mail_bodies
from sendmill.errors import NotFound
from sendmill.ledger import (
    ENQUEUE_GRACE_SECONDS,
    Row,
    State,
    Transition,
    Verdict,
    cancel,
    expire,
    give_up,
    judge,
    postpone,
    try_again,
)
from sendmill.sweep.ports import STREAM_MARGIN_SECONDS, Look

# Rows of one shard that one look takes up; the next minute takes the next ones.
PAGE = 200
# Recipients of a paused campaign are looked at again after this long, in seconds.
PAUSED_SECONDS = 900
# A lost answer that nobody may settle yet is looked at again after this long, in seconds.
HELD_SECONDS = 3600


class RowSweep:
    """Carry one sweep through the rows that are due."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._tools = look.tools
        self._report = look.report

    def shard(self, shard: int) -> None:
        """Take up a page of what is due in one partition."""
        now = self._tools.clock()
        rows = self._tools.ledger.due(shard, now=now, limit=PAGE)
        self._report.full |= len(rows) == PAGE
        steps = [step for row in rows if (step := self._step(row, now)) is not None]
        self._look_at(rows, now)
        if not steps:
            return
        stands = self._tools.ledger.apply(steps, owner=f"{self._look.owner}#{shard}")
        done = [step for step, stood in zip(steps, stands, strict=True) if stood]
        self._enqueue(done)
        self._count(done)

    def _step(self, row: Row, now: int) -> Transition | None:
        """Return what is to be done with one row that is due."""
        campaign = self._look.campaign(row.campaign_id)
        if campaign is None or row.state is State.UNKNOWN:
            return self._settle_unknown(campaign, row, now)
        verdict = judge(row, now)
        if verdict is Verdict.LOST:
            return expire(row, now=now)
        if verdict is not Verdict.SEND:
            return None
        if campaign.status is Status.CANCELLED or not row.contact.email:
            # erased while a worker had him in its hands, and told to come later
            return cancel(row, now=now)
        if campaign.status in OVER:
            campaign = self._run_again(campaign)
        if not campaign.may_send():
            return postpone(row, until=now + PAUSED_SECONDS, now=now)
        if row.state is State.PENDING and self._look.queue_is_busy:
            return postpone(row, until=now + ENQUEUE_GRACE_SECONDS, now=now)
        # the new due time is also what tells the enqueuing below to send a message
        return postpone(row, until=self._next_look(row, now), now=now)

    def _run_again(self, campaign: Campaign) -> Campaign:
        """Let a campaign go on that a message or a person gave a recipient after its end."""
        self._tools.book.set_status(campaign.id, Status.RUNNING, expected=set(FINISHED))
        self._look.campaigns[campaign.id] = self._tools.book.get(campaign.id)
        return self._look.campaign(campaign.id) or campaign

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
            return _again(row, reason="resent by policy", now=now)
        if not self._settles_by_event(campaign, row):
            return postpone(row, until=now + HELD_SECONDS, now=now)
        # a claimed mail may leave until its lease ends
        if self._look.stream.has_passed(max(row.attempted_at, row.lease)):
            return _again(row, reason="never taken: no event came", now=now)
        return postpone(row, until=now + STREAM_MARGIN_SECONDS, now=now)

    def _settles_by_event(self, campaign: Campaign, row: Row) -> bool:
        """Tell whether an event will tell of a row's mail, by the content that it was sent with."""
        try:
            own = self._tools.book.content(campaign.id, row.content) if row.content else None
        except NotFound:
            return False  # one row must not end the sweep of all
        return campaign.settles_by_event(self._tools.home, own)

    def _enqueue(self, steps: Sequence[Transition]) -> None:
        """Send a message for each row that may go; a doubled message is absorbed by the claim."""
        by_campaign: dict[str, list[Row]] = {}
        for step in steps:
            if self._wants_message(step):
                by_campaign.setdefault(step.after.campaign_id, []).append(step.after)
        for campaign_id, rows in by_campaign.items():
            self._tools.queues.send_mails(mail_bodies(campaign_id, rows), group=campaign_id)

    def _wants_message(self, step: Transition) -> bool:
        row = step.after
        campaign = self._look.campaign(row.campaign_id)
        if campaign is None or not campaign.may_send():
            return False
        waits = row.state is State.PENDING or (
            row.state is State.RETRY and row.due <= self._tools.clock()
        )
        return waits and not self._look.queue_is_busy

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
            campaign = self._look.campaign(row.campaign_id)
            if campaign is not None and campaign.may_send() and row.due:
                # not the time that it was paused for
                age = now - max(row.late_since or row.due, campaign.changed_at)
                self._report.oldest_open_seconds = max(self._report.oldest_open_seconds, age)


def _again(row: Row, *, reason: str, now: int) -> Transition:
    """Return the write that has a lost answer mailed again, unless the person was erased."""
    if not row.contact.email:
        return give_up(row, reason="the person was erased", now=now)
    return try_again(row, reason=reason, now=now)
