"""An answer that is lost costs one post, never two; SES's own event says what it was.

The posts are counted where they arrive, behind the deployed worker.
"""

from __future__ import annotations

import time

import pytest

from fault.killing import counted, mailed, make_sweeper, recounted, sweep_until
from fault.test_kills import start
from integration.harness import eventually
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PEOPLE = 8
LOSSES = [
    # fault, does SES have the mails?
    ("accept_then_drop", True),
    ("accept_then_hang", True),
    ("accept_then_error", True),
    ("drop", False),
    ("hang", False),
    ("server_error", False),
    ("unavailable", False),
]


@pytest.mark.timeout(300)
def test_one_attempt_is_one_post_whatever_becomes_of_the_answer(mailbox: Stack) -> None:
    names = {action: f"lost{n}t{int(time.time())}x" for n, (action, _) in enumerate(LOSSES)}
    # nothing is heard of SES until everything has been counted
    mailbox.mailbox("PUT", "/events", {"delay_seconds": 45})
    mailbox.mailbox(
        "PUT",
        "/faults",
        [
            {"match": {"to": f"^{name}"}, "action": action, "seconds": 24}
            for action, name in names.items()
        ],
    )
    before = mailbox.mailbox("GET", "/stats")
    campaigns = {action: start(mailbox, name, PEOPLE) for action, name in names.items()}
    for action, campaign_id in campaigns.items():
        eventually(
            lambda one=campaign_id: recounted(mailbox, one),  # type: ignore[misc]
            lambda found: found == {"unknown": PEOPLE},
            seconds=60,
            what=f"everybody unknown after {action}",
        )
    after = mailbox.mailbox("GET", "/stats")
    assert after["posts"] - before["posts"] == PEOPLE * len(LOSSES)
    for action, taken in LOSSES:
        found = mailed(mailbox, names[action])
        assert found == (dict.fromkeys(found, 1) if taken else {})
        assert len(found) == (PEOPLE if taken else 0)

    # nobody resends: the events settle whom SES took, the others stay visible
    mailbox.mailbox("PUT", "/events", {})
    sweep_until(make_sweeper(mailbox, ahead_seconds=0), lambda: False, seconds=3)
    for action, taken in LOSSES:
        wanted = "accepted" if taken else "unknown"
        eventually(
            lambda one=campaigns[action]: recounted(mailbox, one),  # type: ignore[misc]
            lambda found, state=wanted: found.get(state) == PEOPLE,  # type: ignore[misc]
            seconds=90,
            what=f"everybody {wanted} after {action}",
        )
        assert counted(mailbox, campaigns[action]) == recounted(mailbox, campaigns[action])
    assert mailbox.mailbox("GET", "/stats")["posts"] == after["posts"]
