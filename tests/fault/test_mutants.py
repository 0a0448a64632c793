"""The simulation would notice: each idea of the design, taken away, is caught by its invariants."""

from __future__ import annotations

import os

import pytest

from fault.mutants import HARMLESS, MUTANTS, Mutant
from fault.simulation import Violation, simulate

LONG = os.environ.get("FAULT") == "long"
SEEDS = 200


def caught(mutant: Mutant, seeds: range) -> list[str]:
    """Return what broke: the first time only, or of every seed in the long run."""
    found = []
    for seed in seeds:
        try:
            simulate(
                seed,
                mutant.policy,
                mutant.design,
                storm=mutant.storm,
                storm_seconds=mutant.storm_seconds,
            )
        except Violation as broken:
            found.append(str(broken))
            if not LONG:
                break
    return found


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_design_without_one_of_its_ideas_is_caught(name: str) -> None:
    found = caught(MUTANTS[name], range(SEEDS))
    print(f"\n{name}: {len(found)} of {SEEDS if LONG else 'the first'} seeds; {found[:1]}")
    assert found, f"no seed of {SEEDS} noticed: {name}"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", HARMLESS)
def test_safety_does_not_depend_on_the_length_of_the_lease(name: str) -> None:
    assert caught(HARMLESS[name], range(SEEDS if LONG else 25)) == []
