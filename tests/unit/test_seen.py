"""Addresses of a file are remembered in little memory, and can be remembered by another process."""

from __future__ import annotations

import tracemalloc

import pytest

from sendmill.seen import SeenAddresses


def test_an_address_that_came_before_names_its_line_whatever_its_case() -> None:
    seen = SeenAddresses()
    assert seen.add("ada@example.com", 2) is None
    assert seen.add("bob@example.com", 3) is None
    assert seen.add("ADA@example.com", 9) == 2
    assert seen.add("bob@example.com", 10) == 3
    assert len(seen) == 2


def test_what_was_seen_is_restored_piece_by_piece() -> None:
    seen, restored = SeenAddresses(), SeenAddresses()
    for start in (0, 3000, 9000):
        for n in range(start, start + 3000):
            seen.add(f"user{n}@example.com", n)
        restored.restore(seen.take_new())
    assert seen.take_new() == b""
    assert len(restored) == len(seen) == 9000
    assert all(restored.add(f"user{n}@example.com", 0) == n for n in range(1, 6000))
    assert restored.add("nobody@example.com", 5) is None


@pytest.mark.parametrize("count", [50_000])
def test_an_address_costs_at_most_64_bytes(count: int) -> None:
    tracemalloc.start()
    try:
        seen = SeenAddresses()
        for n in range(count):
            seen.add(f"user{n}@example.com", n)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"{held / count:.0f} bytes an address, {peak / count:.0f} at the peak")
    assert peak < 100 * count  # while the table grows, the old one stands beside the new
    assert held < 64 * count
