"""Progress says where every recipient of a campaign stands, and adds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_campaign
from sendmill.campaign import Status
from sendmill.ledger import COUNTED_NEWS, State
from sendmill.progress import progress

DONE = {"expected": 4, "total": 4, "chunks": 1, "chunks_done": 1}


@pytest.mark.parametrize(
    ("changes", "counters", "status", "states"),
    [
        ({}, {}, "running", {}),
        (DONE, {}, "running", {"pending": 4}),
        (DONE, {"sending": 1, "accepted": 3}, "running", {"sending": 1, "accepted": 3}),
        (DONE, {"retry": 1, "accepted": 3}, "running", {"retry": 1, "accepted": 3}),
        (DONE, {"accepted": 3, "failed": 1}, "complete", {"accepted": 3, "failed": 1}),
        (DONE, {"suppressed": 4}, "complete", {"suppressed": 4}),
        (
            DONE,
            {"accepted": 3, "unknown": 1},
            "complete_with_unknown",
            {"accepted": 3, "unknown": 1},
        ),
        (
            {**DONE, "chunks": 2, "total": 2},
            {"accepted": 2},
            "running",
            {"accepted": 2, "pending": 2},
        ),
        (
            {**DONE, "chunks": 2, "total": 2, "status": Status.CANCELLED},
            {"accepted": 1, "cancelled": 1},
            "cancelled",
            {"accepted": 1, "cancelled": 3},
        ),
        ({**DONE, "status": Status.PAUSED}, {"accepted": 4}, "paused", {"accepted": 4}),
        (
            {**DONE, "status": Status.DRAFT, "chunks_done": 0, "total": 0},
            {},
            "draft",
            {"pending": 4},
        ),
    ],
)
def test_progress_says_where_everybody_stands(
    changes: dict[str, Any], counters: dict[str, int], status: str, states: dict[str, int]
) -> None:
    found = progress(make_campaign(**changes), counters)
    assert (found.status, found.states) == (status, states)
    assert sum(found.states.values()) == found.total


@given(
    st.dictionaries(st.sampled_from([str(s) for s in State if s != "pending"]), st.integers(0, 50)),
    st.integers(0, 50),
)
def test_states_add_up_to_the_total(counters: dict[str, int], pending: int) -> None:
    total = sum(counters.values()) + pending
    found = progress(make_campaign(total=total, expected=total), counters)
    assert sum(found.states.values()) == found.total == total
    still_open = pending + counters.get("sending", 0) + counters.get("retry", 0)
    assert (found.status is Status.RUNNING) == bool(still_open or not total)


def test_news_are_counted_beside_the_states() -> None:
    counters = {"accepted": 4, "delivered": 2, "bounced": 1}
    found = progress(make_campaign(**DONE), counters)
    assert (found.states, found.news) == ({"accepted": 4}, {"delivered": 2, "bounced": 1})
    assert set(found.news) <= COUNTED_NEWS
