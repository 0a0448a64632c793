"""A scheduled campaign runs exactly once, at its time or not too late, or it says why it did not.

hypothesis chooses the hour (around the night in which the clocks change), who asks, and what
EventBridge Scheduler does: fire twice, late, never, and for a time that was given up since. The
requests, dispatch, the sweep, the worker, the stores and the timer are the real ones.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from fakes import Clock, ScriptedMailer
from fault.dynamo import refusal
from fault.yard import Yard
from sendmill.campaign import Config, Status
from sendmill.cli.campaigns import moment
from sendmill.errors import InvalidCampaign, StateConflict
from sendmill.lifecycle import MIN_LATE_SECONDS
from sendmill.mail import Mail
from sendmill.outcome import Outcome
from sendmill.sweep.campaigns import LATE_START_SECONDS
from sendmill.timer import ScheduleTimer

LONG = os.environ.get("FAULT") == "long"
PEOPLE = [f"p{n}@example.com" for n in range(3)]
# Nights in which an hour does not exist, or exists twice; and one in which nothing happens.
NIGHTS = [
    ("America/New_York", datetime(2026, 3, 8, 2)),
    ("America/New_York", datetime(2026, 11, 1, 2)),
    ("Europe/Vienna", datetime(2027, 3, 28, 2)),
    ("Europe/Vienna", datetime(2026, 10, 25, 3)),
    ("Australia/Lord_Howe", datetime(2027, 4, 4, 2)),
    ("Asia/Kolkata", datetime(2026, 12, 24, 2)),
]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Say what is asked for and what happens; times are seconds after the time of the schedule."""

    zone: str
    wall: datetime
    lead: int
    max_late: int
    firings: tuple[int, ...]
    moved_by: int | None
    sweep_away: tuple[int, int]
    act: str
    act_at: int


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan."""
    zone, night = draw(st.sampled_from(NIGHTS))
    wall = night + timedelta(minutes=draw(st.integers(-150, 150)))
    max_late = draw(st.integers(MIN_LATE_SECONDS, 900))
    around = st.one_of(
        st.just(0),
        st.sampled_from([-1, 1, max_late - 1, max_late, max_late + 1]),
        st.integers(-60, 2 * max_late),
    )
    away = draw(st.integers(0, 2 * max_late))
    return Plan(
        zone=zone,
        wall=wall.replace(fold=draw(st.integers(0, 1))),
        lead=draw(st.one_of(st.integers(1, 600), st.just(86_400), st.integers(-3600, 600))),
        max_late=max_late,
        firings=tuple(draw(st.lists(around, max_size=3))),
        moved_by=draw(st.one_of(st.none(), st.integers(-1200, 1200))),
        sweep_away=draw(st.sampled_from([(-600, 3 * max_late), (0, away), (0, 0)])),
        act=draw(st.sampled_from(["", "", "", "", "start", "cancel"])),
        act_at=draw(around),
    )


class Scheduler:
    """Stand in for EventBridge Scheduler: keep one-time schedules by name."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[int, str]] = {}

    def create_schedule(self, **asked: Any) -> None:
        """Keep a schedule, at the time that its expression names in its time zone."""
        if asked["Name"] in self.kept:
            raise refusal("ConflictException")
        assert re.fullmatch(r"[0-9a-zA-Z-_.]{1,64}", asked["Name"])
        assert asked["FlexibleTimeWindow"] == {"Mode": "OFF"}
        said = re.fullmatch(r"at\((.{19})\)", asked["ScheduleExpression"])
        assert said
        zone = ZoneInfo(asked["ScheduleExpressionTimezone"])
        when = datetime.fromisoformat(said[1]).replace(tzinfo=zone)
        self.kept[asked["Name"]] = (int(when.timestamp()), asked["Target"]["Input"])


class TimedMailer(ScriptedMailer):
    """Remember when each mail left."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.times: list[int] = []

    def send(
        self, config: Config, mails: Sequence[Mail], *, within: float = math.inf
    ) -> Sequence[Outcome]:
        """Send."""
        self.times += [self.clock()] * len(mails)
        return super().send(config, mails, within=within)


@contextmanager
def machine_in(zone: str) -> Iterator[None]:
    """Let this machine live in a zone, so that no time is local by mistake."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@dataclass(frozen=True, order=True)
class Happening:
    """Something that happens at a time."""

    at: int
    rank: int
    what: str
    body: str = ""


class Night:
    """Play one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        wished = plan.wall.replace(tzinfo=ZoneInfo(plan.zone))
        self.start_at = int(wished.astimezone(UTC).timestamp())
        clock = Clock(self.start_at - plan.lead)
        self.mailer = TimedMailer(clock)
        self.scheduler = Scheduler()
        client: Any = self.scheduler
        timer = ScheduleTimer(client, group="g", role_arn="role", queue_arn="queue")
        self.yard = Yard(lambda: self.mailer, clock=clock, timer=timer)
        self.yard.add(PEOPLE)

    def ask(self) -> bool:
        """Schedule it as a person does, in local time; tell whether that was taken."""
        plan, office = self.plan, self.yard.office
        asked = moment(plan.wall.replace(tzinfo=ZoneInfo(plan.zone)).isoformat())
        assert asked == self.start_at
        # without a zone: the first of two hours of the same name
        assert plan.wall.fold or moment(plan.wall.isoformat()) == asked
        if plan.lead <= 0:
            with pytest.raises(InvalidCampaign, match="must be in the future"):
                office.schedule("spring", start_at=asked, max_late_seconds=plan.max_late)
            return False
        for _ in range(2):  # a request may come twice
            office.schedule("spring", start_at=asked, max_late_seconds=plan.max_late)
        assert self._times() == {self.start_at}
        self._move()
        assert self.start_at in self._times()
        return True

    def _times(self) -> set[int]:
        return {when for when, _ in self.scheduler.kept.values()}

    def _move(self) -> None:
        moved = self.start_at + (self.plan.moved_by or 0)
        if self.plan.moved_by is not None and moved > self.yard.clock():
            late = self.plan.max_late
            self.yard.office.schedule("spring", start_at=moved, max_late_seconds=late)
            self.start_at = moved

    def happenings(self) -> list[Happening]:
        """Return what will happen, in its order: firings, sweeps, and what a person does."""
        plan, now = self.plan, self.yard.clock()
        found = [
            Happening(when + late, 1, "fire", body)
            for when, body in self.scheduler.kept.values()
            for late in plan.firings
        ]
        begin = max(now, self.start_at - 300)
        away = range(*(self.start_at + at for at in plan.sweep_away))
        end = self.start_at + 2 * plan.max_late + 180
        found += [Happening(at, 2, "sweep") for at in range(begin, end, 60) if at not in away]
        if plan.act:
            found.append(Happening(self.start_at + plan.act_at, 0, plan.act))
        return sorted(one for one in found if one.at >= now)

    def play(self, happenings: Sequence[Happening]) -> None:
        """Let it all happen."""
        yard = self.yard
        for one in happenings:
            yard.clock.now = max(yard.clock.now, one.at)
            if one.what == "fire":
                yard.queue.send_jobs([one.body])
            elif one.what == "sweep":
                yard.sweep()
            elif one.what == "start":
                _unless_over(lambda: yard.office.start("spring"))
            else:
                _unless_over(lambda: yard.office.cancel("spring"))
            yard.work()

    def expected(self, happenings: Sequence[Happening]) -> tuple[Status, int]:
        """Return how it must end, and when it must have run: by the promise alone."""
        latest = self.start_at + self.plan.max_late
        status, ran = Status.SCHEDULED, 0
        for one in happenings:
            waits = status is Status.SCHEDULED
            margin = LATE_START_SECONDS if one.what == "sweep" else 0
            looks = one.what in ("fire", "sweep") and one.at >= self.start_at + margin
            if (waits and looks and one.at <= latest) or (one.what == "start" and not ran):
                if status is not Status.CANCELLED:
                    status, ran = Status.RUNNING, one.at
            elif waits and looks:
                status = Status.REFUSED
            elif one.what == "cancel" and not ran:
                status = Status.CANCELLED
        return status, ran


def _unless_over(act: Any) -> None:
    try:
        act()
    except StateConflict:
        return


def play(plan: Plan) -> None:
    """Play a plan, and look at what came of it."""
    night = Night(plan)
    if not night.ask():
        event("in the past")
        assert night.yard.campaign().status is Status.DRAFT
        assert night.scheduler.kept == {}
        night.play(night.happenings() if not plan.act else [])
        assert night.mailer.sent == []
        return
    happenings = night.happenings()
    night.play(happenings)
    status, ran = night.expected(happenings)
    found = night.yard.campaign()
    event(str(status))
    assert Counter(night.mailer.to()) == (Counter(PEOPLE) if ran else Counter())
    assert set(night.mailer.times) <= {ran}
    if ran:
        # how far the ledger has come since depends on the sweeps that are left
        assert found.status in (Status.RUNNING, Status.COMPLETE, Status.CANCELLED)
        assert night.yard.states() == {"accepted": len(PEOPLE)}
        night.yard.check_sums()
    else:
        assert found.status is status
        assert ("its time passed" in found.reason) is (status is Status.REFUSED)


@settings(max_examples=200 if LONG else 40, deadline=None, derandomize=not LONG)
@given(plan=plans())
@example(
    # the hour that exists twice, the second of them; fired twice
    plan=Plan(
        zone="America/New_York",
        wall=datetime(2026, 11, 1, 1, 30, fold=1),
        lead=600,
        max_late=600,
        firings=(0, 30),
        moved_by=None,
        sweep_away=(0, 0),
        act="",
        act_at=0,
    )
)
@example(
    # fired after its latest time, once everything was back
    plan=Plan(
        zone="Asia/Kolkata",
        wall=datetime(2026, 12, 24, 2),
        lead=600,
        max_late=600,
        firings=(601,),
        moved_by=None,
        sweep_away=(-600, 3000),
        act="",
        act_at=0,
    )
)
def test_a_schedule_runs_once_or_says_why_not(plan: Plan) -> None:
    with machine_in(plan.zone):
        play(plan)
