"""What people do beside sending: they look, plan ahead, and deal with what nobody could act on."""

from __future__ import annotations

import time

import pytest

from integration.harness import eventually, send_list, until_over
from stack import Stack

pytestmark = pytest.mark.integration


def make_campaign(stack: Stack) -> str:
    """Return the id of a campaign that was never started."""
    started = send_list(stack, "email,name\nseen@example.com,Seen\n")
    until_over(stack, started["campaign_id"])
    made = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Later",
            "list_id": started["list_id"],
            "subject": "Hello",
            "body": "Dear {{name}}",
            "config": {"email_service": "ses", "from_email": "noreply@example.com"},
        },
    )
    return str(made["campaign_id"])


def test_a_campaign_is_planned_ahead_seen_in_the_list_and_called_off(stack: Stack) -> None:
    campaign = make_campaign(stack)
    path = f"/v1/campaigns/{campaign}"
    planned = stack.request("POST", f"{path}/schedule", {"start_at": int(time.time()) + 3600})
    assert planned["status"] == "scheduled"
    listed = stack.request("GET", "/v1/campaigns")["items"]
    assert campaign in {one["campaign_id"] for one in listed}
    assert stack.request("POST", f"{path}/cancel")["status"] == "cancelled"


def letters(stack: Stack) -> list[str]:
    """Return why each dead letter is one."""
    return [one["reason"] for one in stack.request("GET", "/v1/dead-letters")["items"]]


def test_dead_letters_are_looked_at_sent_back_and_thrown_away(stack: Stack) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["email_dlq_url"]
    sqs.send_message(QueueUrl=url, MessageBody="no JSON at all")
    eventually(
        lambda: letters(stack),
        lambda found: any("JSON" in reason for reason in found),
        seconds=60,
        what="the dead letter",
    )
    moved = stack.request("POST", "/v1/dead-letters/redrive")["redrive"]
    assert moved["status"] in ("RUNNING", "COMPLETED")
    # sent back it fails as often as it may, and is a dead letter again
    eventually(lambda: letters(stack), bool, seconds=60, what="the dead letter, back again")
    confirm = {"confirm": url.rpartition("/")[2]}
    assert stack.request("POST", "/v1/dead-letters/purge", confirm)["purged"] is True
    assert letters(stack) == []
