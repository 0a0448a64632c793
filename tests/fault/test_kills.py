"""Real workers, killed without a word at the worst moments: nobody is lost, nobody mailed twice.

The campaigns have the policy ``hold``: what is unknown stays unknown until SES's own event, or a
person, settles it. ``FAULT=long`` kills at least 60 workers over 400 recipients; ``KILLS`` and
``KILL_RECIPIENTS`` say other numbers.
"""

from __future__ import annotations

import json
import os
import random
import time

import pytest

from fault.killing import (
    Killer,
    counted,
    kill,
    mailed,
    make_sweeper,
    recounted,
    sweep_until,
    workers_of,
)
from integration.harness import eventually
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LONG = os.environ.get("FAULT") == "long"
RECIPIENTS = int(os.environ.get("KILL_RECIPIENTS") or (400 if LONG else 40))
KILLS = int(os.environ.get("KILLS") or (60 if LONG else 2))
# How long a busy machine may take for a part of the test, against a quiet one.
PATIENCE = 4 if LONG else 1
# Whom the killer picks: mostly workers; what dispatch or feedback leave comes back after a minute.
VICTIMS = ["email_worker"] * 18 + (["feedback", "dispatch"] if LONG else [])
# Beyond the longest lease (60 s here), and beyond when the sweep looks for who was queued (120 s).
AHEAD_SECONDS = 600


def start(stack: Stack, prefix: str, count: int, policy: str = "hold") -> str:
    """Start a campaign to ``count`` people whose addresses begin with the prefix."""
    csv = "email,name\n" + "".join(f"{prefix}{n}@example.com,N\n" for n in range(count))
    found = stack.request(
        "POST", f"/v1/contact-lists?name={prefix}", csv.encode(), content_type="text/csv"
    )
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": prefix,
            "list_id": found["list_id"],
            "subject": "Hello",
            "body": "Dear {{name}}",
            "unknown_policy": policy,
            "config": {"email_service": "ses", "from_email": "noreply@example.com"},
        },
    )
    campaign_id: str = campaign["campaign_id"]
    stack.request("POST", f"/v1/campaigns/{campaign_id}/start")
    return campaign_id


def repeat(stack: Stack, campaign_id: str, prefix: str, rng: random.Random) -> None:
    """Put messages on the queue that were there before, as SQS may do at any time.

    Not so many that those who have not been mailed wait behind them.
    """
    url = stack.outputs["email_queue_url"]
    name = "ApproximateNumberOfMessages"
    answer = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    if int(answer["Attributes"][name]) > 20:
        return
    people = rng.sample(range(RECIPIENTS), 10)
    bodies = [
        {"campaign_id": campaign_id, "contact": {"email": f"{prefix}{n}@example.com", "name": "N"}}
        for n in people
    ]
    stack.client("sqs").send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(n), "MessageBody": json.dumps(body)} for n, body in enumerate(bodies)],
    )


def settled(stack: Stack, campaign_id: str, count: int) -> bool:
    """Tell whether everybody is accepted or unknown, and every event has been heard."""
    states = counted(stack, campaign_id)
    return states.get("accepted", 0) + states.get("unknown", 0) == count


def killed_enough(stack: Stack, campaign_id: str, killer: Killer) -> bool:
    """Tell whether enough were killed and everybody is settled; print how far it is."""
    states = counted(stack, campaign_id)
    if LONG:
        print(f"{killer.kills} kills of {KILLS}, {states}", flush=True)
    return killer.kills >= KILLS and settled(stack, campaign_id, RECIPIENTS)


def check_accounts(stack: Stack, campaign_id: str, prefix: str, count: int) -> None:
    """Fail unless the sums are exact and nobody was mailed twice."""
    rows, _ = eventually(
        lambda: (recounted(stack, campaign_id), counted(stack, campaign_id)),
        # the two are read one after the other, while events still come
        lambda found: found[0] == found[1],
        what="rows and counters agree",
    )
    assert rows.get("accepted", 0) + rows.get("unknown", 0) == count
    found = mailed(stack, prefix)
    assert not {address: n for address, n in found.items() if n > 1}
    assert len(found) == rows["accepted"]


@pytest.mark.timeout(1200 * PATIENCE)
def test_workers_killed_at_random_lose_nobody_and_mail_nobody_twice(mailbox: Stack) -> None:
    prefix = f"kill{int(time.time())}x"
    seed = int(os.environ.get("SEED", time.time_ns() % 10_000))
    rules = [
        {"action": "latency_ms", "milliseconds": 150},
        {
            "match": {"to": f"^{prefix}", "probability": 0.1, "seed": seed},
            "action": "accept_then_hang",
            "seconds": 3,
        },
        {
            "match": {"to": f"^{prefix}", "probability": 0.1, "seed": seed},
            "action": "hang",
            "seconds": 3,
        },
        {
            "match": {"to": f"^{prefix}", "probability": 0.1, "seed": seed + 1},
            "action": "accept_then_drop",
        },
    ]
    mailbox.mailbox("PUT", "/faults", rules)
    campaign_id = start(mailbox, prefix, RECIPIENTS)
    sweeper = make_sweeper(mailbox, ahead_seconds=AHEAD_SECONDS)
    rng = random.Random(seed)
    killer = Killer(
        stack=mailbox,
        functions=VICTIMS,
        feed=lambda: repeat(mailbox, campaign_id, prefix, rng),
        pauses=(0.1, 0.6),
        rng=rng,
        limit=KILLS,
    )
    with killer.at_work():
        reports = sweep_until(
            sweeper,
            lambda: killed_enough(mailbox, campaign_id, killer),
            seconds=1500 if LONG else 120,
        )
    mailbox.mailbox("DELETE", "/faults")
    reports += sweep_until(
        sweeper, lambda: settled(mailbox, campaign_id, RECIPIENTS), seconds=300 * PATIENCE
    )
    print(
        f"{killer.kills} kills ({killer.in_call} in a call of SES, {killer.missed} missed), "
        f"then {counted(mailbox, campaign_id)}"
    )
    # every event of a mail that SES took is heard: its recipient is no longer unknown
    eventually(
        lambda: (len(mailed(mailbox, prefix)), recounted(mailbox, campaign_id).get("accepted")),
        lambda found: found[0] == found[1],
        what="every accepted mail is known",
        # a killed feedback function's events come again after a minute, and may be killed again
        seconds=150 * PATIENCE,
    )
    check_accounts(mailbox, campaign_id, prefix, RECIPIENTS)
    unknown = recounted(mailbox, campaign_id).get("unknown", 0)
    expired = sum(report.expired for report in reports)
    print(
        f"\nSEED={seed}: {killer.kills} kills, {RECIPIENTS} recipients, {expired} leases ran out, "
        f"{unknown} unknown at the end"
    )
    assert killer.kills >= KILLS

    # everything has been heard, so whoever is unknown still was never mailed
    mailbox.request("POST", f"/v1/campaigns/{campaign_id}/resolve", {"how": "resend"})
    sweep_until(
        make_sweeper(mailbox, ahead_seconds=0),
        lambda: counted(mailbox, campaign_id).get("accepted") == RECIPIENTS,
        seconds=90 * PATIENCE,
    )
    check_accounts(mailbox, campaign_id, prefix, RECIPIENTS)
    assert set(mailed(mailbox, prefix).values()) == {1}
    assert len(mailed(mailbox, prefix)) == RECIPIENTS


@pytest.mark.timeout(600 * PATIENCE)
@pytest.mark.parametrize(
    ("action", "taken"),
    [("accept_then_hang", True), ("hang", False)],
    ids=["after SES took the mail", "before SES took the mail"],
)
def test_a_worker_killed_in_the_call_leaves_a_visible_trace(
    mailbox: Stack, action: str, taken: bool
) -> None:
    prefix = f"call{'t' if taken else 'n'}{int(time.time())}x"
    turns = 20 if LONG else 1
    # longer than a busy machine takes to find the held call and kill
    delay = 20 if LONG else 6
    for turn in range(turns):
        name = f"{prefix}{turn}y"
        rules = [{"match": {"to": f"^{name}"}, "action": action, "seconds": 25}]
        mailbox.mailbox("PUT", "/events", {"delay_seconds": delay})
        mailbox.mailbox("PUT", "/faults", rules)
        campaign_id = start(mailbox, name, 1)
        held = eventually(
            lambda who=name: [  # type: ignore[misc]
                one
                for one in mailbox.mailbox("GET", "/stats")["held"]
                if one["recipients"][0].startswith(who)
            ],
            bool,
            seconds=60 * PATIENCE,
            what="a call held open",
        )
        # the very process that waits for SES's answer
        assert held[0]["peer_pid"] in workers_of(mailbox, "email_worker")
        assert kill([held[0]["peer_pid"]]) == 1
        mailbox.mailbox("DELETE", "/faults")
        assert recounted(mailbox, campaign_id) == {"sending": 1}
        sweep_until(
            make_sweeper(mailbox, ahead_seconds=AHEAD_SECONDS),
            lambda one=campaign_id: settled(mailbox, one, 1),  # type: ignore[misc]
            seconds=30 * PATIENCE,
        )
        wanted = "accepted" if taken else "unknown"
        eventually(
            lambda one=campaign_id: recounted(mailbox, one),  # type: ignore[misc]
            lambda found, state=wanted: found.get(state) == 1,  # type: ignore[misc]
            seconds=60 * PATIENCE,
            what=f"the recipient is {wanted}",
        )
        print(f"turn {turn + 1} of {turns}: {wanted}", flush=True)
        assert sum(mailed(mailbox, name).values()) == int(taken)
        assert counted(mailbox, campaign_id).get(wanted) == 1
    mailbox.mailbox("PUT", "/events", {})
