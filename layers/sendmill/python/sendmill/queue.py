"""Put messages on SQS, and see that every one of them was taken.

``SendMessageBatch`` answers 200 with failures inside: each entry is accounted for, what failed
for a passing reason is sent again, and what is left over is an error, never silence.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
# SQS takes 1 MiB a batch where that is rolled out and 256 KiB everywhere.
_BATCH_BYTES = 256 * 1024
_ATTEMPTS = 5
_SENDERS = 4


class QueueClient:
    """Send to the dispatch queue and to the e-mail queue, and give messages back."""

    def __init__(
        self,
        client: SQSClient,
        *,
        dispatch_url: str = "",
        email_url: str = "",
        import_url: str = "",
        fair: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._dispatch_url = dispatch_url
        self._email_url = email_url
        self._import_url = import_url
        self._fair = fair
        self._sleep = sleep

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Put bodies on the dispatch queue; raises QueueUnavailable."""
        self._send_all(self._dispatch_url, bodies, group="")

    def send_import(self, import_id: str) -> None:
        """Ask for an import to be gone on with; raises QueueUnavailable."""
        self._send_all(self._import_url, [json.dumps({"import_id": import_id})], group="")

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Put bodies on the e-mail queue; raises QueueUnavailable."""
        self._send_all(self._email_url, bodies, group=group if self._fair else "")

    def return_mail(self, receipt_handle: str, *, after_seconds: int) -> None:
        """Let a message be received again after a while; a failure only makes it later."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._email_url,
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=after_seconds,
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"returning a message: {type(error).__name__}") from error

    def mails_waiting(self) -> int:
        """Return how many messages are on the e-mail queue, seen or not."""
        return self.waiting(self._email_url)

    def waiting(self, url: str) -> int:
        """Return how many messages are on a queue, seen or not; raises QueueUnavailable."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        try:
            answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable(f"asking a queue: {type(error).__name__}") from error
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)

    def _send_all(self, url: str, bodies: Sequence[str], *, group: str) -> None:
        batches = _batches(bodies)
        if len(batches) < 2:
            for batch in batches:
                self._send_batch(url, batch, group)
            return
        with ThreadPoolExecutor(min(_SENDERS, len(batches))) as senders:
            # list() so that an error of any batch is raised here
            list(senders.map(lambda batch: self._send_batch(url, batch, group), batches))

    def _send_batch(self, url: str, bodies: Sequence[str], group: str) -> None:
        left = {str(n): _entry(str(n), body, group) for n, body in enumerate(bodies)}
        said = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(random.random() * 0.1 * 2**attempt)  # noqa: S311  jitter, no secret
            try:
                answer = self._client.send_message_batch(QueueUrl=url, Entries=list(left.values()))
            except (ClientError, BotoCoreError) as error:
                said = type(error).__name__
                continue
            for taken in answer.get("Successful", []):
                left.pop(taken["Id"], None)
            said = ", ".join(sorted({failed["Code"] for failed in answer.get("Failed", [])}))
            if not left:
                return
            if any(failed["SenderFault"] for failed in answer.get("Failed", [])):
                break
        raise QueueUnavailable(f"{len(left)} of {len(bodies)} messages were not taken ({said})")


def _batches(bodies: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if not batches or len(batches[-1]) == _BATCH or size + length > _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(body)
        size += length
    return batches


def _entry(entry_id: str, body: str, group: str) -> Any:
    entry = {"Id": entry_id, "MessageBody": body}
    return {**entry, "MessageGroupId": group} if group else entry
