"""Hide, bury and delete messages on SQS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sendmill.errors import QueueUnavailable
from sendmill.tasks.clients import client
from sendmill.tasks.config import DEFAULT_QUEUE, TaskConfig
from sendmill.tasks.listening import logger
from sendmill.tasks.worker.delivery import Delivery

# SQS takes ten attributes a message, and an empty value is refused.
_MOST_ATTRIBUTES = 10


class SqsInbox:
    """Work on the queues that messages came from."""

    def __init__(self, config: TaskConfig) -> None:
        self._config = config
        self._names = {url.rstrip("/").rpartition("/")[2]: url for url in config.queues.values()}

    def hide(self, delivery: Delivery, seconds: int) -> None:
        """Have a message come again after so many seconds; raises QueueUnavailable."""
        self._call(
            "change_message_visibility",
            QueueUrl=self.url_of(delivery),
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=seconds,
        )

    def bury(self, delivery: Delivery, reason: Mapping[str, str]) -> bool:
        """Copy a message to its dead-letter queue with the reason as attributes.

        Returns False when no dead-letter queue is configured; raises QueueUnavailable.
        """
        url = self._dead_letters_of(delivery)
        if not url:
            return False
        attributes = {
            key: {"DataType": "String", "StringValue": _printable(value)}
            for key, value in list(reason.items())[:_MOST_ATTRIBUTES]
            if value
        }
        asked: dict[str, Any] = {"MessageBody": delivery.body, "MessageAttributes": attributes}
        if url.endswith(".fifo"):
            asked["MessageGroupId"] = delivery.group or "dead"
            asked["MessageDeduplicationId"] = delivery.message_id
        self._call("send_message", QueueUrl=url, **asked)
        return True

    def delete(self, url: str, deliveries: Sequence[Delivery]) -> None:
        """Delete messages that were handled; raises QueueUnavailable.

        One that SQS keeps is asked for once more, and logged: it comes again, to its receipt.
        """
        for start in range(0, len(deliveries), 10):
            kept = self._undeleted(url, deliveries[start : start + 10])
            for found, code in self._undeleted(url, list(kept)).items() if kept else ():
                logger.warning("task_not_deleted %s: %s", found.message_id, code)

    def url_of(self, delivery: Delivery) -> str:
        """Return the URL of the queue that a message came from; raises QueueUnavailable."""
        if delivery.queue not in self._names:
            account = delivery.queue_arn.split(":")[4] if delivery.queue_arn else ""
            asked = {"QueueName": delivery.queue} | (
                {"QueueOwnerAWSAccountId": account} if account else {}
            )
            self._names[delivery.queue] = str(self._call("get_queue_url", **asked)["QueueUrl"])
        return self._names[delivery.queue]

    def _undeleted(self, url: str, deliveries: Sequence[Delivery]) -> dict[Delivery, str]:
        """Delete ten messages at most; return those that SQS kept, with its code."""
        entries = [
            {"Id": str(n), "ReceiptHandle": found.receipt_handle}
            for n, found in enumerate(deliveries)
        ]
        answer = self._call("delete_message_batch", QueueUrl=url, Entries=entries)
        failed = answer.get("Failed", [])
        return {deliveries[int(entry["Id"])]: str(entry.get("Code", "")) for entry in failed}

    def _dead_letters_of(self, delivery: Delivery) -> str:
        dead = self._config.dead_letter_queues
        named = [
            name
            for name, url in self._config.queues.items()
            if url.rstrip("/").rpartition("/")[2] == delivery.queue
        ]
        return next((dead[name] for name in named if name in dead), dead.get(DEFAULT_QUEUE, ""))

    def _call(self, name: str, **asked: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client("sqs", self._region(), read_timeout=25), name)(**asked)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise QueueUnavailable(f"{name}: {code}") from error
        except BotoCoreError as error:
            raise QueueUnavailable(f"{name}: {type(error).__name__}: {error}") from error

    def _region(self) -> str:
        from sendmill.tasks.transports.sqs import region_of

        known = next(iter(self._config.queues.values()), "")
        return self._config.region or region_of(known)


def _printable(text: str) -> str:
    """Return text without what SQS refuses in an attribute."""
    return "".join(c if c.isprintable() else " " for c in text)
