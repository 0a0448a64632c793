"""Say how much waits on which queue, and hand out each queue's dead letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.dead_letters import DeadLetterQueue
from sendmill.errors import InvalidSettings, NotFound, QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The queue whose dead letters are meant when none is named.
MAILS = "email"
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkQueue:
    """Name a queue and its dead-letter queue."""

    name: str
    url: str
    dead_letter_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Hold how many messages are on a queue.

    AWS knows the queue by ``url_name``, its dead-letter queue by ``dead_letter_name``.
    ``oldest_seconds`` is None: SQS tells the age of the oldest message to CloudWatch alone.
    """

    name: str
    url_name: str
    dead_letter_name: str
    waiting: int
    in_flight: int
    delayed: int
    oldest_seconds: int | None
    dead_letters: int


class WorkQueues:
    """Look at the queues of a deployment; ``default_from`` is what the e-mail worker reads with."""

    def __init__(
        self, client: SQSClient, queues: Sequence[WorkQueue], *, default_from: str = ""
    ) -> None:
        self._client = client
        self._queues = {queue.name: queue for queue in queues}
        self._default_from = default_from

    def backlogs(self) -> list[Backlog]:
        """Return every queue's backlog; raises QueueUnavailable."""
        return [self._backlog(queue) for queue in self._queues.values()]

    def letters(self, name: str) -> DeadLetterQueue:
        """Return the dead letters of a queue; raises NotFound."""
        queue = self._queues.get(name or MAILS)
        if queue is None:
            known = ", ".join(sorted(self._queues))
            raise NotFound(f"queue must be one of {known} (got {name!r})")
        return DeadLetterQueue(
            self._client,
            queue.dead_letter_url,
            source_url=queue.url,
            default_from=self._default_from,
            mails=queue.name == MAILS,
        )

    def _backlog(self, queue: WorkQueue) -> Backlog:
        waiting, in_flight, delayed = self._count(queue.url)
        return Backlog(
            name=queue.name,
            url_name=queue.url.rpartition("/")[2],
            dead_letter_name=queue.dead_letter_url.rpartition("/")[2],
            waiting=waiting,
            in_flight=in_flight,
            delayed=delayed,
            oldest_seconds=None,
            dead_letters=self._count(queue.dead_letter_url)[0],
        )

    def _count(self, url: str) -> tuple[int, int, int]:
        try:
            names: Any = list(_COUNTS)
            found: Any = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"counting messages: {type(error).__name__}") from error
        waiting, in_flight, delayed = (int(found["Attributes"].get(name, 0)) for name in _COUNTS)
        return waiting, in_flight, delayed


def queues_from_json(text: str, *, email_url: str, email_dead_letter_url: str) -> list[WorkQueue]:
    """Return the queues of a setting: ``[{"name":…, "url":…, "dead_letter_url":…}]``.

    Without the setting it is the e-mail queue alone. Raises InvalidSettings.
    """
    mails = WorkQueue(name=MAILS, url=email_url, dead_letter_url=email_dead_letter_url)
    if not text:
        return [mails]
    try:
        found = [WorkQueue(**one) for one in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise InvalidSettings(f"TASK_QUEUES must be a list of queues in JSON ({error})") from error
    return found
