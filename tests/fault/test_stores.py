"""Any order of anything on the real stores leaves rows, counters and index as a simple model says.

hypothesis chooses the operations, replays them, and shrinks what breaks a promise. The table is
:class:`fault.dynamo.MemoryDynamo`, which takes what DynamoDB takes and refuses what it refuses.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes import make_campaign, make_row
from fault.dynamo import MemoryDynamo, plain, refusal
from sendmill.campaign import Status
from sendmill.errors import StoreUnavailable
from sendmill.ledger import (
    COUNTED_NEWS,
    FINAL,
    TRANSITIONS,
    News,
    Row,
    State,
    Transition,
    Verdict,
    cancel,
    claim,
    expire,
    fail,
    give_up,
    hear,
    judge,
    postpone,
    record,
    reopen,
    suppress,
    try_again,
)
from sendmill.outcome import Fate, Outcome
from sendmill.store import CampaignStore, RecipientStore

LONG = os.environ.get("FAULT") == "long"
PEOPLE = [f"p{n}@example.com" for n in range(5)]
OWNERS = ["ada", "ben"]
DEEDS = (
    *("claim", "record", "expire", "suppress", "cancel"),
    *("fail", "settle", "reopen", "postpone", "hear"),
)
Key = tuple[str, str]


class Replaying:
    """A client whose calls are sometimes lost, conflict, or are made twice, as the machine says."""

    def __init__(self, dynamo: MemoryDynamo) -> None:
        self.dynamo = dynamo
        self.plan: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dynamo, name)

    def transact_write_items(self, **asked: Any) -> Any:
        """Write, as the plan has it for this call."""
        what = self.plan.pop(0) if self.plan else "well"
        if what == "conflict":
            codes = [{"Code": "None"} for _ in asked["TransactItems"]]
            codes[-1] = {"Code": "TransactionConflict"}
            raise refusal("TransactionCanceledException", CancellationReasons=codes)
        if what == "away":
            raise refusal("ProvisionedThroughputExceededException")
        answer = self.dynamo.transact_write_items(**asked)
        if what == "twice":
            return self.dynamo.transact_write_items(**asked)
        if what == "answer lost":
            raise refusal("InternalServerError")
        return answer


class Stores(RuleBasedStateMachine):
    """Play workers, sweeps and events that have read rows earlier and write now."""

    @initialize()
    def begin(self) -> None:
        """Make one campaign of five people, all of them pending."""
        self.now = 1_790_000_000
        self.dynamo = MemoryDynamo()
        self.client = Replaying(self.dynamo)
        client: Any = self.client
        self.store = RecipientStore(client, "recipients", "campaigns", sleep=lambda _: None)
        self.book = CampaignStore(client, "campaigns", sleep=lambda _: None)
        self.book.add(make_campaign(status=Status.RUNNING, chunks=1))
        self.rows = [make_row(person, chunk=0, due=self.now) for person in PEOPLE]
        self.store.put_all(self.rows)
        self.book.add_chunks("spring", 0, 1)
        self.book.check_chunk("spring", 0)
        self.book.finish_chunk("spring", 0, rows=len(self.rows), duplicates=0)
        # what somebody has read, perhaps long ago, and the model of what stands
        self.read: dict[Key, list[Row]] = {self._key(row): [row] for row in self.rows}
        self.model: dict[Key, Row] = {self._key(row): row for row in self.rows}

    def _key(self, row: Row) -> Key:
        return row.campaign_id, row.rid

    @rule(seconds=st.integers(1, 2000))
    def time_passes(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(
        people=st.lists(st.integers(0, len(PEOPLE) - 1), min_size=1, max_size=5, unique=True),
        stale=st.integers(0, 3),
        what=st.sampled_from(DEEDS),
        owner=st.sampled_from(OWNERS),
        fate=st.sampled_from(list(Fate)),
        news=st.sampled_from([news for news in News if news is not News.NONE]),
        weather=st.lists(
            st.sampled_from(["well", "conflict", "twice", "away", "answer lost"]), max_size=3
        ),
    )
    def write(
        self,
        people: list[int],
        stale: int,
        what: str,
        owner: str,
        fate: Fate,
        news: News,
        weather: list[str],
    ) -> None:
        """Write for some people what follows from a row as it was read, now or before."""
        steps = []
        for person in people:
            seen = self.read[self._key(self.rows[person])]
            row = seen[max(0, len(seen) - 1 - stale)]
            step = self._step(row, what, owner, fate, news)
            if step is not None:
                steps.append(step)
        if not steps:
            return
        self.client.plan = list(weather)
        try:
            stands = self.store.apply(steps, owner=owner)
        except StoreUnavailable:
            stands = None
        self.client.plan = []
        self._compare(steps, stands)

    def _compare(self, steps: list[Transition], stands: Any) -> None:
        now, _ = self.store.read(list(self.model), suppression_keys=[])
        for n, step in enumerate(steps):
            key = self._key(step.before)
            before, after = self.model[key], now[key]
            fits = _fence(before) == _fence(step.before)
            if stands is None:
                done = _with_times(step.after, after)
                assert after in (before, done) if fits else after == before
            elif fits:
                assert stands[n]
                # when to look again is no part of the fence: whoever read it late leaves it alone
                assert after == _with_times(step.after, after)
                assert before.due != step.before.due or after.due == step.after.due
            else:
                assert after == before
                # said to stand only where it is what was wanted, whoever wrote it
                assert stands[n] == _shows(before, step.after)
        self._learn(now)

    def _learn(self, now: Any) -> None:
        for key, row in now.items():
            old = self.model[key]
            if row != old:
                assert row.state == old.state or row.state in TRANSITIONS[old.state]
                self.read[key].append(row)
        self.model = dict(now)

    def _step(self, row: Row, what: str, owner: str, fate: Fate, news: News) -> Transition | None:
        now = self.now
        waits = row.state in (State.PENDING, State.RETRY)
        if what == "claim" and judge(row, now) is Verdict.SEND:
            return claim(row, owner=owner, lease=now + 60, now=now)
        if what == "record" and row.state is State.SENDING:
            outcome = Outcome(fate=fate, reason="why", message_id="id")
            return record(row, outcome, now=now, jitter=0.5)
        if what == "expire" and judge(row, now) is Verdict.LOST:
            return expire(row, now=now)
        if what == "hear":
            return hear(row, news, attempt=row.attempt, message_id="id", now=now)
        if what == "settle" and row.state is State.UNKNOWN:
            settle = try_again if fate is Fate.LATER else give_up
            return settle(row, reason="settled", now=now)
        if what == "reopen" and row.state is State.FAILED:
            return reopen(row, now=now)
        if what == "postpone" and (waits or row.state is State.UNKNOWN):
            return postpone(row, until=now, now=now)
        if waits and what in ("suppress", "cancel", "fail"):
            return {
                "suppress": lambda: suppress(row, reason="asked", now=now),
                "cancel": lambda: cancel(row, now=now),
                "fail": lambda: fail(row, reason="asked", now=now),
            }[what]()
        return None

    @rule(person=st.integers(0, len(PEOPLE) - 1), chunk=st.integers(0, 1))
    def put_again(self, person: int, chunk: int) -> None:
        """Put a row that stands: the chunk is done once more, or another one names him too."""
        row = replace(self.rows[person], chunk=chunk)
        (put,) = self.store.put_all([row])
        assert put.row == self.model[self._key(row)]
        assert put.ours is (chunk == 0)

    @rule(person=st.integers(0, len(PEOPLE) - 1))
    def adopt_again(self, person: int) -> None:
        """Let a message bring a row that stands."""
        found = self.store.adopt([self.rows[person]])
        assert found == {self._key(self.rows[person]): self.model[self._key(self.rows[person])]}

    @rule()
    def finish_again(self) -> None:
        """Count a chunk in that is done."""
        self.book.finish_chunk("spring", 0, rows=5, duplicates=0)

    @rule(status=st.sampled_from([Status.RUNNING, Status.PAUSED, Status.COMPLETE]))
    def change_status(self, status: Status) -> None:
        """Change the campaign's status; the sweep looks after whatever is not over."""
        self.book.set_status("spring", status, expected=set(Status))
        self.book.deactivate("spring")
        looked_after = "spring" in set(self.book.active())
        if status is Status.RUNNING:
            assert looked_after
        if status is Status.COMPLETE:
            assert not looked_after

    @precondition(lambda self: self.model)
    @invariant()
    def the_sums_are_the_rows(self) -> None:
        """Counters and news add up, the total is everybody."""
        states = Counter(str(row.state) for row in self.model.values())
        states.update(str(row.news) for row in self.model.values() if row.news in COUNTED_NEWS)
        del states["pending"]
        assert self.book.counters("spring") == dict(states)
        campaign = self.book.get("spring")
        assert campaign is not None
        assert campaign.total == len(PEOPLE)

    @precondition(lambda self: self.model)
    @invariant()
    def the_index_holds_who_is_not_final(self) -> None:
        """Whoever is not in a final state can be found by the sweep, and nobody else."""
        rows = [item for item in self.dynamo.items("recipients") if "cid" in item]
        indexed = {item["sk"]["S"][2:]: plain(item["g1sk"]) for item in rows if "g1pk" in item}
        wanted = {row.rid: row.due for row in self.model.values() if row.state not in FINAL}
        assert indexed == wanted


def _with_times(row: Row, stands: Row) -> Row:
    """Return a row with the times to look again at it that stand."""
    return replace(row, due=stands.due, late_since=stands.late_since)


def _fence(row: Row) -> tuple[Any, ...]:
    return row.state, row.attempt, row.owner, row.news


def _shows(standing: Row, wanted: Row) -> bool:
    order = list(News)
    ours = (standing.state, standing.attempt, standing.owner) == (
        wanted.state,
        wanted.attempt,
        wanted.owner,
    )
    return ours and order.index(standing.news) >= order.index(wanted.news)


TestStores = Stores.TestCase
TestStores.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", 2000 if LONG else 150)),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
