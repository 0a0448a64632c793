"""Messages that anybody puts on the e-mail queue: they arrive, once, or lie where one can see."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fault.killing import kill, workers_of
from integration.harness import eventually
from stack import Stack

pytestmark = pytest.mark.integration

Aws = Callable[..., str]

# The shape that is promised, as it stands in the documentation.
DOCUMENTED: dict[str, Any] = {
    "campaign_id": "campaign_1234567890",
    "campaign_name": "Monthly Newsletter",
    "subject": "Hello {{first_name}}!",
    "body": "Dear {{first_name}} {{last_name}}, ...",
    "contact": {
        "email": "user@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "company": "Acme Corp",
    },
    "config": {
        "email_service": "ses",
        "from_email": "noreply@example.com",
        "aws_region": "us-gov-west-1",
        "aws_secret_name": "email-api-credentials",
    },
}


def message(campaign_id: str, email: str, **config: str) -> str:
    """Return the documented message for another campaign and contact."""
    return json.dumps(
        DOCUMENTED
        | {
            "campaign_id": campaign_id,
            "contact": DOCUMENTED["contact"] | {"email": email},
            "config": DOCUMENTED["config"] | config,
        }
    )


def put(stack: Stack, *bodies: str) -> None:
    """Put bodies on the e-mail queue in one request."""
    answer = stack.client("sqs").send_message_batch(
        QueueUrl=stack.outputs["email_queue_url"],
        Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
    )
    assert len(answer["Successful"]) == len(bodies)


def states(stack: Stack, campaign_id: str) -> dict[str, int]:
    found: dict[str, int] = stack.request("GET", f"/v1/campaigns/{campaign_id}")["states"]
    return found


def sqs_event(*bodies: str) -> bytes:
    """Return the event by which SQS wakes the worker."""
    records = [
        {
            "messageId": f"message-{n}",
            "receiptHandle": f"receipt-{n}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        for n, body in enumerate(bodies)
    ]
    return json.dumps({"Records": records}).encode()


def test_the_documented_message_arrives_as_it_stands(stack: Stack, aws: Aws) -> None:
    aws(
        "sqs",
        "send-message",
        "--queue-url",
        stack.outputs["email_queue_url"],
        "--message-body",
        json.dumps(DOCUMENTED),
    )
    (mail,) = eventually(
        lambda: stack.delivered(campaign_id="campaign_1234567890"), bool, what="the mail"
    )
    assert mail["to"] == ["user@example.com"]
    assert mail["subject"] == "Hello John!"
    raw = stack.mailbox("GET", f"/messages/{mail['message_id']}")
    assert "Dear John Doe, ..." in raw
    assert states(stack, "campaign_1234567890") == {"accepted": 1}


def test_one_message_that_is_no_json_reaches_the_dead_letter_queue_alone(stack: Stack) -> None:
    sqs = stack.client("sqs")
    sqs.purge_queue(QueueUrl=stack.outputs["email_dlq_url"])
    bodies = [message("campaign_poison", f"poison{n}@example.com") for n in range(9)]
    put(stack, *bodies[:4], "this is not JSON", *bodies[4:])

    def dead() -> list[dict[str, Any]]:
        answer = sqs.receive_message(
            QueueUrl=stack.outputs["email_dlq_url"],
            AttributeNames=["All"],
            VisibilityTimeout=0,
            WaitTimeSeconds=1,
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    (letter,) = eventually(dead, bool, what="a dead letter")
    assert letter["Body"] == "this is not JSON"
    delivered = eventually(
        lambda: stack.delivered(campaign_id="campaign_poison"),
        lambda mails: len(mails) >= 9,
        what="nine mails",
    )
    assert sorted(mail["to"][0] for mail in delivered) == [
        f"poison{n}@example.com" for n in range(9)
    ]
    queue = sqs.get_queue_attributes(
        QueueUrl=stack.outputs["email_queue_url"], AttributeNames=["RedrivePolicy"]
    )
    assert json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 3


def test_the_same_message_delivered_twice_is_one_mail(stack: Stack) -> None:
    body = message("campaign_twice", "twice@example.com")
    put(stack, body)
    eventually(lambda: stack.delivered(campaign_id="campaign_twice"), bool, what="the mail")
    put(stack, body, body)
    answer = invoke(stack, sqs_event(body))
    assert answer == {"batchItemFailures": []}
    assert len(stack.delivered(campaign_id="campaign_twice")) == 1
    assert states(stack, "campaign_twice") == {"accepted": 1}


def test_the_same_message_at_the_same_moment_in_two_workers_is_one_mail(mailbox: Stack) -> None:
    mailbox.mailbox("PUT", "/faults", [{"action": "latency_ms", "milliseconds": 200}])
    for turn in range(10):
        campaign_id = f"campaign_race_{turn}"
        event = sqs_event(message(campaign_id, "race@example.com"))
        starting_line = threading.Barrier(2)

        def worker(event: bytes = event, line: threading.Barrier = starting_line) -> None:
            line.wait()
            invoke(mailbox, event)

        workers = [threading.Thread(target=worker) for _ in range(2)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        assert len(mailbox.delivered(campaign_id=campaign_id)) == 1
        assert states(mailbox, campaign_id) == {"accepted": 1}


@pytest.fixture
def no_events(mailbox: Stack) -> Iterator[Stack]:
    """Have SES lose its events, and send them again afterwards."""
    mailbox.mailbox("PUT", "/events", {"off": True})
    yield mailbox
    mailbox.mailbox("PUT", "/events", {"off": False})


def kill_while_sending(stack: Stack, campaign_id: str, email: str) -> None:
    """Kill the worker between the provider's acceptance and the record."""
    fault = {"match": {"to": f"^{email}$"}, "action": "accept_then_hang", "seconds": 25}
    stack.mailbox("PUT", "/faults", [fault])
    put(stack, message(campaign_id, email))
    eventually(
        lambda: stack.delivered(campaign_id=campaign_id), bool, what="the provider took the mail"
    )
    assert kill(workers_of(stack, "email_worker")) > 0
    stack.mailbox("DELETE", "/faults")


def test_a_worker_killed_after_the_provider_took_the_mail_sends_no_second_one(
    no_events: Stack,
) -> None:
    campaign_id = "campaign_killed"
    kill_while_sending(no_events, campaign_id, "killed@example.com")
    assert states(no_events, campaign_id) == {"sending": 1}
    eventually(
        lambda: states(no_events, campaign_id),
        lambda found: found == {"unknown": 1},
        seconds=260,
        what="the recipient is unknown",
    )
    assert len(no_events.delivered(campaign_id=campaign_id)) == 1
    campaign = no_events.request("GET", f"/v1/campaigns/{campaign_id}")
    assert campaign["status"] == "complete_with_unknown"


def test_the_provider_s_own_event_settles_what_a_killed_worker_left(mailbox: Stack) -> None:
    campaign_id = "campaign_killed_with_events"
    kill_while_sending(mailbox, campaign_id, "settled@example.com")
    eventually(
        lambda: states(mailbox, campaign_id),
        lambda found: found == {"accepted": 1},
        what="the event made it accepted",
    )
    assert len(mailbox.delivered(campaign_id=campaign_id)) == 1


def invoke(stack: Stack, event: bytes) -> Any:
    """Wake the deployed worker directly with an event."""
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["function_names"]["email_worker"], Payload=event
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())
