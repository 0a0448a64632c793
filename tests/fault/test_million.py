"""A list of a million goes out by the code that sends a list of ten, in memory that does not grow.

The dispatcher is the real one; rows and messages are counted instead of kept, or the test would
measure its own memory. ``FAULT=long`` takes 1,000,000 rows, ``make test`` takes 20,000.
"""

from __future__ import annotations

import multiprocessing
import os
import tracemalloc
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from fakes import CONTENT, HASH_KEY, Clock, MemoryCampaigns, MemoryQueue, make_campaign
from sendmill.campaign import Campaign, Status
from sendmill.contact import Contact
from sendmill.contact_list import Accepted
from sendmill.dispatch import CHUNK_SIZE, Dispatcher, Put, check_plan_of, parse_job
from sendmill.ledger import SHARDS, Row

LONG = os.environ.get("FAULT") == "long"
ROWS = 1_000_000 if LONG else 20_000
# What one invocation holds: a chunk of contacts, rows and messages. Never the list.
MOST_BYTES = 4_000_000
# Lambda cuts a chain of messages after 16.
MOST_HOPS = 5


class LongList:
    """Make the parts of a list when they are asked for; one line may lack its first name."""

    def __init__(self, lacking: int = 0) -> None:
        self.lacking = lacking

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return the contacts of one part; line 2 of the file is the first."""
        return [self._accepted(part * CHUNK_SIZE + n + 2) for n in range(CHUNK_SIZE)]

    def _accepted(self, line: int) -> Accepted:
        fields = {} if line == self.lacking else {"first_name": f"N{line}"}
        return Accepted(line=line, contact=Contact(email=f"u{line}@example.com", fields=fields))


class CountedRows:
    """Count rows by partition; every one is new."""

    def __init__(self) -> None:
        self.shards: Counter[int] = Counter()

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        """Take rows."""
        self.shards.update(row.shard for row in rows)
        return [Put(row=row, ours=True) for row in rows]


class CountedMails(MemoryQueue):
    """Count mails, in the batches they come in, and forget them."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Take bodies."""
        self.taken += len(bodies)


class World:
    """A campaign for a list of many rows."""

    def __init__(self, rows: int, *, lacking: int = 0) -> None:
        content = replace(CONTENT, body="Dear {{first_name}}", subject="Hello")
        self.book = MemoryCampaigns(
            make_campaign(
                list_id="list",
                content=content,
                chunks=-(-rows // CHUNK_SIZE),
                rows=rows,
                expected=rows,
                status=Status.PLANNING,
            )
        )
        self.rows, self.queue = CountedRows(), CountedMails()
        self.dispatcher = Dispatcher(
            rows=self.rows,  # type: ignore[arg-type]
            book=self.book,
            lists=LongList(lacking),
            queues=self.queue,
            hash_key=HASH_KEY,
            clock=Clock(),
        )

    def run(self) -> int:
        """Do every job; return how many hops the longest chain took to the checks or chunks."""
        start = check_plan_of(self.book.campaigns["spring"])
        jobs, most = deque([(start, 1)]), 1
        while jobs:
            job, depth = jobs.popleft()
            most = max(most, depth)
            self.dispatcher.do(job)
            children, self.queue.jobs = self.queue.jobs, []
            jobs.extend((parse_job(body), depth + 1) for body in children)
        return most


@dataclass(frozen=True)
class Dispatched:
    """What came of a list, and the most memory that it took, in bytes."""

    campaign: Campaign
    mails: int
    shards: Counter[int]
    hops: int
    peak: int


def dispatched(rows: int) -> Dispatched:
    """Dispatch a list of so many rows, and watch the memory of this process."""
    world = World(rows)
    tracemalloc.start()
    try:
        hops = world.run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Dispatched(
        world.book.campaigns["spring"], world.queue.taken, world.rows.shards, hops, peak
    )


@pytest.mark.timeout(1800)
def test_a_list_of_a_million_is_dispatched_in_memory_that_does_not_grow() -> None:
    # in a process of its own: what servers of other tests allocate meanwhile must not count
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(dispatched, (ROWS,))
    campaign = found.campaign
    print(f"\n{ROWS:,} rows: peak {found.peak / 1e6:.1f} MB, longest chain {found.hops} messages")
    assert (campaign.status, campaign.total) == (Status.RUNNING, ROWS)
    assert campaign.chunks_done == campaign.chunks
    assert found.mails == sum(found.shards.values()) == ROWS
    # every partition carries its share
    assert len(found.shards) == SHARDS
    assert max(found.shards.values()) < 1.1 * ROWS / SHARDS
    assert found.hops <= 2 * MOST_HOPS
    assert found.peak < MOST_BYTES


@pytest.mark.timeout(600)
def test_line_73_512_lacks_a_name_and_nothing_is_sent() -> None:
    world = World(100_000, lacking=73_512)
    world.run()
    campaign = world.book.campaigns["spring"]
    assert campaign.status is Status.REFUSED
    assert campaign.reason == "line 73512 of the list: body: 'first_name' is undefined"
    assert world.queue.taken == sum(world.rows.shards.values()) == 0
