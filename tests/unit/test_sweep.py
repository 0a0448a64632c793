"""Sweeps: nobody waits for ever, nobody is mailed twice for it, and two at once do no harm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import (
    CONFIG,
    CONTENT,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    MemoryQueue,
    make_campaign,
    make_row,
)
from sendmill.campaign import Campaign, Content, Service, Status, UnknownPolicy
from sendmill.dispatch import Op
from sendmill.erasure import forgotten
from sendmill.errors import QueueUnavailable, StoreUnavailable
from sendmill.ledger import (
    ENQUEUE_GRACE_SECONDS,
    RECONCILE_SECONDS,
    SHARDS,
    News,
    Row,
    State,
    Transition,
    Verdict,
    claim,
    judge,
    reopen,
    try_again,
)
from sendmill.outcome import QUOTA_REASON
from sendmill.rate import Account
from sendmill.sweep import Report, Reputation, Stream, Sweeper
from sendmill.sweep.campaigns import (
    DIRECT_SECONDS,
    LATE_START_SECONDS,
    STALLED_SECONDS,
    STUCK_SECONDS,
    UNKNOWN_SECONDS,
)
from sendmill.sweep.ports import BUSY_QUEUE, PATIENCE_SECONDS, STREAM_MARGIN_SECONDS
from sendmill.sweep.rows import HELD_SECONDS, PAGE, PAUSED_SECONDS
from sendmill.timeline import Point

SMTP = replace(CONTENT, config=replace(CONFIG, email_service=Service.SMTP))
PASSED = Stream(last_send=NOW + 10 * 3600)
LEASE_ENDED: dict[str, Any] = {
    "state": State.SENDING,
    "attempt": 1,
    "owner": "w1",
    "lease": NOW - 1,
}
# A mail whose answer was lost an hour ago; its lease has ended long since.
LOST_ANSWER: dict[str, Any] = {
    "state": State.UNKNOWN,
    "attempt": 1,
    "owner": "w1",
    "attempted_at": NOW - 3600,
    "lease": NOW - 3500,
    "due": NOW - 60,
}


def listed(**changes: Any) -> Campaign:
    """Return a running campaign of a list, every chunk of which is done."""
    plain: dict[str, Any] = {"list_id": "list", "chunks": 1, "chunks_done": 1}
    return make_campaign(**{**plain, **changes})


class World:
    """A campaign, its rows and a sweep that looks after it."""

    def __init__(self, *rows: Row, campaign: Campaign | None = None) -> None:
        self.clock = Clock()
        self.book = MemoryCampaigns(campaign or listed())
        self.book.active_ids.add("spring")
        self.ledger = MemoryLedger(self.book, *rows)
        self.queue = MemoryQueue()
        self.stream = Stream()
        self.account = Account()
        self.reputation = Reputation()

    def sweeper(self, **changes: Any) -> Sweeper:
        tools: dict[str, Any] = {
            "ledger": self.ledger,
            "book": self.book,
            "queues": self.queue,
            "stream": lambda: self.stream,
            "account": lambda: self.account,
            "clock": self.clock,
            "reputation": self.reputation,
        }
        return Sweeper(**{**tools, **changes})

    def sweep(self, owner: str = "s1") -> Report:
        """Sweep once; the sums must be right afterwards, whatever happened."""
        report = self.sweeper().sweep(owner=owner)
        self.ledger.check_sums()
        return report

    def status(self) -> Status:
        return self.campaign().status

    def campaign(self) -> Campaign:
        return self.book.campaigns["spring"]

    def mailed(self) -> list[str]:
        return [json.loads(body)["contact"]["email"] for body in self.queue.mails]

    def ops(self) -> list[str]:
        return [json.loads(body)["op"] for body in self.queue.jobs]


def one(**changes: Any) -> World:
    """Return a world with one row, due a minute ago."""
    plain: dict[str, Any] = {"due": NOW - 60}
    return World(make_row(**{**plain, **changes}))


def counted(report: Report) -> dict[str, int]:
    """Return what a report counts beside zero."""
    names = [name for name in Report.__slots__ if name not in ("oldest_open_seconds", "full")]
    return {name: getattr(report, name) for name in names if getattr(report, name)}


# Claims


def test_a_claim_whose_lease_has_ended_becomes_unknown_and_is_not_mailed() -> None:
    world = one(**LEASE_ENDED)
    assert counted(world.sweep()) == {"expired": 1, "unknown": 1}
    row = world.ledger.only()
    assert (row.state, row.reason) == (State.UNKNOWN, "worker_lost")
    assert row.due == NOW + RECONCILE_SECONDS
    assert world.mailed() == []


@pytest.mark.parametrize("lease", [NOW, NOW + 1, NOW + 900])
def test_a_live_lease_is_left_alone(lease: int) -> None:
    world = one(**{**LEASE_ENDED, "lease": lease})
    before = world.ledger.only()
    assert counted(world.sweep()) == {}
    assert world.ledger.only() == before
    assert world.mailed() == []


def test_a_lost_claim_of_a_campaign_that_does_not_run_is_known_to_be_lost_too() -> None:
    for status in (Status.PAUSED, Status.CANCELLED):
        world = World(make_row(**LEASE_ENDED), campaign=listed(status=status))
        world.sweep()
        assert world.ledger.only().state is State.UNKNOWN


# Who waits


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_who_is_due_is_queued_in_a_campaign_that_runs(state: State) -> None:
    world = one(state=state)
    assert counted(world.sweep()) == {"requeued": 1}
    assert world.mailed() == ["ada@example.com"]
    # a worker that takes the message may act on the row at once
    assert judge(world.ledger.only(), NOW) is Verdict.SEND


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_who_is_not_due_is_left_alone(state: State) -> None:
    world = one(state=state, due=NOW + 1)
    before = world.ledger.only()
    assert counted(world.sweep()) == {}
    assert (world.ledger.only(), world.mailed()) == (before, [])


def test_a_pending_row_is_queued_once_in_its_grace_not_every_minute() -> None:
    world = one()
    world.sweep()
    world.clock.advance(ENQUEUE_GRACE_SECONDS - 1)
    world.sweep()
    assert len(world.mailed()) == 1
    world.clock.advance(1)
    world.sweep()
    assert len(world.mailed()) == 2


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_a_busy_queue_is_not_flooded(state: State) -> None:
    world = one(state=state)
    world.queue.mails = ["{}"] * BUSY_QUEUE
    assert counted(world.sweep()) == {"postponed": 1}
    assert len(world.queue.mails) == BUSY_QUEUE
    world.queue.mails.clear()
    world.clock.advance(ENQUEUE_GRACE_SECONDS)
    assert counted(world.sweep()) == {"requeued": 1}


def test_a_queue_with_room_is_not_busy() -> None:
    world = one()
    world.queue.mails = ["{}"] * (BUSY_QUEUE - 1)
    assert world.sweep().requeued == 1


def test_rows_put_off_by_a_busy_queue_make_way_for_those_behind_them() -> None:
    rows = same_shard(PAGE + 1, state=State.RETRY)
    lost = replace(rows[-1], **LEASE_ENDED, due=NOW - 1)
    world = World(*[replace(row, due=NOW - 10) for row in rows[:-1]], lost)
    world.queue.mails = ["{}"] * BUSY_QUEUE
    assert world.sweep().expired == 0
    world.clock.advance(60)
    assert world.sweep().expired == 1


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_who_waits_in_a_paused_campaign_is_looked_at_later(state: State) -> None:
    world = World(make_row(state=state), campaign=listed(status=Status.PAUSED))
    assert counted(world.sweep()) == {"postponed": 1}
    assert world.mailed() == []
    row = world.ledger.only()
    assert (row.state, row.due) == (state, NOW + PAUSED_SECONDS)


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_who_waits_in_a_cancelled_campaign_is_cancelled(state: State) -> None:
    world = World(make_row(state=state), campaign=listed(status=Status.CANCELLED))
    assert counted(world.sweep()) == {"cancelled": 1}
    assert world.ledger.only().state is State.CANCELLED
    assert world.mailed() == []
    assert world.book.active_ids == set()


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
@pytest.mark.parametrize("over", [Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN])
def test_who_came_after_the_end_makes_the_campaign_run_again(state: State, over: Status) -> None:
    world = World(make_row(state=state), campaign=listed(status=over))
    assert counted(world.sweep()) == {"requeued": 1}
    assert world.mailed() == ["ada@example.com"]
    assert world.status() is Status.RUNNING


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_an_erased_person_who_still_waits_is_cancelled_and_not_queued(state: State) -> None:
    """A worker had him in its hands when he was erased, and was told to come later."""
    world = World(forgotten(make_row(state=state, due=NOW - 60)))
    assert counted(world.sweep()) == {"cancelled": 1, "completed": 1}
    assert (world.ledger.only().state, world.queue.mails) == (State.CANCELLED, [])


@pytest.mark.parametrize("policy", [UnknownPolicy.RESEND, UnknownPolicy.AUTO])
def test_an_erased_person_is_never_mailed_again(policy: UnknownPolicy) -> None:
    campaign = listed(unknown_policy=policy)
    world = World(forgotten(make_row(**LOST_ANSWER)), campaign=campaign)
    world.stream = PASSED
    world.sweep()
    assert (world.ledger.only().state, world.queue.mails) == (State.FAILED, [])


def test_messages_name_campaign_and_contact_and_no_content() -> None:
    world = one()
    world.sweep()
    (body,) = world.queue.mails
    assert json.loads(body) == {
        "campaign_id": "spring",
        "contact": {"email": "ada@example.com", "first_name": "Ada"},
    }
    assert world.queue.groups == {"spring"}


def test_a_row_of_no_campaign_is_put_off_and_stops_nobody_else() -> None:
    world = World(make_row(), make_row("bob@example.com"))
    orphan = make_row("eve@example.com", campaign_id="gone")
    world.ledger.rows["gone", orphan.rid] = orphan
    report = world.sweep()
    assert (report.requeued, report.postponed) == (2, 1)
    assert world.ledger.rows["gone", orphan.rid].due == NOW + HELD_SECONDS


def test_a_message_that_was_not_taken_is_sent_by_a_later_sweep() -> None:
    world = one()
    world.queue.room = 0
    with pytest.raises(QueueUnavailable):
        world.sweep()
    world.queue.room = None
    world.clock.advance(ENQUEUE_GRACE_SECONDS)
    assert world.sweep().requeued == 1


def test_a_page_that_is_full_is_said_so_and_the_next_sweep_takes_the_rest() -> None:
    world = World(*same_shard(PAGE + 1))
    first = world.sweep()
    assert (first.full, first.requeued) == (True, PAGE)
    second = world.sweep("s2")
    assert (second.full, second.requeued) == (False, 1)
    assert len(set(world.mailed())) == PAGE + 1


def same_shard(count: int, **changes: Any) -> list[Row]:
    found = [make_row(f"user{n}@example.com", due=NOW - 60, **changes) for n in range(count * 30)]
    return [row for row in found if row.shard == 0][:count]


def test_every_partition_is_looked_at() -> None:
    world = World(*[make_row(f"user{n}@example.com", due=NOW - 60) for n in range(200)])
    assert {row.shard for row in world.ledger.rows.values()} == set(range(SHARDS))
    assert world.sweep().requeued == 200


class ShardsAway(MemoryLedger):
    """A ledger that does not answer for some of its shards."""

    away: Collection[int] = ()

    def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
        if shard in self.away:
            raise StoreUnavailable(f"shard {shard} is away")
        return super().due(shard, now=now, limit=limit)


def test_a_shard_that_is_away_keeps_no_other_from_being_swept() -> None:
    rows = [make_row(f"user{n}@example.com", due=NOW - 60) for n in range(200)]
    world, told = World(), list[Report]()
    ledger = ShardsAway(world.book, *rows)
    ledger.away = (0, 7)
    with pytest.raises(StoreUnavailable, match="shard 0 is away"):
        world.sweeper(ledger=ledger, tell=told.append).sweep(owner="s1")
    served = sum(row.shard not in ledger.away for row in rows)
    assert (len(world.mailed()), told[0].requeued, told[0].skipped) == (served, served, 2)


def test_a_campaign_that_is_away_keeps_no_other_from_being_completed() -> None:
    class OneAway(MemoryCampaigns):
        def get(self, campaign_id: str) -> Campaign | None:
            if campaign_id == "broken":
                raise StoreUnavailable("broken is away")
            return super().get(campaign_id)

        def active(self) -> Iterator[str]:
            yield from ("broken", "spring")

    world, told = World(), list[Report]()
    book = OneAway(listed(), listed(id="broken"))
    row = make_row(state=State.ACCEPTED)
    with pytest.raises(StoreUnavailable, match="broken is away"):
        world.sweeper(book=book, ledger=MemoryLedger(book, row), tell=told.append).sweep(owner="s1")
    assert book.campaigns["spring"].status is Status.COMPLETE
    assert (told[0].completed, told[0].skipped) == (1, 1)


def test_a_table_that_is_away_ends_the_sweep_before_it_is_killed() -> None:
    class Slow(MemoryLedger):
        def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
            world.clock.advance(PATIENCE_SECONDS // 4)
            raise StoreUnavailable("the table is away")

    world, told = World(), list[Report]()
    with pytest.raises(StoreUnavailable, match="the table is away"):
        world.sweeper(ledger=Slow(world.book), tell=told.append).sweep(owner="s1")
    assert told[0].skipped == 4


def test_a_sweep_that_is_whole_is_told_once() -> None:
    world, told = one(), list[Report]()
    report = world.sweeper(tell=told.append).sweep(owner="s1")
    assert (told, report.skipped) == ([report], 0)


def test_the_age_of_the_oldest_who_waits_is_told() -> None:
    world = World(make_row(due=NOW - 90), make_row("bob@example.com", due=NOW - 30))
    assert world.sweep().oldest_open_seconds == 90
    paused = World(make_row(due=NOW - 90), campaign=listed(status=Status.PAUSED))
    assert paused.sweep().oldest_open_seconds == 0


def test_who_is_put_off_again_and_again_shows_in_the_age() -> None:
    world = one(due=NOW)
    for _ in range(5):
        world.clock.advance(ENQUEUE_GRACE_SECONDS)
        found = world.sweep().oldest_open_seconds
    assert found == 5 * ENQUEUE_GRACE_SECONDS


def test_the_time_of_a_pause_is_no_age() -> None:
    world = World(
        make_row(due=NOW - 10, late_since=NOW - 5000), campaign=listed(changed_at=NOW - 40)
    )
    assert world.sweep().oldest_open_seconds == 40


# Another was first


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY])
def test_a_row_that_a_worker_takes_meanwhile_gets_no_message(state: State) -> None:
    world = one(state=state)
    overtake(world, lambda row: claim(row, owner="w9", lease=NOW + 900, now=NOW))
    assert counted(world.sweep()) == {}
    assert world.mailed() == []
    assert world.ledger.only().owner == "w9"


def test_an_event_that_settles_a_lost_answer_meanwhile_wins() -> None:
    world = World(make_row(**LOST_ANSWER), campaign=listed(unknown_policy=UnknownPolicy.RESEND))
    overtake(
        world,
        lambda row: Transition(
            before=row,
            after=replace(row, state=State.ACCEPTED, due=0),
            counts={"unknown": -1, "accepted": 1},
        ),
    )
    report = world.sweep()
    assert (report.resent, world.mailed()) == (0, [])
    assert world.ledger.only().state is State.ACCEPTED


def overtake(world: World, step: Any) -> None:
    """Let another write stand just before the sweep's own."""

    def act(_: Sequence[Transition]) -> None:
        world.ledger.before_apply = lambda _: None
        row = world.ledger.only()
        assert world.ledger.apply([step(row)], owner="other") == [True]

    world.ledger.before_apply = act


EVERY_KIND = [
    make_row("pending@example.com", due=NOW - 1),
    make_row("retry@example.com", state=State.RETRY, due=NOW - 1),
    make_row("lost@example.com", **LEASE_ENDED),
    make_row("live@example.com", **{**LEASE_ENDED, "lease": NOW + 60}),
    make_row("unknown@example.com", **LOST_ANSWER),
    make_row("done@example.com", state=State.ACCEPTED),
    make_row("failed@example.com", state=State.FAILED),
]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.CANCELLED])
@pytest.mark.parametrize("policy", list(UnknownPolicy))
def test_two_sweeps_at_once_come_to_what_one_comes_to(
    status: Status, policy: UnknownPolicy
) -> None:
    campaign = listed(status=status, unknown_policy=policy)
    alone = World(*EVERY_KIND, campaign=campaign)
    alone.stream = PASSED
    alone.sweep()
    both = World(*EVERY_KIND, campaign=campaign)
    both.stream = PASSED

    def second(_: Sequence[Transition]) -> None:
        both.ledger.before_apply = lambda _: None
        both.sweep("s2")

    both.ledger.before_apply = second
    both.sweep("s1")
    assert undated(both) == undated(alone)
    assert both.book.campaigns == alone.book.campaigns
    assert both.book.counts == alone.book.counts
    # a doubled message is absorbed by the claim; nobody else is mailed
    assert set(both.mailed()) == set(alone.mailed())


def undated(world: World) -> list[Row]:
    return [replace(row, due=0, updated_at=0) for row in world.ledger.rows.values()]


def test_two_sweeps_complete_a_campaign_and_only_one_says_so() -> None:
    world = World(make_row(state=State.ACCEPTED))
    found: list[Report] = []

    class Twice(MemoryLedger):
        def count_states(self, campaign_id: str) -> Mapping[str, int]:
            if not found:
                found.append(Report())
                found[0] = world.sweeper().sweep(owner="s2")
            return super().count_states(campaign_id)

    ledger = Twice(world.book)
    ledger.rows = world.ledger.rows
    found.append(world.sweeper(ledger=ledger).sweep(owner="s1"))
    assert sorted(report.completed for report in found) == [0, 1]
    assert world.status() is Status.COMPLETE


# Lost answers


@pytest.mark.parametrize("stream", [Stream(), PASSED])
def test_resend_mails_a_lost_answer_again(stream: Stream) -> None:
    world = World(make_row(**LOST_ANSWER), campaign=listed(unknown_policy=UnknownPolicy.RESEND))
    world.stream = stream
    assert counted(world.sweep()) == {"unknown": 1, "resent": 1}
    row = world.ledger.only()
    assert (row.state, row.due, row.reason) == (State.RETRY, NOW, "resent by policy")
    assert world.mailed() == ["ada@example.com"]


@pytest.mark.parametrize("stream", [Stream(), PASSED])
@pytest.mark.parametrize(
    "campaign",
    [
        listed(unknown_policy=UnknownPolicy.HOLD),
        listed(unknown_policy=UnknownPolicy.AUTO, content=SMTP),
    ],
)
def test_hold_and_auto_over_smtp_leave_a_lost_answer_to_a_person(
    campaign: Campaign, stream: Stream
) -> None:
    world = World(make_row(**LOST_ANSWER), make_row("b@example.com"), campaign=campaign)
    world.stream = stream
    report = world.sweep()
    assert (report.unknown, report.resent, report.postponed) == (1, 0, 1)
    row = next(row for row in world.ledger.rows.values() if row.attempt)
    assert (row.state, row.due) == (State.UNKNOWN, NOW + HELD_SECONDS)
    assert world.mailed() == ["b@example.com"]


def test_auto_leaves_a_lost_answer_of_another_region_to_a_person() -> None:
    """Its events go to a topic of that region, which the stream that passed is no part of."""
    for region, state in (("eu-west-1", State.UNKNOWN), ("us-east-1", State.RETRY)):
        content = replace(CONTENT, config=replace(CONFIG, aws_region=region))
        world = World(make_row(**LOST_ANSWER), campaign=listed(content=content))
        world.stream = PASSED
        world.sweeper(home="us-east-1").sweep(owner="s1")
        assert world.ledger.only().state is state
        assert (world.status() is Status.COMPLETE_WITH_UNKNOWN) == (state is State.UNKNOWN)


@pytest.mark.parametrize("of_campaign", [CONTENT, SMTP])
def test_how_a_lost_answer_is_settled_goes_by_what_its_own_message_said(
    of_campaign: Content,
) -> None:
    """Plain messages of one campaign may name another way of sending each."""
    for own, state in ((CONTENT, State.RETRY), (SMTP, State.UNKNOWN)):
        row = make_row(**LOST_ANSWER, content=own.digest())
        world = World(row, campaign=make_campaign(content=of_campaign))
        world.book.keep_content("spring", own)
        world.stream = PASSED
        world.sweep()
        assert world.ledger.only().state is state


def test_a_lost_answer_whose_content_is_gone_stops_no_sweep() -> None:
    world = World(make_row(**LOST_ANSWER, content="gone"), make_row("b@example.com"))
    world.stream = PASSED
    world.sweep()
    assert world.mailed() == ["b@example.com"]


# The lease of LOST_ANSWER: until then its mail may have left.
END = NOW - 3500


@pytest.mark.parametrize(
    ("stream", "again"),
    [
        (Stream(last_send=END + STREAM_MARGIN_SECONDS), True),
        (Stream(last_send=END + STREAM_MARGIN_SECONDS - 1), False),
        (Stream(last_send=LOST_ANSWER["attempted_at"] + STREAM_MARGIN_SECONDS), False),
        (Stream(), False),
        (replace(PASSED, waiting=1), False),
        (replace(PASSED, dead=1), False),
    ],
)
def test_auto_mails_again_only_when_the_stream_has_provably_passed(
    stream: Stream, again: bool
) -> None:
    world = one(**LOST_ANSWER)
    world.stream = stream
    report = world.sweep()
    assert (report.resent, report.postponed) == (int(again), int(not again))
    assert world.mailed() == ["ada@example.com"] * again
    row = world.ledger.only()
    wanted = (State.RETRY, NOW) if again else (State.UNKNOWN, NOW + STREAM_MARGIN_SECONDS)
    assert (row.state, row.due) == wanted


def test_auto_settles_itself_once_the_stream_has_moved() -> None:
    world = one(**LOST_ANSWER)
    world.sweep()
    assert world.status() is Status.RUNNING
    world.stream = PASSED
    world.clock.advance(STREAM_MARGIN_SECONDS)
    world.sweep()
    assert world.ledger.only().state is State.RETRY


def test_an_account_that_sends_no_more_does_not_keep_a_campaign_running_for_ever() -> None:
    world = one(**LOST_ANSWER)
    world.clock.advance(UNKNOWN_SECONDS - 3600)
    world.sweep()
    assert world.status() is Status.RUNNING
    world.clock.advance(UNKNOWN_SECONDS)
    world.sweep("s2")
    assert world.status() is Status.COMPLETE_WITH_UNKNOWN
    # an event that comes at last is still heard
    world.stream = Stream(last_send=world.clock() + 3600)
    world.clock.advance(3600)
    world.sweep("s3")
    assert world.ledger.only().state is State.RETRY
    world.sweep("s4")
    assert world.status() is Status.RUNNING


@pytest.mark.parametrize("policy", list(UnknownPolicy))
def test_a_cancelled_campaign_mails_no_lost_answer_again(policy: UnknownPolicy) -> None:
    world = World(
        make_row(**LOST_ANSWER), campaign=listed(status=Status.CANCELLED, unknown_policy=policy)
    )
    world.stream = PASSED
    world.sweep()
    assert world.ledger.only().state is State.UNKNOWN
    assert world.mailed() == []
    assert world.book.active_ids == set()


def test_a_paused_campaign_mails_nobody_whatever_was_lost() -> None:
    world = World(
        make_row(**LOST_ANSWER),
        campaign=listed(status=Status.PAUSED, unknown_policy=UnknownPolicy.RESEND),
    )
    world.sweep()
    world.clock.advance(60)
    world.sweep()
    assert world.ledger.only().state is State.RETRY
    assert world.mailed() == []


# The end of a campaign


@pytest.mark.parametrize("state", [State.ACCEPTED, State.FAILED, State.SUPPRESSED, State.CANCELLED])
def test_a_campaign_of_which_everybody_is_settled_is_complete(state: State) -> None:
    world = one(state=state, due=0)
    assert counted(world.sweep()) == {"completed": 1}
    assert world.status() is Status.COMPLETE
    assert world.book.active_ids == set()


@pytest.mark.parametrize("state", [State.PENDING, State.RETRY, State.SENDING])
def test_a_campaign_with_somebody_open_goes_on(state: State) -> None:
    world = World(
        make_row(state=State.ACCEPTED), make_row("b@example.com", state=state, lease=NOW + 60)
    )
    assert world.sweep().completed == 0
    assert world.status() is Status.RUNNING
    assert world.book.active_ids == {"spring"}


def test_a_campaign_is_not_complete_before_every_chunk_is_done() -> None:
    world = World(make_row(state=State.ACCEPTED), campaign=listed(chunks=2, expected=1))
    assert world.sweep().completed == 0
    assert world.status() is Status.RUNNING


@pytest.mark.parametrize(
    ("campaign", "status"),
    [
        (listed(unknown_policy=UnknownPolicy.HOLD), Status.COMPLETE_WITH_UNKNOWN),
        (listed(content=SMTP), Status.COMPLETE_WITH_UNKNOWN),
        (listed(unknown_policy=UnknownPolicy.AUTO), Status.RUNNING),
        (listed(unknown_policy=UnknownPolicy.RESEND), Status.RUNNING),
    ],
)
def test_what_only_a_person_settles_does_not_hold_the_end_up(
    campaign: Campaign, status: Status
) -> None:
    rows = [
        make_row(state=State.ACCEPTED),
        make_row("b@example.com", **{**LOST_ANSWER, "due": NOW + 60}),
    ]
    world = World(*rows, campaign=campaign)
    world.sweep()
    assert world.status() is status


def test_a_recipient_added_while_the_sweep_looks_is_not_left_behind() -> None:
    world = World(make_row(state=State.ACCEPTED))

    class Growing(MemoryCampaigns):
        def counters(self, campaign_id: str) -> Mapping[str, int]:
            world.ledger.adopt([make_row("late@example.com", due=NOW + 120)])
            return super().counters(campaign_id)

    book = Growing()
    book.__dict__ = world.book.__dict__
    report = world.sweeper(book=book).sweep(owner="s1")
    assert report.completed == 0
    assert world.status() is Status.RUNNING
    assert world.book.active_ids == {"spring"}


def test_a_campaign_of_a_list_that_is_empty_by_now_is_complete_too() -> None:
    world = World(campaign=listed())
    assert world.sweep().completed == 1
    assert world.status() is Status.COMPLETE
    world.sweep()
    assert world.book.active_ids == set()


def test_a_campaign_of_plain_messages_never_ends_by_itself() -> None:
    world = World(make_row(state=State.ACCEPTED), campaign=make_campaign())
    assert counted(world.sweep()) == {}
    assert world.status() is Status.RUNNING


def test_a_campaign_of_plain_messages_needs_no_entry_to_be_served() -> None:
    world = World(make_row(due=NOW - 1), campaign=make_campaign())
    world.book.active_ids.clear()
    assert world.sweep().requeued == 1


def test_a_pause_that_comes_first_is_not_taken_for_an_end() -> None:
    world = World(make_row(state=State.ACCEPTED))

    class Pausing(MemoryLedger):
        def count_states(self, campaign_id: str) -> Mapping[str, int]:
            world.book.pause(campaign_id, "a person")
            return super().count_states(campaign_id)

    ledger = Pausing(world.book)
    ledger.rows = world.ledger.rows
    report = world.sweeper(ledger=ledger).sweep(owner="s1")
    assert (report.completed, world.status()) == (0, Status.PAUSED)
    assert world.book.active_ids == {"spring"}


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN])
def test_a_campaign_that_is_over_is_forgotten(status: Status) -> None:
    world = World(campaign=listed(status=status))
    world.book.active_ids.add("gone")
    assert counted(world.sweep()) == {}
    assert world.book.active_ids == set()


@pytest.mark.parametrize(
    "status", [Status.DRAFT, Status.SCHEDULED, Status.PLANNING, Status.PAUSED, Status.RUNNING]
)
def test_a_campaign_that_may_yet_send_is_not_forgotten(status: Status) -> None:
    world = World(make_row(), campaign=listed(status=status, start_at=NOW + 60))
    world.sweep()
    assert world.book.active_ids == {"spring"}


def test_a_campaign_that_runs_again_since_its_rows_were_seen_is_not_forgotten() -> None:
    row = make_row(**LOST_ANSWER)
    campaign = listed(status=Status.COMPLETE_WITH_UNKNOWN, unknown_policy=UnknownPolicy.HOLD)
    world = World(row, campaign=campaign)

    def resolve(row: Row) -> Transition:
        world.book.set_status("spring", Status.RUNNING, expected={Status.COMPLETE_WITH_UNKNOWN})
        return try_again(row, reason="resent by a person", now=NOW)

    overtake(world, resolve)
    world.sweep()
    assert (world.status(), world.book.active_ids) == (Status.RUNNING, {"spring"})


# Counters that drifted


@pytest.mark.parametrize(
    "drift",
    [
        {"accepted": -1, "failed": 1},
        {"accepted": 1},
        {"delivered": 2},
        {"accepted": 1, "suppressed": 1},
    ],
)
def test_drift_is_repaired_told_once_and_then_the_campaign_is_complete(
    drift: dict[str, int],
) -> None:
    world = World(
        *[make_row(f"p{n}@example.com", state=State.ACCEPTED, news=News.SENT) for n in range(3)]
    )
    world.book.counts["spring"].update(drift)
    assert counted(world.sweeper().sweep(owner="s1")) == {"drifted": 1}
    world.ledger.check_sums()
    assert world.status() is Status.RUNNING
    assert counted(world.sweep()) == {"completed": 1}


def test_two_sweeps_repair_a_drift_once() -> None:
    world = World(make_row(state=State.ACCEPTED))
    world.book.counts["spring"].update({"failed": 1, "accepted": -1})
    reports: list[Report] = []

    class Racing(MemoryCampaigns):
        def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
            reports.append(world.sweeper().sweep(owner="s2"))
            return super().repair(campaign_id, changes)

    book = Racing()
    book.__dict__ = world.book.__dict__
    reports.append(world.sweeper(book=book).sweep(owner="s1"))
    assert sorted(report.drifted for report in reports) == [0, 1]
    world.ledger.check_sums()


def test_an_event_heard_while_rows_are_counted_is_no_drift() -> None:
    world = World(make_row(state=State.ACCEPTED, attempt=1, news=News.SENT))

    class Hearing(MemoryLedger):
        def count_states(self, campaign_id: str) -> Mapping[str, int]:
            (row,) = self.rows.values()
            if row.news is News.SENT:
                heard = replace(row, news=News.DELIVERED)
                self.apply(
                    [Transition(before=row, after=heard, counts={"delivered": 1})], owner="f"
                )
            return super().count_states(campaign_id)

    ledger = Hearing(world.book)
    ledger.rows = world.ledger.rows
    report = world.sweeper(ledger=ledger).sweep(owner="s1")
    assert (report.drifted, world.book.counters("spring")) == (0, {"accepted": 1, "delivered": 1})
    world.sweeper(ledger=ledger).sweep(owner="s2")
    assert world.status() is Status.COMPLETE


# Daily quota


def paused(reason: str, *rows: Row) -> World:
    world = World(
        *(rows or [make_row(state=State.RETRY)]),
        campaign=listed(status=Status.PAUSED, reason=reason),
    )
    world.account = Account(daily_quota=200.0, sent_today=199.0)
    return world


def test_a_campaign_that_stopped_for_the_quota_goes_on_when_there_is_some() -> None:
    world = paused(QUOTA_REASON)
    assert counted(world.sweep()) == {"postponed": 1, "resumed": 1}
    assert (world.status(), world.campaign().reason) == (Status.RUNNING, "")
    assert world.ops() == [Op.REQUEUE] * SHARDS
    shards = [json.loads(body)["first"] for body in world.queue.jobs]
    assert shards == list(range(SHARDS))
    assert world.sweep("s2").resumed == 0
    assert len(world.queue.jobs) == SHARDS


@pytest.mark.parametrize(
    "account",
    [
        Account(daily_quota=200.0, sent_today=200.0),
        Account(daily_quota=200.0, sent_today=199.5),
        Account(daily_quota=200.0, sent_today=230.0),
        Account(daily_quota=0.0),
        Account(stopped="account_suspended"),
        Account(daily_quota=200.0, stopped="sending_paused"),
    ],
)
def test_without_quota_it_stays_paused(account: Account) -> None:
    world = paused(QUOTA_REASON)
    world.account = account
    assert world.sweep().resumed == 0
    assert (world.status(), world.queue.jobs) == (Status.PAUSED, [])


@pytest.mark.parametrize(
    ("left", "resumed"), [(1, 0), (9, 0), (10, 1), (200, 1)]
)  # a twentieth of 200 a day
def test_a_large_campaign_does_not_go_on_for_one_mail(left: int, resumed: int) -> None:
    world = paused(QUOTA_REASON, *[make_row(f"p{n}@example.com", due=NOW + 9) for n in range(50)])
    world.account = Account(daily_quota=200.0, sent_today=200.0 - left)
    assert world.sweep().resumed == resumed


def test_a_person_who_pauses_meanwhile_is_obeyed() -> None:
    world = paused(QUOTA_REASON)
    stale = world.campaign()
    world.book.campaigns["spring"] = replace(stale, reason="paused by a person")
    world.book.get = lambda campaign_id: stale  # type: ignore[method-assign]
    assert world.sweep().resumed == 0
    assert world.status() is Status.PAUSED


def test_an_account_without_a_quota_has_enough() -> None:
    world = paused(QUOTA_REASON)
    world.account = Account(daily_quota=-1.0, sent_today=1e6)
    assert world.sweep().resumed == 1


@pytest.mark.parametrize("reason", ["paused by a person", "reputation: 5.00%", "", "daily_quota?"])
def test_no_other_pause_ends_by_itself(reason: str) -> None:
    world = paused(reason)
    assert world.sweep().resumed == 0
    assert (world.status(), world.queue.jobs) == (Status.PAUSED, [])


def test_a_persons_pause_while_the_sweep_looks_at_rows_is_not_undone() -> None:
    world = paused(QUOTA_REASON)

    def pause(_: Sequence[Transition]) -> None:
        world.book.set_status(
            "spring", Status.PAUSED, expected={Status.PAUSED}, reason="paused by a person"
        )

    world.ledger.before_apply = pause
    assert world.sweep().resumed == 0
    assert world.status() is Status.PAUSED


def test_a_cancel_that_comes_first_is_not_undone() -> None:
    world = paused(QUOTA_REASON)

    def account() -> Account:
        world.book.set_status("spring", Status.CANCELLED, expected={Status.PAUSED})
        return Account()

    report = world.sweeper(account=account).sweep(owner="s1")
    assert (report.resumed, world.queue.jobs) == (0, [])
    assert world.status() is Status.CANCELLED


# Reputation


@pytest.mark.parametrize(
    ("accepted", "news", "stops"),
    [
        (1000, {"bounced": 40}, "bounced"),
        (1000, {"bounced": 39}, ""),
        (499, {"bounced": 499}, ""),
        (500, {"bounced": 20}, "bounced"),
        (5000, {"complained": 4}, "complained"),
        (5000, {"complained": 3}, ""),
        (499, {"complained": 499}, ""),
        (1000, {"delivered": 1000}, ""),
        (0, {}, ""),
    ],
)
def test_bounces_and_complaints_pause_a_campaign_from_their_share_of_enough_mails(
    accepted: int, news: dict[str, int], stops: str
) -> None:
    world = braking(accepted, news)
    report = world.sweeper().sweep(owner="s1")
    assert report.paused == bool(stops)
    assert world.status() is (Status.PAUSED if stops else Status.RUNNING)
    if stops:
        reason = world.campaign().reason
        assert reason.startswith("reputation: ")
        assert f"of {accepted} mails {stops}" in reason
        assert "limit" in reason


def braking(accepted: int, news: Mapping[str, int]) -> World:
    world = World(campaign=listed(total=accepted + 1))
    counts = world.book.counts.setdefault("spring", Counter())
    counts.update({"accepted": accepted, **news})
    return world


def test_the_brake_follows_its_limits() -> None:
    world = braking(10, {"bounced": 1})
    world.reputation = Reputation(bounce_pause=0.1, minimum=10)
    assert world.sweeper().sweep(owner="s1").paused == 1


def test_what_a_person_has_let_pass_does_not_pause_again_but_more_of_it_does() -> None:
    seen = {"accepted": 1000, "bounced": 100}
    world = braking(1000, {"bounced": 100})
    world.book.campaigns["spring"] = replace(world.campaign(), forgiven=seen, total=9000)
    assert world.sweeper().sweep(owner="s1").paused == 0
    world.book.counts["spring"].update({"accepted": 499, "bounced": 499})
    assert world.sweeper().sweep(owner="s2").paused == 0
    world.book.counts["spring"].update({"accepted": 1})
    assert world.sweeper().sweep(owner="s3").paused == 1


def test_a_pause_by_the_brake_does_not_end_by_itself() -> None:
    world = braking(1000, {"bounced": 100})
    world.sweeper().sweep(owner="s1")
    world.clock.advance(86_400)
    report = world.sweeper().sweep(owner="s2")
    assert (report.resumed, world.status()) == (0, Status.PAUSED)


# How far it has come


@pytest.mark.parametrize("status", list(Status))
def test_only_what_runs_is_noted(status: Status) -> None:
    world = World(campaign=listed(status=status, start_at=NOW))
    world.book.counts["spring"] = Counter({State.ACCEPTED: 3, State.FAILED: 1})
    noted: list[tuple[str, Point]] = []
    world.sweeper(note=lambda *found: noted.append(found)).sweep(owner="s1")
    wanted = [("spring", Point(at=NOW, accepted=3, failed=1))] if status is Status.RUNNING else []
    assert noted == wanted


# What would be looked after for ever


def test_a_campaign_cancelled_before_it_was_queued_is_forgotten() -> None:
    world = World(campaign=listed(status=Status.CANCELLED, chunks=3, chunks_done=0, expected=9))
    world.sweep()
    assert world.book.active_ids == set()


def test_a_refused_campaign_is_forgotten() -> None:
    world = World(campaign=listed(status=Status.REFUSED))
    world.sweep()
    assert world.book.active_ids == set()


def test_a_campaign_made_by_plain_messages_is_looked_after_for_a_while() -> None:
    world = one(state=State.ACCEPTED, due=0)
    world.book.campaigns["spring"] = replace(world.campaign(), list_id="")
    world.sweep()
    assert world.book.active_ids == {"spring"}
    world.clock.advance(DIRECT_SECONDS)
    world.sweep()
    assert world.book.active_ids == set()


def test_counters_that_say_too_little_are_found_though_nobody_is_due() -> None:
    world = one(state=State.ACCEPTED, due=0)
    world.book.counts["spring"].clear()
    world.clock.advance(STALLED_SECONDS - 1)
    assert counted(world.sweeper().sweep(owner="s1")) == {}
    world.clock.advance(1)
    assert counted(world.sweeper().sweep(owner="s2")) == {"drifted": 1}
    world.sweep("s3")
    assert world.status() is Status.COMPLETE


# Plans


@pytest.mark.parametrize(
    ("changes", "op"),
    [
        ({"status": Status.PLANNING, "chunks_done": 0}, Op.CHECK_PLAN),
        ({"status": Status.RUNNING, "chunks_done": 1}, Op.PLAN),
    ],
)
def test_a_plan_that_does_not_end_is_begun_again(changes: dict[str, Any], op: Op) -> None:
    campaign = listed(**{"chunks": 3, "changed_at": NOW, **changes})
    world = World(campaign=campaign)
    world.clock.advance(STUCK_SECONDS - 1)
    world.sweep()
    assert world.queue.jobs == []
    world.clock.advance(1)
    world.sweep()
    (job,) = [json.loads(body) for body in world.queue.jobs]
    assert (job["op"], job["first"], job["last"]) == (op, 0, 3)


def test_a_plan_that_takes_long_is_not_piled_upon_every_minute() -> None:
    world = World(campaign=listed(status=Status.PLANNING, chunks=3, changed_at=NOW))
    for _ in range(60):
        world.clock.advance(60)
        world.sweep()
    assert 6 <= len(world.queue.jobs) <= 12


@pytest.mark.parametrize("jitter", [1, 7, 29])
def test_a_sweep_that_is_a_little_late_misses_no_plan(jitter: int) -> None:
    world = World(campaign=listed(status=Status.PLANNING, chunks=3, changed_at=NOW))
    for _ in range(STUCK_SECONDS // 30):
        world.clock.advance(60 + jitter)
        world.sweep()
    assert world.queue.jobs


def test_a_plan_that_has_ended_is_left_alone() -> None:
    world = World(make_row(due=NOW + 9_000), campaign=listed(changed_at=NOW))
    world.clock.advance(STUCK_SECONDS)
    world.sweep()
    assert world.queue.jobs == []


def test_a_campaign_whose_timer_failed_is_started() -> None:
    world = World(campaign=listed(status=Status.SCHEDULED, start_at=NOW, start_by=NOW + 3600))
    world.clock.advance(LATE_START_SECONDS - 1)
    world.sweep()
    assert world.queue.jobs == []
    world.clock.advance(1)
    world.sweep()
    assert world.ops() == [Op.START]


# Everything together


@given(
    st.lists(st.sampled_from(list(State)), min_size=1, max_size=6),
    st.sampled_from(list(UnknownPolicy)),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_whatever_state_rows_are_in_sweeps_let_nobody_wait_for_ever(
    states: list[State], policy: UnknownPolicy, reopened: bool
) -> None:
    """A worker that takes every message and always succeeds: everybody is settled in an hour."""
    rows = [
        make_row(f"p{n}@example.com", state=state, attempt=1, lease=NOW + 60, due=NOW)
        for n, state in enumerate(states)
    ]
    world = World(*rows, campaign=listed(unknown_policy=policy))
    world.stream = PASSED
    if reopened:
        failed = [row for row in rows if row.state is State.FAILED]
        world.ledger.apply([reopen(row, now=NOW) for row in failed], owner="person")
    for _ in range(60):
        world.sweep()
        for body in world.queue.mails:
            deliver(world, json.loads(body)["contact"]["email"])
        world.queue.mails.clear()
        world.clock.advance(60)
    left = set(world.ledger.states()) - {"accepted", "failed", "suppressed", "cancelled"}
    held = {"unknown"} if policy is UnknownPolicy.HOLD else set()
    assert left <= held
    assert world.status() in (Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN)
    assert world.book.active_ids == set()


def deliver(world: World, email: str) -> None:
    """Do what a worker does that finds nothing in its way."""
    (row,) = [row for row in world.ledger.rows.values() if row.contact.email == email]
    now = world.clock()
    if judge(row, now) is not Verdict.SEND:
        return
    step = claim(row, owner="w", lease=now + 60, now=now)
    assert world.ledger.apply([step], owner="w") == [True]
    done = replace(step.after, state=State.ACCEPTED, due=0)
    counts = {"sending": -1, "accepted": 1}
    world.ledger.apply([Transition(before=step.after, after=done, counts=counts)], owner="w")
