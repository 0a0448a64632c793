"""Whole campaigns under everything at once: nobody is lost, and nobody is mailed twice.

``SEED=n`` runs one seed of every policy again; ``FAULT=long`` runs 4,000 a policy instead of the
few that fit into ``make test``. A failure names its seed.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from fault.simulation import Result, Violation, simulate
from sendmill.campaign import UnknownPolicy

LONG = os.environ.get("FAULT") == "long"
SEEDS = 4000 if LONG else 80
PROCESSES = 2
CHUNK = 20


@dataclass
class Sum:
    """Hold what many runs came to, and the promises that were broken."""

    totals: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, results: Iterable[Result | str]) -> None:
        """Add runs."""
        for one in results:
            self.totals["seeds"] += 1
            if isinstance(one, str):
                self.broken.append(one)
                continue
            for name in ("recipients", "accepts", "duplicates", "late_duplicates", "crashes"):
                self.totals[name] += getattr(one, name)
            self.totals["calls"] += one.calls
            self.states += one.states


def some_seeds(first: int, last: int, policy: UnknownPolicy) -> list[Result | str]:
    """Run seeds, here or in a process of their own."""
    found: list[Result | str] = []
    for seed in range(first, last):
        try:
            found.append(simulate(seed, policy))
        except Violation as broken:
            found.append(str(broken))
    return found


def all_seeds(policy: UnknownPolicy) -> Sum:
    """Run every seed of a policy on both cores."""
    total = Sum()
    if "SEED" in os.environ:
        seed = int(os.environ["SEED"])
        total.add(some_seeds(seed, seed + 1, policy))
        return total
    jobs = [(first, min(first + CHUNK, SEEDS), policy) for first in range(0, SEEDS, CHUNK)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for results in pool.starmap(some_seeds, jobs):
            total.add(results)
    return total


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", list(UnknownPolicy))
def test_nobody_is_lost_and_nobody_mailed_twice(policy: UnknownPolicy) -> None:
    total = all_seeds(policy)
    print(f"\npolicy {policy}: {dict(total.totals)} states {dict(total.states)}")
    assert not total.broken, "\n".join(total.broken[:10])
    assert total.totals["recipients"] > total.totals["seeds"]
    if "SEED" not in os.environ:
        # a storm in which nothing goes wrong would prove nothing
        assert total.totals["crashes"] > total.totals["seeds"]
        assert total.states["accepted"] > total.totals["recipients"] // 2


def test_a_seed_is_a_reproducer() -> None:
    first, again = (simulate(7, UnknownPolicy.AUTO) for _ in range(2))
    assert first == again
    assert first != simulate(8, UnknownPolicy.AUTO)
