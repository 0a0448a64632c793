"""One rate for all workers: what SES allows is kept to, and what it refuses is sent later."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from integration.harness import eventually, send_list
from stack import Stack, local_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

# The long run is the one of the promise: 14 a second, 2,000 recipients.
LONG = os.environ.get("FAULT") == "long"
RATE, RECIPIENTS = (14, 2000) if LONG else (40, 300)
QUEUED = 5000 if LONG else 800


@pytest.fixture
def slow_account(mailbox: Stack) -> Iterator[Stack]:
    """Have SES allow only a small rate, and let every worker know."""
    forget_cuts(mailbox)
    set_rate(mailbox, RATE)
    yield mailbox
    set_rate(mailbox, 1000)


def set_rate(stack: Stack, rate: int) -> None:
    stack.mailbox("PUT", "/account", {"SendQuota": {"MaxSendRate": rate}})
    # once is enough: what an earlier sweep was told is not kept over this answer
    stack.client("lambda").invoke(FunctionName=stack.outputs["function_names"]["sweep"])
    time.sleep(6)  # every function keeps the account for five seconds
    assert stack.request("GET", "/v1/account")["max_rate"] == rate


def forget_cuts(stack: Stack) -> None:
    """Let no refusals of an earlier test count: a cut rate takes minutes to come back."""
    region = local_environment(stack.port)["AWS_REGION"]
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["campaigns_table"],
        Key={"pk": {"S": f"ACCOUNT#{region}"}, "sk": {"S": "SES"}},
        UpdateExpression="REMOVE #factor, factor_at",
        ExpressionAttributeNames={"#factor": "factor"},
    )


def posts(stack: Stack) -> int:
    return int(stack.mailbox("GET", "/stats")["posts"])


def campaign_of(stack: Stack, campaign_id: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.request("GET", f"/v1/campaigns/{campaign_id}")
    return found


def contacts(name: str, count: int) -> str:
    return "email,name\n" + "".join(f"{name}{n}@example.com,N{n}\n" for n in range(count))


def test_the_rate_is_kept_though_three_of_ten_mails_are_refused(slow_account: Stack) -> None:
    stack = slow_account
    limit = stack.request("GET", "/v1/account")["rate"]
    stack.mailbox(
        "PUT", "/faults", [{"match": {"probability": 0.3, "seed": 7}, "action": "throttle"}]
    )
    campaign_id = send_list(stack, contacts("rate", RECIPIENTS))["campaign_id"]
    eventually(
        lambda: campaign_of(stack, campaign_id)["states"].get("accepted", 0),
        lambda accepted: accepted > RECIPIENTS // 10,
        seconds=300,
        what="sending has begun",
    )
    # measured in the middle, where neither the start nor the last stragglers weigh
    begun, posts_then = time.monotonic(), posts(stack)
    eventually(
        lambda: campaign_of(stack, campaign_id)["states"].get("accepted", 0),
        lambda accepted: accepted > RECIPIENTS * 8 // 10,
        seconds=600,
        what="most are sent",
    )
    sent, seconds = posts(stack) - posts_then, time.monotonic() - begun
    measured = sent / seconds
    print(f"\nlimit {limit:.2f}/s, measured {measured:.2f}/s over {seconds:.0f} s")
    over = eventually(
        lambda: campaign_of(stack, campaign_id),
        lambda found: found["status"] == "complete",
        seconds=300,
        what="complete",
    )
    assert over["states"] == {"accepted": RECIPIENTS}
    mails = Counter(mail["to"][0] for mail in stack.delivered(campaign_id=campaign_id))
    assert len(mails) == RECIPIENTS
    assert set(mails.values()) == {1}
    assert dead_letters(stack, campaign_id) == []
    # never faster, but for the one second's worth that may leave at once (rate.BURST_SECONDS);
    # and slower only by what a shared machine takes
    assert sent <= limit * (seconds * 1.05 + 1)
    if LONG:
        assert measured >= limit * 0.95


def dead_letters(stack: Stack, campaign_id: str) -> list[str]:
    """Return the dead letters of a campaign; other tests leave some of their own."""
    answer = stack.client("sqs").receive_message(
        QueueUrl=stack.outputs["email_dlq_url"], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    bodies = [letter["Body"] for letter in answer.get("Messages", [])]
    assert len(bodies) < 10, "there are more than one look shows"
    return [body for body in bodies if campaign_id in body]


def test_a_pause_stops_what_is_queued_and_a_cancel_drains_it_without_a_mail(
    slow_account: Stack,
) -> None:
    stack = slow_account
    campaign_id = send_list(stack, contacts("pause", QUEUED))["campaign_id"]
    eventually(
        lambda: campaign_of(stack, campaign_id),
        lambda found: found["dispatched"] and found["states"].get("accepted", 0) > 10,
        seconds=200,
        what="all queued, some sent",
    )
    stack.request("POST", f"/v1/campaigns/{campaign_id}/pause")
    time.sleep(5)
    after_five_seconds = posts(stack)
    time.sleep(5)
    assert posts(stack) == after_five_seconds

    stack.request("POST", f"/v1/campaigns/{campaign_id}/resume")
    eventually(lambda: posts(stack), lambda now: now > after_five_seconds + 10, what="going on")

    stack.request("POST", f"/v1/campaigns/{campaign_id}/cancel")
    settled = eventually(
        lambda: campaign_of(stack, campaign_id)["states"],
        lambda found: set(found) <= {"accepted", "cancelled"},
        seconds=200,
        what="everybody is accepted or cancelled",
    )
    assert sum(settled.values()) == QUEUED
    assert settled["cancelled"] > 0
    mails = Counter(mail["to"][0] for mail in stack.delivered(campaign_id=campaign_id))
    assert sum(mails.values()) == len(mails) == settled["accepted"]
