"""What SES says of a mail comes back by SNS and SQS, and changes what is sent next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from integration.harness import eventually, send_list, until_over
from stack import Stack

pytestmark = pytest.mark.integration
SIMULATOR = "simulator.amazonses.com"


@pytest.fixture
def events(mailbox: Stack) -> Iterator[Stack]:
    """Return the stack; whatever the test does to events ends with it."""
    yield mailbox
    mailbox.mailbox("PUT", "/events", {})


def until_news(stack: Stack, campaign_id: str, news: Mapping[str, int]) -> dict[str, Any]:
    """Wait until a campaign's news are these; return the campaign."""
    return eventually(
        lambda: stack.request("GET", f"/v1/campaigns/{campaign_id}"),
        lambda campaign: campaign["news"] == news,
        what=f"news {news}",
    )


def recipients(stack: Stack, campaign_id: str) -> dict[str, dict[str, Any]]:
    rows = stack.pages(f"/v1/campaigns/{campaign_id}/recipients")
    return {row["email"].partition("@")[0].partition("+")[0]: row for row in rows}


def simulated(label: str, *boxes: str) -> str:
    rows = [f"{box}+{label}@{SIMULATOR},{box.title()}" for box in boxes]
    return "\n".join(["email,name", *rows]) + "\n"


def test_what_became_of_every_mail_is_known_and_acted_upon(stack: Stack) -> None:
    csv = simulated("acted", "success", "bounce", "complaint", "suppressionlist")
    first = send_list(stack, csv)["campaign_id"]
    campaign = until_news(stack, first, {"bounced": 2, "complained": 1, "delivered": 1})
    assert campaign["states"] == {"accepted": 4}
    rows = recipients(stack, first)
    assert {name: (row["news"], row["reason"]) for name, row in rows.items()} == {
        "success": ("delivered", ""),
        "bounce": ("bounced", "permanent_general"),
        "complaint": ("complained", "abuse"),
        "suppressionlist": ("bounced", "permanent_suppressed"),
    }

    second = send_list(stack, csv)["campaign_id"]
    over = until_over(stack, second)
    assert over["states"] == {"accepted": 1, "suppressed": 3}
    rows = recipients(stack, second)
    assert {name: row["reason"] for name, row in rows.items()} == {
        "success": "",
        "bounce": "bounced",
        "complaint": "complained",
        "suppressionlist": "bounced",
    }
    mails = stack.delivered(campaign_id=second)
    assert [mail["to"] for mail in mails] == [[f"success+acted@{SIMULATOR}"]]


def test_events_that_come_twice_and_in_any_order_are_counted_once(events: Stack) -> None:
    events.mailbox("PUT", "/events", {"duplicate": 1.0, "shuffle": True, "delay_seconds": 2})
    rows = "".join(f"success+shuffled{n}@{SIMULATOR},S\n" for n in range(30))
    rows += "".join(f"bounce+shuffled{n}@{SIMULATOR},B\n" for n in range(6))
    rows += "".join(f"complaint+shuffled{n}@{SIMULATOR},C\n" for n in range(4))
    campaign_id = send_list(events, f"email,name\n{rows}")["campaign_id"]
    news = {"bounced": 6, "complained": 4, "delivered": 30}
    until_news(events, campaign_id, news)
    eventually(
        lambda: events.mailbox("GET", "/stats")["events"]["waiting"],
        lambda waiting: waiting == 0,
        what="every event published",
    )
    campaign = until_news(events, campaign_id, news)
    found = Counter(row["news"] for row in events.pages(f"/v1/campaigns/{campaign_id}/recipients"))
    assert found == news
    assert campaign["states"] == {"accepted": 40}


def test_an_event_settles_a_mail_whose_answer_was_lost(mailbox: Stack) -> None:
    mailbox.mailbox("PUT", "/faults", [{"action": "accept_then_drop", "match": {"to": "lost@"}}])
    campaign_id = send_list(mailbox, "email,name\nlost@example.com,Lost\n")["campaign_id"]
    campaign = until_news(mailbox, campaign_id, {"delivered": 1})
    assert campaign["states"] == {"accepted": 1}
    (row,) = mailbox.pages(f"/v1/campaigns/{campaign_id}/recipients")
    assert (row["state"], row["news"], row["attempts"]) == ("accepted", "delivered", 1)
    assert len(mailbox.delivered(campaign_id=campaign_id)) == 1


def test_an_event_that_another_configuration_set_signed_changes_nothing(stack: Stack) -> None:
    campaign_id = send_list(stack, "email,name\nforged@example.com,F\n")["campaign_id"]
    until_news(stack, campaign_id, {"delivered": 1})
    (row,) = stack.pages(f"/v1/campaigns/{campaign_id}/recipients")
    forged, genuine = (
        complaint(row, campaign_id, configuration_set)
        for configuration_set in ("another", stack.outputs["ses_configuration_set"])
    )
    queue = {"QueueUrl": stack.outputs["feedback_queue_url"]}
    stack.client("sqs").send_message(MessageBody=forged, **queue)
    stack.client("sqs").send_message(MessageBody="Successfully validated SNS topic", **queue)
    again = send_list(stack, "email,name\nforged@example.com,F\n")["campaign_id"]
    assert until_over(stack, again)["states"] == {"accepted": 1}
    assert stack.request("GET", f"/v1/campaigns/{campaign_id}")["news"] == {"delivered": 1}
    # the same event of our own set is believed: the refusal above was not for its shape
    stack.client("sqs").send_message(MessageBody=genuine, **queue)
    until_news(stack, campaign_id, {"complained": 1})


def complaint(row: Mapping[str, Any], campaign_id: str, configuration_set: str) -> str:
    tags = {
        "ses:configuration-set": [configuration_set],
        "campaign_id": [campaign_id],
        "recipient_id": [row["recipient_id"]],
        "attempt": ["1"],
    }
    when = "2026-11-23T00:00:00.000Z"
    return json.dumps(
        {
            "eventType": "Complaint",
            "mail": {"timestamp": when, "messageId": "m1", "tags": tags},
            "complaint": {
                "timestamp": when,
                "complainedRecipients": [{"emailAddress": row["email"]}],
            },
        }
    )
