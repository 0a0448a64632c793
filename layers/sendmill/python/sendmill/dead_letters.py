"""Look at what nobody could act on, move it back, or throw it away.

A redrive is SQS's own message move: the messages go back to the queue they came from, and the
ledger decides anew, so a mail that was sent in the meantime is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.contact import redacted
from sendmill.errors import QueueUnavailable, StateConflict
from sendmill.message import why_refused

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A letter that was looked at is hidden from the next look for so long, in seconds.
LOOK_SECONDS = 5
# Without a wait SQS asks some of its servers alone, and says that a queue is empty which is not:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_SECONDS = 1
_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Hold one dead letter: since when it is on the queue, and why nobody could act on it."""

    message_id: str
    sent_at: int
    age_seconds: int
    receives: int
    campaign_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Say how far the newest redrive has come."""

    status: str
    moved: int
    to_move: int


class DeadLetterQueue:
    """Work on one dead-letter queue; ``default_from`` is the worker's, who reads as we do.

    Of queues that hold no mails (``mails`` is false) no reason can be read from the body; who put a
    letter aside may have said it in the attributes ``reason`` and ``error``. ``source_url`` is the
    queue that letters go back to: SQS knows it only of those that it moved itself.
    """

    def __init__(
        self,
        client: SQSClient,
        url: str,
        *,
        source_url: str = "",
        default_from: str = "",
        mails: bool = True,
        clock: Callable[[], float] = time.time,
        wait_seconds: int = WAIT_SECONDS,
    ) -> None:
        self._client = client
        self._url = url
        self._source_url = source_url
        self._default_from = default_from
        self._mails = mails
        self._clock = clock
        self._wait_seconds = wait_seconds

    def look(self, limit: int) -> list[DeadLetter]:
        """Return up to ``limit`` letters, oldest first; they stay where they are."""
        found: dict[str, DeadLetter] = {}
        while len(found) < limit:
            answer = self._call(
                "receive_message",
                MaxNumberOfMessages=min(_BATCH, limit - len(found)),
                VisibilityTimeout=LOOK_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["reason", "error"],
            )
            seen = [self._letter(raw) for raw in answer.get("Messages", [])]
            fresh = {letter.message_id: letter for letter in seen if letter.message_id not in found}
            if not fresh:
                break
            found |= fresh
        return sorted(found.values(), key=lambda letter: letter.sent_at)

    def redrive(self) -> None:
        """Move every letter back to the queue it came from; raises StateConflict while one runs."""
        try:
            self._call("start_message_move_task", url=False, **self._way())
        except QueueUnavailable as error:
            if self.newest_move().status == "RUNNING":
                raise StateConflict("a redrive of this queue is running already") from error
            raise

    def newest_move(self) -> Move:
        """Return how far the newest redrive has come."""
        answer = self._call("list_message_move_tasks", url=False, SourceArn=self._arn())
        for task in answer.get("Results", []):
            return Move(
                status=str(task.get("Status", "")),
                moved=int(task.get("ApproximateNumberOfMessagesMoved", 0)),
                to_move=int(task.get("ApproximateNumberOfMessagesToMove", 0)),
            )
        return Move(status="NONE", moved=0, to_move=0)

    def purge(self, *, confirm: str) -> None:
        """Throw every letter away; raises StateConflict unless ``confirm`` is the queue's name."""
        name = self._url.rpartition("/")[2]
        if confirm != name:
            raise StateConflict(f"confirm must be the queue's name, {name} (got {confirm!r})")
        self._call("purge_queue")

    def _letter(self, raw: dict[str, Any]) -> DeadLetter:
        attributes = raw.get("Attributes", {})
        sent_at = int(attributes.get("SentTimestamp", 0)) // 1000
        campaign_id, reason = "", ""
        if self._mails:
            campaign_id, reason = why_refused(raw.get("Body", ""), default_from=self._default_from)
        else:
            reason = _said(raw.get("MessageAttributes") or {})
        return DeadLetter(
            message_id=raw["MessageId"],
            sent_at=sent_at,
            age_seconds=max(0, int(self._clock()) - sent_at),
            receives=int(attributes.get("ApproximateReceiveCount", 0)),
            campaign_id=campaign_id,
            reason=reason or "handled three times without success: the worker's log says why",
        )

    def _way(self) -> dict[str, str]:
        source = self._arn()
        if not self._source_url:
            return {"SourceArn": source}
        # Of a letter that a worker put there SQS cannot tell the queue it came from:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
        back = f"{source.rpartition(':')[0]}:{self._source_url.rpartition('/')[2]}"
        return {"SourceArn": source, "DestinationArn": back}

    def _arn(self) -> str:
        answer = self._call("get_queue_attributes", AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def _call(self, name: str, *, url: bool = True, **arguments: Any) -> Any:
        if url:
            arguments["QueueUrl"] = self._url
        try:
            return getattr(self._client, name)(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"{name}: {type(error).__name__}: {error}") from error


def _said(attributes: dict[str, Any]) -> str:
    """Return why the worker put a letter aside, as far as it said so."""
    words = [attributes.get(name, {}).get("StringValue", "") for name in ("reason", "error")]
    return redacted(": ".join(word for word in words if word))
