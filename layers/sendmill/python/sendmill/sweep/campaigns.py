"""Look after the campaigns that are under way: complete, resume, pause and push them on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sendmill.campaign import FINISHED, REPUTATION_REASON, Campaign, Status, UnknownPolicy
from sendmill.dispatch import Job, Op, check_plan_of, job_body, plan_of, shard_jobs
from sendmill.ledger import State
from sendmill.outcome import QUOTA_REASON
from sendmill.progress import OPEN, Progress, progress
from sendmill.sweep.ports import Look
from sendmill.timeline import point_of

# A plan that has not come to its end by then is begun again, in seconds.
STUCK_SECONDS = 600
# A sweep comes once within this time, in seconds.
PUSH_SECONDS = 90
# A campaign goes on after the daily quota when this share of it, or all it needs, is there.
QUOTA_SHARE = 0.05
# A campaign waits this long for lost answers to be settled by an event, in seconds; what comes
# later is still heard, but it is not shown as running for ever in an account that sends no more.
UNKNOWN_SECONDS = 86400
# A campaign that waits for recipients while nobody is due is counted once in this time, in seconds.
STALLED_SECONDS = 3600
# Nobody looks after a campaign made by plain messages for longer than this, in seconds.
DIRECT_SECONDS = 30 * 86400
# The timer of a scheduled campaign has failed when it is this late, in seconds.
LATE_START_SECONDS = 60
# A cancelled campaign is looked after until nobody in it waits.
_FORGOTTEN = FINISHED | {Status.REFUSED}


class CampaignSweep:
    """Carry one sweep through the campaigns."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._tools = look.tools
        self._report = look.report

    def campaign(self, campaign_id: str) -> None:
        """Complete, resume, pause or push on one campaign."""
        # not as the rows found it a minute ago: people act meanwhile
        campaign = self._tools.book.get(campaign_id)
        if campaign is None or campaign.status in _FORGOTTEN:
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

    def _push_on(self, campaign: Campaign, job: Job) -> None:
        """Begin a plan again that has not ended; chunks that are done are left alone."""
        # not every minute: a plan of many chunks would pile up on itself
        if self._is_time(campaign, STUCK_SECONDS):
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
        # a person may have said meanwhile that it is to stay paused
        if self._tools.book.resume(campaign.id, paused_for=QUOTA_REASON):
            jobs = shard_jobs(Op.REQUEUE, campaign.id)
            self._tools.queues.send_jobs([job_body(job) for job in jobs])
            self._report.resumed += 1

    def _settle(self, campaign: Campaign) -> None:
        counters = self._tools.book.counters(campaign.id)
        found = progress(campaign, counters)
        self._report.unknown = max(self._report.unknown, found.states.get(State.UNKNOWN, 0))
        if campaign.status is Status.RUNNING:
            self._tools.note(campaign.id, point_of(found.states, self._tools.clock()))
            if self._brake(campaign, found.states, found.news) or self._goes_on(campaign, found):
                return
        elif found.open() > 0:
            return
        counted = self._tools.ledger.count_states(campaign.id)
        if any(counted.get(state) for state in OPEN):
            # a recipient was added while this sweep looked
            return
        if self._agree(campaign, counted, counters):
            self._end(campaign, found)

    def _goes_on(self, campaign: Campaign, found: Progress) -> bool:
        """Tell whether a running campaign has somebody or something to wait for."""
        if not campaign.list_id:
            # made by plain messages: nobody knows which one is the last
            if self._age(campaign) >= DIRECT_SECONDS:
                self._tools.book.deactivate(campaign.id)
            return True
        if campaign.chunks_done < campaign.chunks:
            return True
        # below zero: the counters say too much, which the count of the rows will mend
        if found.open() > 0 and not self._stalled(campaign):
            return True
        return bool(found.states.get(State.UNKNOWN)) and self._settles_itself(campaign)

    def _agree(
        self, campaign: Campaign, counted: Mapping[str, int], counters: Mapping[str, int]
    ) -> bool:
        """Tell whether the counters say what the rows say; if not, repair them."""
        drift = _difference(counted, counters)
        # if not, an event came while the rows were counted: the next sweep looks again
        if drift and self._tools.book.counters(campaign.id) == counters:
            self._report.drifted += self._tools.book.repair(campaign.id, drift)
        return not drift

    def _end(self, campaign: Campaign, found: Progress) -> None:
        if campaign.status is Status.RUNNING:
            self._report.completed += self._tools.book.set_status(
                campaign.id, found.status, expected={Status.RUNNING}
            )
        self._forget(campaign.id, campaign)

    def _age(self, campaign: Campaign) -> int:
        """Return for how long a campaign has had its status, in seconds."""
        return self._tools.clock() - max(campaign.created_at, campaign.changed_at)

    def _is_time(self, campaign: Campaign, seconds: int) -> bool:
        """Tell, about once in so many seconds, that the status has stood for as long again."""
        age = self._age(campaign)
        return age >= seconds and age % seconds < PUSH_SECONDS

    def _stalled(self, campaign: Campaign) -> bool:
        """Tell whether it is time to count the rows of a campaign that seems to wait for nobody."""
        nobody_due = campaign.id not in self._look.campaigns and not self._report.full
        return nobody_due and self._is_time(campaign, STALLED_SECONDS)

    def _settles_itself(self, campaign: Campaign) -> bool:
        """Tell whether the unknown of a running campaign will soon be settled without a person."""
        if self._age(campaign) >= UNKNOWN_SECONDS:
            return False
        by_event = campaign.settles_by_event(self._tools.home)
        return by_event or campaign.unknown_policy is UnknownPolicy.RESEND

    def _forget(self, campaign_id: str, campaign: Campaign | None) -> None:
        """Look after a campaign no longer, unless somebody was let in again meanwhile."""
        book = self._tools.book
        if campaign is not None and progress(campaign, book.counters(campaign_id)).open():
            book.set_status(campaign_id, Status.RUNNING, expected=set(FINISHED))
            return
        book.deactivate(campaign_id)

    def _brake(
        self, campaign: Campaign, states: Mapping[str, int], news: Mapping[str, int]
    ) -> bool:
        limits, before = self._tools.reputation, campaign.forgiven
        sent = states.get(State.ACCEPTED, 0) - before.get(State.ACCEPTED, 0)
        if sent < limits.minimum:
            return False
        for name, share in (
            ("bounced", limits.bounce_pause),
            ("complained", limits.complaint_pause),
        ):
            found = (news.get(name, 0) - before.get(name, 0)) / sent
            if found >= share:
                reason = (
                    f"{REPUTATION_REASON}{found:.2%} of {sent} mails {name} (limit {share:.2%})"
                )
                self._tools.book.set_status(
                    campaign.id, Status.PAUSED, expected={Status.RUNNING}, reason=reason
                )
                self._report.paused += 1
                return True
        return False


def _difference(counted: Mapping[str, int], counters: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each counter must move to say what was counted."""
    names = (set(counted) | set(counters)) - {str(State.PENDING)}
    wanted = Counter({name: counted.get(name, 0) - counters.get(name, 0) for name in names})
    return {name: change for name, change in wanted.items() if change}
