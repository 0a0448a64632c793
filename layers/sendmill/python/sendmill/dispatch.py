"""Fan a campaign out: a plan becomes chunks, a chunk becomes rows and then messages.

Every step may be done twice: rows are created only where none stands, messages are absorbed by
the claim, and a chunk is counted in once. A plan of many chunks is split into plans of fewer, so
that no message chain is longer than three (Lambda cuts chains after 16 hops).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sendmill.campaign import Campaign, Status
from sendmill.contact import recipient_id
from sendmill.contact_list import Accepted
from sendmill.errors import InvalidMessage, NotFound
from sendmill.ledger import ENQUEUE_GRACE_SECONDS, SHARDS, Row, State, Verdict, judge
from sendmill.message import Message, message_body

# Recipients in a chunk: one part of a list, one invocation of a few seconds.
CHUNK_SIZE = 500
# Chunks that one invocation plans itself; more are handed on as smaller plans.
PLAN_WIDTH = 100


class Op(StrEnum):
    """What a message on the dispatch queue asks for."""

    PLAN = "plan"
    CHUNK = "chunk"
    REQUEUE = "requeue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of dispatch work: chunks ``first`` to ``last`` (exclusive), or a shard."""

    op: Op
    campaign_id: str
    first: int = 0
    last: int = 0


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


class CampaignBook(Protocol):
    """Keep the campaigns and their chunks."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stands now."""

    def add_chunks(self, campaign_id: str, first: int, last: int) -> None:
        """Create the chunks that do not stand yet."""

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        """Mark a chunk as done and count it in, once."""

    def set_status(self, campaign_id: str, status: Status, *, expected: set[Status]) -> bool:
        """Change the status if it is one of the expected ones; tell whether it was."""


class Lists(Protocol):
    """Keep the parts of contact lists."""

    def read_part(self, list_id: str, part: int) -> Sequence[Accepted]:
        """Return the contacts of one part."""


class Queues(Protocol):
    """Take messages; raise QueueUnavailable when one was not taken."""

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Put bodies on the dispatch queue."""

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Put bodies on the e-mail queue; ``group`` keeps one campaign from delaying others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Hold what dispatch needs; built once for each function."""

    rows: Rows
    book: CampaignBook
    lists: Lists
    queues: Queues
    hash_key: bytes
    clock: Callable[[], int]

    def do(self, job: Job) -> dict[str, int]:
        """Do one job; safe to do again. Returns counts for the log line.

        Raises NotFound for a campaign that does not exist; errors of the adapters pass through.
        """
        campaign = self.book.get(job.campaign_id)
        if campaign is None:
            raise NotFound(f"campaign {job.campaign_id} does not exist")
        if job.op is Op.PLAN:
            return self._plan(campaign, job)
        if job.op is Op.CHUNK:
            return self._chunk(campaign, job.first)
        return self._requeue(campaign, job.first)

    def _plan(self, campaign: Campaign, job: Job) -> dict[str, int]:
        if job.last - job.first > PLAN_WIDTH:
            jobs = [
                Job(op=Op.PLAN, campaign_id=campaign.id, first=at, last=min(at + step, job.last))
                for step in [_step(job.last - job.first)]
                for at in range(job.first, job.last, step)
            ]
        else:
            self.book.add_chunks(campaign.id, job.first, job.last)
            jobs = [
                Job(op=Op.CHUNK, campaign_id=campaign.id, first=chunk, last=chunk + 1)
                for chunk in range(job.first, job.last)
            ]
        self.queues.send_jobs([job_body(child) for child in jobs])
        # what the plan holds is on its way: from here on workers may send
        self.book.set_status(campaign.id, Status.RUNNING, expected={Status.PLANNING})
        return {"jobs": len(jobs)}

    def _chunk(self, campaign: Campaign, chunk: int) -> dict[str, int]:
        now = self.clock()
        contacts = self.lists.read_part(campaign.list_id, chunk)
        wanted = [self._row(campaign.id, accepted, chunk, now) for accepted in contacts]
        stand = self.rows.put_all(wanted)
        fresh = [put.row for put in stand if put.ours and put.row.state is State.PENDING]
        self._enqueue(campaign.id, fresh)
        ours = sum(put.ours for put in stand)
        self.book.finish_chunk(campaign.id, chunk, rows=ours, duplicates=len(stand) - ours)
        return {"rows": len(stand), "enqueued": len(fresh)}

    def _requeue(self, campaign: Campaign, shard: int) -> dict[str, int]:
        now = self.clock()
        found, page = 0, []
        for row in self.rows.in_shard(campaign.id, shard):
            if judge(row, now) in (Verdict.SEND, Verdict.LOST):
                page.append(row)
            if len(page) == CHUNK_SIZE:
                self._enqueue(campaign.id, page)
                found, page = found + len(page), []
        self._enqueue(campaign.id, page)
        return {"enqueued": found + len(page)}

    def _row(self, campaign_id: str, accepted: Accepted, chunk: int, now: int) -> Row:
        return Row(
            campaign_id=campaign_id,
            rid=recipient_id(self.hash_key, campaign_id, accepted.contact.email),
            contact=accepted.contact,
            chunk=chunk,
            line=accepted.line,
            due=now + ENQUEUE_GRACE_SECONDS,
            created_at=now,
            updated_at=now,
        )

    def _enqueue(self, campaign_id: str, rows: Sequence[Row]) -> None:
        bodies = [
            message_body(Message(campaign_id=campaign_id, contact=row.contact)) for row in rows
        ]
        self.queues.send_mails(bodies, group=campaign_id)


def plan_of(campaign: Campaign) -> Job:
    """Return the job that dispatches a whole campaign."""
    return Job(op=Op.PLAN, campaign_id=campaign.id, first=0, last=campaign.chunks)


def requeue_of(campaign_id: str) -> list[Job]:
    """Return the jobs that put every recipient who still waits on the queue again."""
    return [
        Job(op=Op.REQUEUE, campaign_id=campaign_id, first=shard, last=shard + 1)
        for shard in range(SHARDS)
    ]


def job_body(job: Job) -> str:
    """Return the body of a job on the dispatch queue."""
    return json.dumps(
        {"op": job.op, "campaign_id": job.campaign_id, "first": job.first, "last": job.last},
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
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMessage(f"body must be a dispatch job ({error!r})") from error


def _step(width: int) -> int:
    """Return how many chunks each smaller plan holds, so that one level is enough for 10,000."""
    return max(PLAN_WIDTH, -(-width // PLAN_WIDTH))
