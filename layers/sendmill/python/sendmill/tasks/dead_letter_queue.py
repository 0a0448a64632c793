"""Look at the tasks on a dead-letter queue, send them back, or throw them away.

A task that is sent back keeps its id and its arguments: what has run by then does not run again.
Its message is new, so its attempts start at one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sendmill.errors import NotFound, QueueUnavailable
from sendmill.tasks.clients import client
from sendmill.tasks.config import DEFAULT_QUEUE, TaskConfig
from sendmill.tasks.errors import UnknownQueue
from sendmill.tasks.payload import loads
from sendmill.tasks.transports.sqs import region_of
from sendmill.tasks.worker.delivery import REASON

# A letter that was looked at is hidden from others for so long, in seconds.
_LOOK_SECONDS = 30
# Without a wait SQS asks some of its servers alone, and says that a queue is empty which is not:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
_WAIT_SECONDS = 1
_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """Hold one dead letter. ``reason`` and ``error`` are the worker's, empty when SQS moved it."""

    task_id: str
    task: str
    reason: str
    error: str
    failed_at: str
    receives: int
    message_id: str
    body: str
    receipt_handle: str = field(repr=False, default="")
    group: str = ""


class DeadLetterQueue:
    """Work on the dead-letter queue of one queue; every method raises QueueUnavailable."""

    def __init__(
        self, config: TaskConfig, queue: str = DEFAULT_QUEUE, *, wait_seconds: int = _WAIT_SECONDS
    ) -> None:
        found = config.dead_letter_queues.get(queue)
        if not found:
            known = ", ".join(sorted(config.dead_letter_queues)) or "none"
            raise UnknownQueue(f"{queue!r} has no dead-letter queue here (known: {known})")
        self.url, self.source = found, config.queue_url(queue)
        self._region = config.region or region_of(found)
        self._wait_seconds = wait_seconds

    def look(self, limit: int = 100) -> list[DeadTask]:
        """Return up to ``limit`` letters, oldest first; they stay where they are."""
        found = list(self._received(limit))
        self._show_again(found)
        return sorted(found, key=lambda letter: letter.failed_at)

    def find(self, task_id: str) -> DeadTask:
        """Return the letter of a task; raises NotFound."""
        for letter in self.look(limit=10_000):
            if task_id in (letter.task_id, letter.message_id):
                return letter
        raise NotFound(f"no dead letter holds the task {task_id}")

    def redrive(self, task_id: str = "") -> int:
        """Send the letter of one task back, or all of them; return how many went.

        A letter is deleted after its copy was taken: killed in between, the task is there twice
        and, by its id, runs once.
        """
        letters = list(self._received(10_000))
        wanted = [one for one in letters if not task_id or task_id == one.task_id]
        self._show_again([letter for letter in letters if letter not in wanted])
        if task_id and not wanted:
            raise NotFound(f"no dead letter holds the task {task_id}")
        for letter in wanted:
            self._send_back(letter)
        return len(wanted)

    def purge(self) -> None:
        """Throw every letter away."""
        self._call("purge_queue", QueueUrl=self.url)

    def _send_back(self, letter: DeadTask) -> None:
        # the reason goes along, as in a redrive by SQS: by it the worker knows a second life
        reason = {"DataType": "String", "StringValue": letter.reason}
        asked: dict[str, Any] = {
            "QueueUrl": self.source,
            "MessageBody": letter.body,
            "MessageAttributes": {REASON: reason},
        }
        if self.source.endswith(".fifo"):
            asked["MessageGroupId"] = letter.group or letter.task
            asked["MessageDeduplicationId"] = letter.message_id
        self._call("send_message", **asked)
        self._call("delete_message", QueueUrl=self.url, ReceiptHandle=letter.receipt_handle)

    def _received(self, limit: int) -> Iterator[DeadTask]:
        seen: set[str] = set()
        while len(seen) < limit:
            answer = self._call(
                "receive_message",
                QueueUrl=self.url,
                MaxNumberOfMessages=min(_BATCH, limit - len(seen)),
                VisibilityTimeout=_LOOK_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            fresh = [m for m in answer.get("Messages", []) if m["MessageId"] not in seen]
            if not fresh:
                return
            for message in fresh:
                seen.add(message["MessageId"])
                yield letter_of(message)

    def _show_again(self, letters: list[DeadTask]) -> None:
        for letter in letters:
            self._call(
                "change_message_visibility",
                QueueUrl=self.url,
                ReceiptHandle=letter.receipt_handle,
                VisibilityTimeout=0,
            )

    def _call(self, name: str, **asked: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client("sqs", self._region), name)(**asked)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"{name}: {type(error).__name__}: {error}") from error


def letter_of(message: Mapping[str, Any]) -> DeadTask:
    """Return what a message on a dead-letter queue says."""
    said = {
        name: str(attribute.get("StringValue", ""))
        for name, attribute in (message.get("MessageAttributes") or {}).items()
    }
    attributes = message.get("Attributes", {})
    body = str(message.get("Body", ""))
    task_id, task = _named(body)
    sent = datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC)
    return DeadTask(
        task_id=said.get("task_id") or task_id,
        task=said.get("task") or task,
        reason=said.get("reason") or "received_too_often",
        error=said.get("error", ""),
        failed_at=said.get("failed_at") or sent.strftime("%Y-%m-%dT%H:%M:%SZ"),
        receives=int(said.get("receives") or attributes.get("ApproximateReceiveCount", 0)),
        message_id=str(message["MessageId"]),
        body=body,
        receipt_handle=str(message.get("ReceiptHandle", "")),
        group=str(attributes.get("MessageGroupId", "")),
    )


def _named(body: str) -> tuple[str, str]:
    """Return the id and the name that a body gives, as far as it can be read."""
    try:
        found = loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    return str(found.get("id") or ""), str(found.get("task") or found.get("task_name") or "")
