"""Say how fast a campaign goes, from counts that were noted while it ran.

A point is noted every minute by the sweep, and every ten seconds while somebody looks; the live
counters make the last one. Counting by the minute beside each write of a row would cost a write
a batch; this costs one a minute and a campaign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from sendmill.ledger import State

MAX_POINTS = 120
# The sweep notes a point every so many seconds.
NOTED_SECONDS = 60
# The rate is what was accepted within this many seconds.
RATE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Hold how many mails were accepted and failed by this time (seconds since 1970)."""

    at: int
    accepted: int
    failed: int


def point_of(states: Mapping[str, int], at: int) -> Point:
    """Return what the counts of states say now."""
    return Point(at=at, accepted=states.get(State.ACCEPTED, 0), failed=states.get(State.FAILED, 0))


def curve(
    noted: Sequence[Point], live: Point, *, made_at: int, changed_at: int, over: bool
) -> list[Point]:
    """Return the points from the first mail to the last, or to now while it runs.

    It begins at zero within the minute before the first point, not when the draft was made; that
    of a campaign that is ``over`` ends where its status changed, not where somebody looks.
    """
    points = list(noted)
    if not over:
        points.append(live)
    elif not points or _count(points[-1]) != _count(live):
        last = points[-1].at if points else made_at
        points.append(replace(live, at=min(live.at, max(changed_at, last + 1))))
    first = points[0]
    if _count(first) == (0, 0):
        return points
    begun = min(first.at - 1, max(made_at, first.at - NOTED_SECONDS))
    return [Point(at=begun, accepted=0, failed=0), *points]


def _count(point: Point) -> tuple[int, int]:
    return point.accepted, point.failed


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most MAX_POINTS of the points, evenly, the first and the last among them."""
    if len(points) <= MAX_POINTS:
        return list(points)
    step = (len(points) - 1) / (MAX_POINTS - 1)
    return [points[round(n * step)] for n in range(MAX_POINTS)]


def rate_of(points: Sequence[Point]) -> float:
    """Return the mails per second of the last minute, or of what there is; 0 without any."""
    if len(points) < 2:
        return 0.0
    last = points[-1]
    before = [point for point in points[:-1] if last.at - point.at <= RATE_SECONDS]
    first = before[0] if before else points[-2]
    if last.at <= first.at:
        return 0.0
    return round(max(0, last.accepted - first.accepted) / (last.at - first.at), 2)


def eta_of(waiting: int, rate: float) -> int:
    """Return in how many seconds nobody waits any more; -1 when that cannot be said."""
    if waiting <= 0:
        return 0
    return ceil(waiting / rate) if rate > 0 else -1
