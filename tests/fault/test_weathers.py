"""One fault at a time, much of it: what each alone may do, and what it may not."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from fault.simulation import simulate
from fault.weather import Weather
from sendmill.campaign import UnknownPolicy

SEEDS = 200 if os.environ.get("FAULT") == "long" else 3
WEATHERS = {
    "every message up to three times": Weather(doubled=0.9),
    "half of the messages vanish": Weather(vanished=0.5),
    "every message up to 15 minutes late": Weather(delayed=1.0),
    "received in vain, into the dead letters": Weather(received_in_vain=0.9),
    "30 % refused for the rate": Weather(ses_throttled=0.3),
    "10 % answered 500": Weather(ses_error=0.1),
    "half of the answers lost": Weather(ses_lost=0.5),
    "DynamoDB throttles 20 %": Weather(throttled=0.2, conflict=0.2),
    "answers of DynamoDB and SQS lost": Weather(answer_lost=0.05, replayed=0.3),
    "batches half taken": Weather(not_taken=0.4),
    "processes die": Weather(crash=0.1),
    "processes stall beyond their lease": Weather(stall=0.1),
    "clocks wrong by five minutes": Weather(skew=300, ses_lost=0.2, crash=0.02),
    "30 % of the events lost, the others doubled": Weather(event_lost=0.3, event_doubled=0.5),
    "events late and malformed": Weather(event_delay=600, event_malformed=0.2),
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("policy", [UnknownPolicy.HOLD, UnknownPolicy.AUTO])
@pytest.mark.parametrize("name", WEATHERS)
def test_one_fault_alone_loses_nobody(name: str, policy: UnknownPolicy) -> None:
    states: Counter[str] = Counter()
    for seed in range(SEEDS):
        result = simulate(seed, policy, storm=WEATHERS[name])
        states += result.states
        if policy is UnknownPolicy.AUTO and not WEATHERS[name].event_lost:
            assert not result.duplicates, f"SEED={seed}: twice, and no event was lost"
    assert states["accepted"] > 0


@pytest.mark.timeout(1200)
def test_nothing_is_sent_again_while_the_event_stream_is_down() -> None:
    down = Weather(stream_down=True, ses_lost=0.3, crash=0.02)
    for seed in range(SEEDS):
        result = simulate(seed, UnknownPolicy.AUTO, storm=down, storm_seconds=2 * 3600)
        assert result.duplicates == 0, f"SEED={seed}"
