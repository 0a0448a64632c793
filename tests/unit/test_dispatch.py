"""A campaign is checked, becomes rows and messages, and doing any step twice changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fakes import (
    CONTENT,
    HASH_KEY,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    MemoryLists,
    MemoryQueue,
    make_campaign,
    make_row,
)
from sendmill.campaign import Campaign, Status
from sendmill.contact import Contact
from sendmill.contact_list import Accepted
from sendmill.dispatch import (
    PLAN_WIDTH,
    Dispatcher,
    Job,
    Op,
    Put,
    check_plan_of,
    job_body,
    parse_job,
    plan_of,
    shard_jobs,
)
from sendmill.erasure import forgotten
from sendmill.errors import InvalidMessage, NotFound, QueueUnavailable, StoreUnavailable
from sendmill.ledger import MAX_TRIES, SHARDS, Row, State
from sendmill.message import parse_message


def person(email: str, **fields: str) -> Contact:
    return Contact(email=email, fields={"first_name": "Ada", **fields})


class World:
    """A campaign of ``sizes`` recipients a chunk, and what dispatch works with."""

    def __init__(self, *sizes: int, status: Status = Status.PLANNING) -> None:
        total = sum(sizes)
        self.book = MemoryCampaigns(
            make_campaign(
                list_id="list", chunks=len(sizes), rows=total, expected=total, status=status
            )
        )
        self.ledger = MemoryLedger(self.book)
        self.lists = MemoryLists()
        self.queue = MemoryQueue()
        self.clock = Clock()
        for part, size in enumerate(sizes):
            contacts = [
                Accepted(line=n + 2, contact=person(f"u{part}-{n}@example.com"))
                for n in range(size)
            ]
            self.lists.write_part("list", part, contacts)

    def ready(self, *chunks: int) -> None:
        """Let chunks stand that were checked."""
        for chunk in chunks:
            self.book.add_chunks("spring", chunk, chunk + 1)
            self.book.check_chunk("spring", chunk)

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            rows=self.ledger,
            book=self.book,
            lists=self.lists,
            queues=self.queue,
            hash_key=HASH_KEY,
            clock=self.clock,
        )

    def do(self, job: Job) -> dict[str, int]:
        return self.dispatcher().do(job)

    def drain(self) -> int:
        """Do every job that is on the queue; return the longest chain of jobs."""
        depth = 0
        while self.queue.jobs:
            jobs, self.queue.jobs = self.queue.jobs, []
            for body in jobs:
                self.do(parse_job(body))
            depth += 1
        return depth

    def campaign(self) -> Campaign:
        return self.book.campaigns["spring"]

    def mailed(self) -> list[str]:
        return [parse_message(body).contact.email for body in self.queue.mails]


CHUNK = Job(op=Op.CHUNK, campaign_id="spring", first=0, last=1)


def test_a_campaign_is_checked_and_every_recipient_queued_once() -> None:
    world = World(3, 2)
    world.do(check_plan_of(world.campaign()))
    assert world.drain() <= 3
    assert sorted(world.mailed()) == sorted(
        accepted.contact.email for part in world.lists.parts.values() for accepted in part
    )
    campaign = world.campaign()
    assert (campaign.status, campaign.total, campaign.chunks_done) == (Status.RUNNING, 5, 2)
    assert campaign.duplicates == 0
    world.ledger.check_sums()


def test_a_row_stands_before_its_message_is_queued() -> None:
    world = World(3)
    world.ready(0)
    world.queue.room = 0
    with pytest.raises(QueueUnavailable):
        world.do(CHUNK)
    assert len(world.ledger.rows) == 3
    assert world.book.chunks["spring"] == {0: "checked"}


def test_a_row_knows_chunk_line_and_when_it_is_overdue() -> None:
    world = World(1)
    world.ready(0)
    world.do(CHUNK)
    row = world.ledger.only()
    assert (row.chunk, row.line, row.due, row.state) == (0, 2, NOW + 120, State.PENDING)


@pytest.mark.parametrize("chunks", [0, 1, PLAN_WIDTH, PLAN_WIDTH + 1, 1_000, 9_999, 10_000])
def test_a_plan_of_any_width_reaches_every_chunk_once_in_three_steps(chunks: int) -> None:
    world = World()
    world.book.bump("spring", chunks=chunks)
    jobs = [plan_of(world.campaign())]
    found: list[int] = []
    depth = 0
    while jobs:
        depth += 1
        for job in jobs:
            world.do(job)
        jobs = [parse_job(body) for body in world.queue.jobs]
        world.queue.jobs.clear()
        found += [job.first for job in jobs if job.op is Op.CHUNK]
        assert all(job.last == job.first + 1 for job in jobs if job.op is Op.CHUNK)
        jobs = [job for job in jobs if job.op is Op.PLAN]
        assert len(jobs) <= PLAN_WIDTH
    assert sorted(found) == list(range(chunks))
    assert len(world.book.chunks.get("spring", {})) == chunks
    assert depth <= 2


def test_a_plan_that_comes_again_leaves_chunks_that_are_done_alone() -> None:
    world = World(2, 2, status=Status.RUNNING)
    world.ready(0, 1)
    world.do(CHUNK)
    assert world.campaign().chunks_done == 1
    world.do(plan_of(world.campaign()))
    assert [parse_job(body) for body in world.queue.jobs] == [
        Job(op=Op.CHUNK, campaign_id="spring", first=1, last=2)
    ]


CHECK = Job(op=Op.CHECK, campaign_id="spring", first=0, last=1)


def test_the_last_chunk_to_be_checked_starts_the_sending() -> None:
    world = World(1, 1)
    world.book.add_chunks("spring", 0, 2)
    world.do(CHECK)
    assert (world.campaign().status, world.queue.jobs) == (Status.PLANNING, [])
    world.do(replace(CHECK, first=1, last=2))
    assert world.campaign().status is Status.RUNNING
    assert [parse_job(body) for body in world.queue.jobs] == [plan_of(world.campaign())]


def test_a_check_that_comes_again_queues_the_plan_that_a_crash_lost() -> None:
    world = World(1)
    world.book.add_chunks("spring", 0, 1)
    world.queue.room = 0
    with pytest.raises(QueueUnavailable):
        world.do(CHECK)
    # workers look at the status, so it changes before the first message can reach one
    assert world.campaign().status is Status.RUNNING
    world.queue.room = None
    world.do(CHECK)
    assert [parse_job(body) for body in world.queue.jobs] == [plan_of(world.campaign())]
    assert world.campaign().chunks_checked == 1


def test_a_row_that_cannot_be_rendered_refuses_the_campaign_by_its_line() -> None:
    world = World(2)
    world.book.add_chunks("spring", 0, 1)
    content = replace(CONTENT, body="{{ first_name }} {{ nickname }}")
    world.book.campaigns["spring"] = replace(world.campaign(), content=content)
    nicks = [
        Accepted(line=4, contact=person("a@example.com", nickname="A")),
        Accepted(line=7, contact=person("victim@example.com")),
    ]
    world.lists.write_part("list", 0, nicks)
    world.do(CHECK)
    campaign = world.campaign()
    assert (campaign.status, campaign.chunks_checked) == (Status.REFUSED, 0)
    assert campaign.reason == "line 7 of the list: body: 'nickname' is undefined"
    assert world.queue.jobs == []
    assert world.ledger.rows == {}


def test_a_template_that_does_not_compile_refuses_the_campaign() -> None:
    world = World(1)
    world.book.add_chunks("spring", 0, 1)
    content = replace(CONTENT, body="{% for a in b %}{% endfor %}")
    world.book.campaigns["spring"] = replace(world.campaign(), content=content)
    world.do(CHECK)
    assert world.campaign().status is Status.REFUSED
    assert "for is not allowed" in world.campaign().reason


def test_a_part_that_is_gone_refuses_the_campaign_and_is_never_nobody() -> None:
    world = World(1)
    del world.lists.parts["list", 0]
    world.do(check_plan_of(world.campaign()))
    world.drain()
    assert world.campaign().status is Status.REFUSED
    assert world.campaign().reason == "part 0 of list does not exist"
    world = World(1, status=Status.RUNNING)
    world.ready(0)
    del world.lists.parts["list", 0]
    with pytest.raises(NotFound):
        world.do(CHUNK)
    assert world.campaign().chunks_done == 0


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.PLANNING])
def test_a_check_that_comes_late_changes_nothing(status: Status) -> None:
    world = World(1, status=status)
    world.book.add_chunks("spring", 0, 1)
    world.do(CHECK)
    assert (world.campaign().status, world.queue.jobs) == (status, [])


@pytest.mark.parametrize("op", [Op.PLAN, Op.CHECK_PLAN])
def test_a_plan_does_not_wake_a_paused_campaign(op: Op) -> None:
    world = World(1, status=Status.PAUSED)
    world.do(replace(plan_of(world.campaign()), op=op))
    assert world.campaign().status is Status.PAUSED


START = Job(op=Op.START, campaign_id="spring")


def scheduled(now: int, **changes: Any) -> World:
    world = World(1, status=Status.SCHEDULED)
    times = {"start_at": NOW, "start_by": NOW + 600}
    world.book.campaigns["spring"] = replace(world.campaign(), **{**times, **changes})
    world.clock.now = now
    return world


@pytest.mark.parametrize("now", [NOW, NOW + 1, NOW + 600])
def test_a_scheduled_campaign_starts_at_its_time(now: int) -> None:
    world = scheduled(now)
    world.do(START)
    assert world.campaign().status is Status.PLANNING
    assert [parse_job(body).op for body in world.queue.jobs] == [Op.CHECK_PLAN]


def test_a_campaign_whose_time_has_long_passed_is_refused() -> None:
    world = scheduled(NOW + 601)
    world.do(START)
    assert world.campaign().status is Status.REFUSED
    assert "its time passed 601 s ago" in world.campaign().reason
    assert world.queue.jobs == []


@pytest.mark.parametrize(
    "status", [one for one in Status if one not in (Status.SCHEDULED, Status.PLANNING)]
)
def test_a_timer_of_a_campaign_that_was_changed_since_does_nothing(status: Status) -> None:
    world = scheduled(NOW, status=status)
    world.do(START)
    assert (world.campaign().status, world.queue.jobs) == (status, [])


def test_a_timer_that_rings_again_after_a_crash_queues_the_checks_again() -> None:
    world = scheduled(NOW, status=Status.PLANNING)
    world.do(START)
    assert [parse_job(body).op for body in world.queue.jobs] == [Op.CHECK_PLAN]


def test_a_timer_that_rings_early_does_nothing() -> None:
    world = scheduled(NOW - 1)
    world.do(START)
    assert (world.campaign().status, world.queue.jobs) == (Status.SCHEDULED, [])


class CrashingLedger(MemoryLedger):
    """Dies after ``left`` rows are written."""

    left = 0

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        super().put_all(rows[: self.left])
        raise StoreUnavailable("crash")


class CrashingBook(MemoryCampaigns):
    """Dies before, or after, a chunk is counted in."""

    counts_first = False

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        if self.counts_first:
            super().finish_chunk(campaign_id, chunk, rows=rows, duplicates=duplicates)
        raise StoreUnavailable("crash")


@pytest.mark.parametrize(
    "point", ["first row", "some rows", "first mail", "some mails", "before count", "after count"]
)
def test_a_chunk_that_died_anywhere_is_done_again_and_counted_once(point: str) -> None:
    world = World(4)
    world.ready(0)
    whole = world.dispatcher()
    broken = world.dispatcher()
    if point in ("first row", "some rows"):
        ledger = CrashingLedger(world.book)
        ledger.rows, ledger.left = world.ledger.rows, 0 if point == "first row" else 2
        broken = Dispatcher(**{**_fields(whole), "rows": ledger})
    elif point in ("first mail", "some mails"):
        world.queue.room = 0 if point == "first mail" else 3
    else:
        book = CrashingBook()
        book.campaigns, book.chunks = world.book.campaigns, world.book.chunks
        book.counts_first = point == "after count"
        broken = Dispatcher(**{**_fields(whole), "book": book})
    with pytest.raises((StoreUnavailable, QueueUnavailable)):
        broken.do(CHUNK)
    world.queue.room = None
    for _ in range(2):
        whole.do(CHUNK)
    campaign = world.campaign()
    assert (campaign.total, campaign.chunks_done, campaign.duplicates) == (4, 1, 0)
    assert set(world.mailed()) == {f"u0-{n}@example.com" for n in range(4)}
    world.ledger.check_sums()


def _fields(dispatcher: Dispatcher) -> dict[str, object]:
    return {name: getattr(dispatcher, name) for name in Dispatcher.__dataclass_fields__}


def test_rows_that_other_chunks_or_messages_brought_count_as_duplicates() -> None:
    world = World(3)
    world.ready(0)
    world.ledger.adopt([make_row("u0-0@example.com"), make_row("u0-1@example.com", chunk=7)])
    world.do(CHUNK)
    campaign = world.campaign()
    assert (campaign.total, campaign.duplicates) == (3, 2)
    assert world.mailed() == ["u0-2@example.com"]
    world.ledger.check_sums()


def test_a_chunk_done_again_queues_only_those_who_still_wait() -> None:
    world = World(3)
    world.ready(0)
    world.do(CHUNK)
    world.queue.mails.clear()
    first = make_row("u0-0@example.com", chunk=0)
    world.ledger.rows["spring", first.rid] = make_row(
        "u0-0@example.com", chunk=0, state=State.ACCEPTED
    )
    world.do(CHUNK)
    assert set(world.mailed()) == {"u0-1@example.com", "u0-2@example.com"}


def test_one_campaign_is_one_group_on_the_queue() -> None:
    world = World(3)
    world.ready(0)
    world.do(CHUNK)
    assert world.queue.groups == {"spring"}


def test_requeue_queues_those_who_wait_or_whose_worker_is_lost_and_nobody_else() -> None:
    world = World()
    waiting = {
        "pending@example.com": {"state": State.PENDING},
        "due@example.com": {"state": State.RETRY, "due": NOW},
        "lost@example.com": {"state": State.SENDING, "lease": NOW - 1},
        "put.off@example.com": {"state": State.RETRY, "due": NOW + 600, "late_since": NOW - 300},
    }
    others = {
        "later@example.com": {"state": State.RETRY, "due": NOW + 60},
        "busy@example.com": {"state": State.SENDING, "lease": NOW + 60},
        "accepted@example.com": {"state": State.ACCEPTED},
        "failed@example.com": {"state": State.FAILED},
        "unknown@example.com": {"state": State.UNKNOWN},
        "suppressed@example.com": {"state": State.SUPPRESSED},
        "cancelled@example.com": {"state": State.CANCELLED},
    }
    for email, changes in {**waiting, **others}.items():
        row = make_row(email, **changes)
        world.ledger.rows["spring", row.rid] = row
    jobs = shard_jobs(Op.REQUEUE, "spring")
    assert [job.first for job in jobs] == list(range(SHARDS))
    counts = [world.do(job)["enqueued"] for job in jobs]
    assert sorted(world.mailed()) == sorted(waiting)
    assert sum(counts) == len(waiting)
    # or the worker would take the message for one that comes too early
    assert {row.due for row in world.ledger.rows.values() if row.contact.email[:3] == "put"} == {
        NOW
    }


def test_a_large_partition_is_requeued_whole() -> None:
    world = World()
    rows = [make_row(f"user{n}@example.com") for n in range(1_100)]
    for row in rows:
        world.ledger.rows["spring", row.rid] = row
    assert sum(world.do(job)["enqueued"] for job in shard_jobs(Op.REQUEUE, "spring")) == 1_100
    assert len(set(world.mailed())) == 1_100


def shard_world(*rows: Row) -> World:
    world = World()
    world.ledger = MemoryLedger(world.book, *rows)
    return world


def change(world: World, op: Op, argument: str = "") -> dict[str, State]:
    """Do a job for every shard, twice; return the states by address."""
    for job in shard_jobs(op, "spring", argument) * 2:
        world.do(job)
    world.ledger.check_sums()
    return {row.contact.email: row.state for row in world.ledger.rows.values()}


EVERY_STATE = {
    f"{state}@example.com": make_row(f"{state}@example.com", state=state) for state in State
}


def test_cancelling_ends_those_who_wait_and_nobody_else() -> None:
    world = shard_world(*EVERY_STATE.values())
    after = change(world, Op.CANCEL)
    for email, row in EVERY_STATE.items():
        waited = row.state in (State.PENDING, State.RETRY)
        assert after[email] is (State.CANCELLED if waited else row.state)
    assert world.queue.mails == []


def test_a_requeue_puts_nobody_on_the_queue_who_was_erased() -> None:
    erased = [forgotten(row) for row in EVERY_STATE.values()]
    world = shard_world(*erased)
    change(world, Op.REQUEUE)
    assert world.queue.mails == []


@pytest.mark.parametrize("how", ["resend", "fail"])
def test_an_erased_person_of_whom_nobody_knows_is_given_up_at_a_persons_word(how: str) -> None:
    row = forgotten(make_row(state=State.UNKNOWN, attempt=1))
    world = shard_world(row)
    change(world, Op.RESOLVE, how)
    assert world.ledger.only().state is State.FAILED
    assert world.queue.mails == []


def test_a_job_that_comes_again_leaves_who_was_tried_since_to_another_word() -> None:
    """A person decides for those whom he sees; SQS may deliver his word twice, hours apart."""
    before = make_row("a@example.com", state=State.UNKNOWN, attempt=1, attempted_at=NOW - 60)
    since = make_row("b@example.com", state=State.UNKNOWN, attempt=2, attempted_at=NOW + 60)
    again = make_row("c@example.com", state=State.FAILED, attempt=2, attempted_at=NOW + 60)
    for op, changed in ((Op.RESOLVE, "a"), (Op.RETRY_FAILED, "")):
        world = shard_world(before, since, again)
        for job in shard_jobs(op, "spring", "resend" * (op is Op.RESOLVE), asked_at=NOW):
            world.do(parse_job(job_body(job)))
        assert [email[0] for email in world.mailed()] == list(changed)


@pytest.mark.parametrize(("how", "state"), [("resend", State.RETRY), ("fail", State.FAILED)])
def test_a_person_settles_the_unknown_and_nobody_else(how: str, state: State) -> None:
    world = shard_world(*EVERY_STATE.values())
    after = change(world, Op.RESOLVE, how)
    for email, row in EVERY_STATE.items():
        assert after[email] is (state if row.state is State.UNKNOWN else row.state)
    assert world.mailed() == (["unknown@example.com"] if how == "resend" else [])


@pytest.mark.parametrize(
    ("argument", "again"), [("", {"a", "b"}), ("smtp_", {"a"}), ("smtp_4", set())]
)
def test_the_failed_are_tried_again_by_their_reason(argument: str, again: set[str]) -> None:
    world = shard_world(
        make_row("a@example.com", state=State.FAILED, reason="smtp_550", tries=MAX_TRIES),
        make_row("b@example.com", state=State.FAILED, reason="bad_request"),
        make_row("c@example.com", state=State.SUPPRESSED, reason="smtp_550"),
    )
    after = change(world, Op.RETRY_FAILED, argument)
    found = {email[0] for email, state in after.items() if state is State.RETRY}
    assert found == again
    assert {email[0] for email in world.mailed()} == again
    assert len(world.mailed()) == len(again)


@pytest.mark.parametrize("op", list(Op))
def test_a_job_of_an_unknown_campaign_is_an_error(op: Op) -> None:
    with pytest.raises(NotFound, match="campaign nobody does not exist"):
        World(1).do(Job(op=op, campaign_id="nobody"))


@pytest.mark.parametrize("op", list(Op))
def test_a_job_survives_the_queue(op: Op) -> None:
    job = Job(op=op, campaign_id="spring", first=3, last=9, argument="smtp_")
    assert parse_job(job_body(job)) == job
    assert json.loads(job_body(job)) == {
        "op": op,
        "campaign_id": "spring",
        "first": 3,
        "last": 9,
        "argument": "smtp_",
    }
    asked = replace(job, asked_at=NOW)
    assert parse_job(job_body(asked)) == asked


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        "7",
        "{}",
        '{"op":"plan"}',
        '{"op":"explode","campaign_id":"c","first":0,"last":1}',
        '{"op":"plan","campaign_id":"c","first":"x","last":1}',
        '{"op":"plan","campaign_id":"c","first":null,"last":1}',
        '{"op":"plan","campaign_id":"c","first":Infinity,"last":1}',
        "[" * 100_000,
    ],
)
def test_a_body_that_is_no_job_is_refused(body: str) -> None:
    with pytest.raises(InvalidMessage, match="body must be a dispatch job"):
        parse_job(body)
