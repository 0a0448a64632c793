"""Say what goes wrong in one simulated run, and how often: drawn from its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Hold probabilities, each for one call, message, mail or event; times are in seconds."""

    # what happens to a process, at every one of its calls to the outside
    crash: float = 0.0
    stall: float = 0.0
    stall_seconds: float = 400.0
    skew: int = 0
    # DynamoDB and SQS
    throttled: float = 0.0
    conflict: float = 0.0
    answer_lost: float = 0.0
    replayed: float = 0.0
    not_taken: float = 0.0
    # queues: the e-mail queue and the dispatch queue are hints, so messages may even vanish
    vanished: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    received_in_vain: float = 0.0
    # SES
    ses_lost: float = 0.0
    ses_error: float = 0.0
    ses_unreachable: float = 0.0
    ses_throttled: float = 0.0
    ses_never: float = 0.0
    # the stream of events
    event_lost: float = 0.0
    event_doubled: float = 0.0
    event_delay: float = 60.0
    event_malformed: float = 0.0
    # nothing arrives before the storm is over
    stream_down: bool = False


CALM = Weather(event_delay=5.0)


def draw(rng: random.Random) -> Weather:
    """Return the weather of a seed: some faults rare, some common, some absent."""
    skew = rng.choice((0, 0, 0, 300))
    return Weather(
        crash=rng.choice((0.0, 0.01, 0.02, 0.04)),
        stall=rng.choice((0.0, 0.005, 0.02)),
        skew=skew,
        throttled=rng.choice((0.0, 0.01, 0.03)),
        conflict=rng.choice((0.0, 0.02, 0.1)),
        answer_lost=rng.choice((0.0, 0.005, 0.02)),
        replayed=rng.choice((0.0, 0.02, 0.1)),
        not_taken=rng.choice((0.0, 0.02, 0.1)),
        vanished=rng.choice((0.0, 0.02, 0.1)),
        doubled=rng.choice((0.0, 0.1, 0.4)),
        delayed=rng.choice((0.0, 0.1)),
        received_in_vain=rng.choice((0.0, 0.0, 0.1, 0.4)),
        ses_lost=rng.choice((0.0, 0.05, 0.15)),
        ses_error=rng.choice((0.0, 0.03, 0.1)),
        ses_unreachable=rng.choice((0.0, 0.03)),
        ses_throttled=rng.choice((0.0, 0.0, 0.1, 0.3)),
        ses_never=rng.choice((0.0, 0.05)),
        event_lost=rng.choice((0.0, 0.0, 0.05, 0.3)),
        event_doubled=rng.choice((0.0, 0.3)),
        # later than the wait for evidence, an event is as good as lost: see test_simulation.py
        event_delay=rng.choice((5.0, 60.0, 240.0)) if skew else rng.choice((5.0, 60.0, 600.0)),
        event_malformed=rng.choice((0.0, 0.02)),
    )
