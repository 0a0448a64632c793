"""Fan a campaign out: check every row, then put rows, then queue messages.

A start is a plan to check: each chunk of the list is rendered, and the first row that cannot be
refuses the campaign by its line, before anybody is mailed. Once every chunk is checked, a plan to
send follows: a chunk becomes rows of the ledger and then messages.

Every step may be done twice: rows are created only where none stands, messages are absorbed by
the claim, and a chunk is counted in once. A plan of many chunks is split into plans of fewer, so
that no message chain is longer than five (Lambda cuts chains after 16 hops).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from sendmill.campaign import FINISHED, Campaign, Status
from sendmill.contact import recipient_id
from sendmill.contact_list import Accepted
from sendmill.errors import InvalidMessage, InvalidTemplate, NotFound
from sendmill.ledger import (
    ENQUEUE_GRACE_SECONDS,
    SHARDS,
    Row,
    State,
    Transition,
    Verdict,
    cancel,
    give_up,
    judge,
    recall,
    reopen,
    try_again,
)
from sendmill.message import Message, message_body
from sendmill.template import compile_content

# Recipients in a chunk: one part of a list, one invocation of a few seconds.
CHUNK_SIZE = 500
# Chunks that one invocation plans itself; more are handed on as smaller plans.
PLAN_WIDTH = 100

# What the worker adds to every contact; stand-ins while rows are only checked.
WORKER_FIELDS = {"unsubscribe_url": "https://example.com/unsubscribe"}


class Op(StrEnum):
    """What a message on the dispatch queue asks for."""

    START = "start"
    CHECK_PLAN = "check_plan"
    CHECK = "check"
    PLAN = "plan"
    CHUNK = "chunk"
    REQUEUE = "requeue"
    RETRY_FAILED = "retry_failed"
    RESOLVE = "resolve"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of dispatch work: chunks ``first`` to ``last`` (exclusive), or a shard.

    ``argument`` narrows it: the reason of the failures to retry, or what to make of the unknown.
    ``asked_at`` is when a person asked for it, in seconds since 1970, 0 for nobody: it holds for
    what had been tried by then, however late or often the job comes.
    """

    op: Op
    campaign_id: str
    first: int = 0
    last: int = 0
    argument: str = ""
    asked_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Say of one row whether it now stands for this chunk, and in which state."""

    row: Row
    ours: bool


class Rows(Protocol):
    """Keep the rows of recipients."""

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        """Create each row unless it stands; return what stands now, in the same order."""

    def in_shard(self, campaign_id: str, shard: int) -> Iterator[Row]:
        """Yield every row of one partition of a campaign."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write what still can be; say for each whether it stands."""


class CampaignBook(Protocol):
    """Keep the campaigns and their chunks."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stands now."""

    def add_chunks(self, campaign_id: str, first: int, last: int) -> Sequence[int]:
        """Create the chunks that do not stand yet; return those that are not done."""

    def check_chunk(self, campaign_id: str, chunk: int) -> None:
        """Mark a chunk as checked and count it, once."""

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        """Mark a chunk as done and count it in, once."""

    def set_status(
        self, campaign_id: str, status: Status, *, expected: set[Status], reason: str = ""
    ) -> bool:
        """Change the status if it is one of the expected ones; tell whether it was."""


class Lists(Protocol):
    """Keep the parts of contact lists."""

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return the contacts of one part of a revision; raises NotFound."""


class Queues(Protocol):
    """Take messages; raise QueueUnavailable when one was not taken."""

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Put bodies on the dispatch queue."""

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Put bodies on the e-mail queue; ``group`` keeps one campaign from delaying others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Hold what dispatch needs; built once for each function.

    ``drain_seconds`` says how long so many mails take at the account's rate: no sweep looks for a
    recipient before his turn. ``extra_fields`` stand for what the worker adds to every template.
    """

    rows: Rows
    book: CampaignBook
    lists: Lists
    queues: Queues
    hash_key: bytes
    clock: Callable[[], int]
    drain_seconds: Callable[[int], int] = lambda mails: 0
    extra_fields: Mapping[str, str] = field(default_factory=dict)

    def do(self, job: Job) -> dict[str, int]:
        """Do one job; safe to do again. Returns counts for the log line.

        Raises NotFound for a campaign that does not exist; errors of the adapters pass through.
        """
        campaign = self.book.get(job.campaign_id)
        if campaign is None:
            raise NotFound(f"campaign {job.campaign_id} does not exist")
        if job.op is Op.START:
            return self._start_on_time(campaign)
        if job.op in (Op.CHECK_PLAN, Op.PLAN):
            return self._plan(campaign, job)
        if job.op is Op.CHECK:
            return self._check(campaign, job.first)
        if job.op is Op.CHUNK:
            return self._chunk(campaign, job.first)
        if job.op is Op.REQUEUE:
            return self._requeue(campaign, job.first)
        return self._change_shard(campaign, job)

    def _start_on_time(self, campaign: Campaign) -> dict[str, int]:
        """Start a scheduled campaign, unless its time has long passed or it was changed since."""
        now = self.clock()
        if campaign.status is Status.SCHEDULED and now >= campaign.start_at:
            if campaign.start_by and now > campaign.start_by:
                self._refuse_late(campaign, now)
                return {"started": 0}
            # before the checks are queued: they look at the status
            self.book.set_status(campaign.id, Status.PLANNING, expected={Status.SCHEDULED})
        elif campaign.status is not Status.PLANNING or not campaign.start_at:
            return {"started": 0}
        self.queues.send_jobs([job_body(check_plan_of(campaign))])
        return {"started": 1}

    def _refuse_late(self, campaign: Campaign, now: int) -> None:
        late = now - campaign.start_at
        reason = f"its time passed {late} s ago: start it by hand, or schedule it anew"
        self.book.set_status(
            campaign.id, Status.REFUSED, expected={Status.SCHEDULED}, reason=reason
        )

    def _plan(self, campaign: Campaign, job: Job) -> dict[str, int]:
        """Hand a plan on, as smaller plans or as one job for each chunk."""
        each = Op.CHECK if job.op is Op.CHECK_PLAN else Op.CHUNK
        width = job.last - job.first
        if width > PLAN_WIDTH:
            step = max(PLAN_WIDTH, -(-width // PLAN_WIDTH))
            starts = range(job.first, job.last, step)
            jobs = [replace(job, first=at, last=min(at + step, job.last)) for at in starts]
        else:
            # a plan that comes again would put and queue whoever waits in a chunk once more
            chunks = self.book.add_chunks(campaign.id, job.first, job.last)
            jobs = [replace(job, op=each, first=chunk, last=chunk + 1) for chunk in chunks]
        self.queues.send_jobs([job_body(child) for child in jobs])
        return {"jobs": len(jobs)}

    def _check(self, campaign: Campaign, chunk: int) -> dict[str, int]:
        """Render every contact of a chunk; the last chunk to be checked starts the sending."""
        if campaign.status is Status.RUNNING and not campaign.chunks_done:
            self._send_when_checked(campaign.id)
        if campaign.status is not Status.PLANNING:
            return {"checked": 0}
        try:
            contacts = self.lists.read_part(campaign.list_id, chunk, campaign.list_revision)
            fault = first_fault(campaign, contacts, self.extra_fields)
        except NotFound as error:
            # deleted meanwhile: whoever stood there would be missed without a word
            fault = str(error)
        if fault:
            self.book.set_status(
                campaign.id, Status.REFUSED, expected={Status.PLANNING}, reason=fault
            )
            return {"checked": 0}
        self.book.check_chunk(campaign.id, chunk)
        self._send_when_checked(campaign.id)
        return {"checked": len(contacts)}

    def _send_when_checked(self, campaign_id: str) -> None:
        campaign = self.book.get(campaign_id)
        if campaign is None or campaign.chunks_checked < campaign.chunks:
            return
        # before the plan is queued: workers look at the status. A crash in between is made good
        # by the check that comes again, or by the sweep
        self.book.set_status(campaign.id, Status.RUNNING, expected={Status.PLANNING})
        self.queues.send_jobs([job_body(plan_of(campaign))])

    def _chunk(self, campaign: Campaign, chunk: int) -> dict[str, int]:
        now = self.clock()
        contacts = self.lists.read_part(campaign.list_id, chunk, campaign.list_revision)
        wanted = [self._row(campaign.id, accepted, chunk, now) for accepted in contacts]
        stand = self.rows.put_all(wanted)
        fresh = [put.row for put in stand if put.ours and put.row.state is State.PENDING]
        self._enqueue(campaign.id, fresh)
        # by recipient: a list that names somebody twice has one row for him
        ours = len({put.row.rid for put in stand if put.ours})
        self.book.finish_chunk(campaign.id, chunk, rows=ours, duplicates=len(stand) - ours)
        return {"rows": len(stand), "enqueued": len(fresh)}

    def _change_shard(self, campaign: Campaign, job: Job) -> dict[str, int]:
        """Retry the failed, settle the unknown or cancel who waits; queue who may go."""
        now, changed = self.clock(), 0
        page: list[Row] = []
        for row in self.rows.in_shard(campaign.id, job.first):
            if wanted_change(row, job) is not None:
                page.append(row)
            if len(page) == CHUNK_SIZE:
                changed, page = changed + self._change(campaign.id, page, job, now), []
        changed += self._change(campaign.id, page, job, now)
        if job.op is not Op.CANCEL:
            self._run_again(campaign.id)
        return {"changed": changed}

    def _run_again(self, campaign_id: str) -> None:
        """Let a campaign run that the sweep has completed between the request and this job."""
        self.book.set_status(campaign_id, Status.RUNNING, expected=set(FINISHED))

    def _change(self, campaign_id: str, rows: Sequence[Row], job: Job, now: int) -> int:
        steps = [step for row in rows if (step := change_of(row, job, now)) is not None]
        stands = self.rows.apply(steps, owner=f"{job.op}#{job.first}")
        done = [step.after for step, stood in zip(steps, stands, strict=True) if stood]
        self._enqueue(campaign_id, [row for row in done if row.state is State.RETRY])
        return len(done)

    def _requeue(self, campaign: Campaign, shard: int) -> dict[str, int]:
        now = self.clock()
        found = 0
        page: list[Row] = []
        for row in self.rows.in_shard(campaign.id, shard):
            if _put_off(row, now) or judge(row, now) in (Verdict.SEND, Verdict.LOST):
                page.append(row)
            if len(page) == CHUNK_SIZE:
                found, page = found + self._recall(campaign.id, shard, page, now), []
        return {"enqueued": found + self._recall(campaign.id, shard, page, now)}

    def _recall(self, campaign_id: str, shard: int, rows: Sequence[Row], now: int) -> int:
        """Queue rows; those that were put off while nothing could be sent have their turn now."""
        steps = [recall(row, now=now) for row in rows if _put_off(row, now)]
        self.rows.apply(steps, owner=f"{Op.REQUEUE}#{shard}")
        self._enqueue(campaign_id, rows)
        return len(rows)

    def _row(self, campaign_id: str, accepted: Accepted, chunk: int, now: int) -> Row:
        return Row(
            campaign_id=campaign_id,
            rid=recipient_id(self.hash_key, campaign_id, accepted.contact.email),
            contact=accepted.contact,
            chunk=chunk,
            line=accepted.line,
            due=now + ENQUEUE_GRACE_SECONDS + self.drain_seconds((chunk + 1) * CHUNK_SIZE),
            created_at=now,
            updated_at=now,
        )

    def _enqueue(self, campaign_id: str, rows: Sequence[Row]) -> None:
        self.queues.send_mails(mail_bodies(campaign_id, rows), group=campaign_id)


def first_fault(
    campaign: Campaign, contacts: Sequence[Accepted], extra_fields: Mapping[str, str]
) -> str:
    """Return why the first contact that cannot be rendered cannot, by line; or nothing."""
    try:
        compiled = compile_content(campaign.content)
    except InvalidTemplate as error:
        return str(error)
    for accepted in contacts:
        try:
            compiled.render({**extra_fields, **accepted.contact.template_fields()})
        except InvalidTemplate as error:
            return f"line {accepted.line} of the list: {error}"
    return ""


def _put_off(row: Row, now: int) -> bool:
    """Tell whether a retry waits only because its campaign was paused when its turn came."""
    return row.state is State.RETRY and row.due > now and 0 < row.late_since <= now


def wanted_change(row: Row, job: Job) -> State | None:
    """Return the state a job wants a row in, or None for rows that it leaves alone."""
    erased = not row.contact.email
    if job.asked_at and row.attempted_at > job.asked_at:
        return None  # tried since: what became of it is not what the person decided about
    if job.op is Op.RETRY_FAILED:
        matches = row.state is State.FAILED and row.reason.startswith(job.argument)
        return State.RETRY if matches and not erased else None
    if job.op is Op.RESOLVE and row.state is State.UNKNOWN:
        return State.RETRY if job.argument == "resend" and not erased else State.FAILED
    if job.op is Op.CANCEL and row.state in (State.PENDING, State.RETRY):
        return State.CANCELLED
    return None


def change_of(row: Row, job: Job, now: int) -> Transition | None:
    """Return the write that a job wants for a row, or None."""
    wanted = wanted_change(row, job)
    if wanted is None:
        return None
    if wanted is State.CANCELLED:
        return cancel(row, now=now)
    if row.state is State.FAILED:
        return reopen(row, now=now)
    if wanted is State.RETRY:
        return try_again(row, reason="resent by a person", now=now)
    return give_up(row, reason="given up by a person", now=now)


def check_plan_of(campaign: Campaign) -> Job:
    """Return the job that checks a whole campaign, and then sends it."""
    return Job(op=Op.CHECK_PLAN, campaign_id=campaign.id, first=0, last=campaign.chunks)


def plan_of(campaign: Campaign) -> Job:
    """Return the job that puts a whole, checked campaign on the queue."""
    return Job(op=Op.PLAN, campaign_id=campaign.id, first=0, last=campaign.chunks)


def shard_jobs(op: Op, campaign_id: str, argument: str = "", *, asked_at: int = 0) -> list[Job]:
    """Return one job for each partition of a campaign's recipients."""
    job = Job(op=op, campaign_id=campaign_id, argument=argument, asked_at=asked_at)
    return [replace(job, first=shard, last=shard + 1) for shard in range(SHARDS)]


def mail_bodies(campaign_id: str, rows: Sequence[Row]) -> list[str]:
    """Return one body for the e-mail queue for each row; the rest stands in the ledger.

    None for a person who was erased: it would be a message that nobody can read.
    """
    return [
        message_body(Message(campaign_id=campaign_id, contact=row.contact))
        for row in rows
        if row.contact.email
    ]


def job_body(job: Job) -> str:
    """Return the body of a job on the dispatch queue."""
    return json.dumps(
        {
            "op": job.op,
            "campaign_id": job.campaign_id,
            "first": job.first,
            "last": job.last,
            "argument": job.argument,
            **({"asked_at": job.asked_at} if job.asked_at else {}),
        },
        separators=(",", ":"),
    )


def parse_job(body: str) -> Job:
    """Return the job that a body of the dispatch queue holds; raises InvalidMessage."""
    try:
        raw = json.loads(body)
        return Job(
            op=Op(raw["op"]),
            campaign_id=str(raw["campaign_id"]),
            first=int(raw["first"]),
            last=int(raw["last"]),
            argument=str(raw.get("argument", "")),
            asked_at=int(raw.get("asked_at", 0)),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidMessage(f"body must be a dispatch job ({error!r})") from error
