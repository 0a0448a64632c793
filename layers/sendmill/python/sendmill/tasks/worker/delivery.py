"""Hold what a queue delivers, whoever receives it, and say what a worker may do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# The message attribute that says why a task became a dead letter; a redrive keeps it.
REASON = "reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Hold one message as it was received; ``receives`` counts from 1, this one too.

    ``redriven`` is true for a dead letter of ours that was sent back: it carries the reason.
    """

    message_id: str
    receipt_handle: str
    body: str
    receives: int = 1
    sent_at: float = 0
    queue: str = ""
    queue_arn: str = ""
    group: str = ""
    redriven: bool = False

    @property
    def is_fifo(self) -> bool:
        """Say whether messages of a group must keep their order."""
        return self.queue_arn.endswith(".fifo")


class Inbox(Protocol):
    """Work on the queue that a delivery came from."""

    def hide(self, delivery: Delivery, seconds: int) -> None:
        """Have the message come again after so many seconds; raises QueueUnavailable."""

    def bury(self, delivery: Delivery, reason: Mapping[str, str]) -> bool:
        """Copy a message to its dead-letter queue; False when it has none.

        Raises QueueUnavailable.
        """


def delivery_of_event(record: Mapping[str, Any]) -> Delivery:
    """Return what a record of a Lambda event from SQS holds."""
    attributes = record.get("attributes") or {}
    arn = str(record.get("eventSourceARN", ""))
    return Delivery(
        message_id=str(record["messageId"]),
        receipt_handle=str(record.get("receiptHandle", "")),
        body=str(record.get("body", "")),
        receives=max(1, int(attributes.get("ApproximateReceiveCount", 1))),
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
        queue=arn.rpartition(":")[2],
        queue_arn=arn,
        group=str(attributes.get("MessageGroupId", "")),
        redriven=REASON in (record.get("messageAttributes") or {}),
    )


def delivery_of_message(message: Mapping[str, Any], *, queue: str, queue_arn: str) -> Delivery:
    """Return what a message received by ReceiveMessage holds."""
    return delivery_of_event(
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": message.get("MessageAttributes", {}),
            "eventSourceARN": queue_arn or queue,
        }
    )
