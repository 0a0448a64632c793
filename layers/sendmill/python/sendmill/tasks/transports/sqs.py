"""Send to SQS with short timeouts, and tell "certainly not sent" from "maybe sent".

One HTTP attempt at a time, by our own count: the SDK's retry would send the same message twice and
hold a web request for minutes. A second attempt is made only when the first failed at once, so
that all of it stays below three seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sendmill.tasks.clients import client
from sendmill.tasks.context import xray_header
from sendmill.tasks.errors import (
    DelayTooLong,
    EnqueueError,
    EnqueueRejected,
    EnqueueUncertain,
    EnqueueUnreachable,
)
from sendmill.tasks.transports import Outgoing

_BATCH = 10
# A failure that took longer is not tried again: connect and read timeouts would add up.
_AT_ONCE = 0.3
_AWAY = (EnqueueUnreachable, EnqueueUncertain)
# What says that a request was turned away: SQS's own errors, and botocore.retries.standard.
_THROTTLED = {
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "TooManyRequestsException",
    "OverLimit",
    "KmsThrottled",
    "AWS.SimpleQueueService.OverLimit",
}
_REGION = re.compile(r"(?:^|[/.])(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.")


class SqsTransport:
    """Send messages to queues by URL."""

    def __init__(
        self,
        url_of: Callable[[str], str],
        *,
        region: str = "",
        connect_timeout: float = 0.8,
        read_timeout: float = 1.8,
        batch_bytes: int = 256 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url_of = url_of
        self._region = region
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._batch_bytes = batch_bytes
        self._clock = clock

    def send(self, message: Outgoing) -> str:
        """Store a message and return its id; raises EnqueueError."""
        url = self._url_of(message.queue)
        asked = {"QueueUrl": url, **_entry(message, url)}
        answer = self._call("send_message", url, asked, message.task_id, message.resend)
        if not answer.get("MessageId"):
            raise EnqueueUncertain("SQS: an answer without an id", task_id=message.task_id)
        return str(answer["MessageId"])

    def send_many(self, messages: Sequence[Outgoing]) -> list[str | EnqueueError]:
        """Store messages of one queue in batches; return an id or an error for each, in order."""
        found: list[str | EnqueueError] = []
        away = False
        for batch in _batches(messages, self._batch_bytes):
            if away:
                # every further batch would wait as long for the same answer
                said = "SQS: not tried, the batch before was not answered"
                found += [EnqueueUnreachable(said, task_id=one.task_id) for one in batch]
                continue
            answers = self._send_batch(batch)
            away = all(isinstance(answer, _AWAY) for answer in answers)
            found += answers
        return found

    def _send_batch(self, batch: Sequence[Outgoing]) -> list[str | EnqueueError]:
        url = self._url_of(batch[0].queue)
        entries = [{"Id": str(n), **_entry(message, url)} for n, message in enumerate(batch)]
        resend = all(message.resend for message in batch)
        try:
            asked = {"QueueUrl": url, "Entries": entries}
            answer = self._call("send_message_batch", url, asked, "", resend)
        except EnqueueError as error:
            return [type(error)(str(error), task_id=message.task_id) for message in batch]
        taken = {found["Id"]: str(found["MessageId"]) for found in answer.get("Successful", [])}
        failed = {found["Id"]: found for found in answer.get("Failed", [])}
        return [
            taken.get(str(n)) or _refusal(failed.get(str(n), {}), message.task_id)
            for n, message in enumerate(batch)
        ]

    def _call(
        self, name: str, url: str, asked: Mapping[str, Any], task_id: str, resend: bool
    ) -> Any:
        # Made before the clock starts: the first of a process takes longer than many a call.
        sqs = _translating(task_id, self._client, url)
        send = getattr(sqs, name)
        started = self._clock()
        try:
            return _translating(task_id, send, **asked)
        except EnqueueRejected:
            raise
        except EnqueueError as first:
            may_double = isinstance(first, EnqueueUncertain)
            if self._clock() - started > _AT_ONCE or (may_double and not resend):
                raise
            try:
                return _translating(task_id, send, **asked)
            except EnqueueUnreachable as second:
                # what was maybe sent the first time is still maybe sent
                raise (first if may_double else second) from second

    def _client(self, url: str) -> Any:
        region = self._region or region_of(url)
        return client("sqs", region, attempts=1, **self._timeouts)


def _translating(task_id: str, call: Callable[..., Any], *words: Any, **asked: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return call(*words, **asked)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise translated(error, task_id) from error


def translated(error: Exception, task_id: str = "") -> EnqueueError:
    """Return an error of botocore as one of ours, by what it says about the message's fate.

    Whatever is not known to have failed before the request was written is uncertain.
    """
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _from_answer(error, task_id)
    said = f"SQS: {type(error).__name__}: {error}"
    never_left = (
        boto.EndpointConnectionError,
        boto.ConnectTimeoutError,
        boto.ProxyConnectionError,
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.MetadataRetrievalError,
        boto.TokenRetrievalError,
        boto.SSOError,
    )
    if isinstance(error, never_left):
        return EnqueueUnreachable(said, task_id=task_id)
    if isinstance(error, boto.HTTPClientError) or not isinstance(error, boto.BotoCoreError):
        return EnqueueUncertain(said, task_id=task_id)
    # validation, no region, an endpoint that is no URL: nothing of it ever leaves this process
    return EnqueueRejected(said, task_id=task_id)


def region_of(url: str) -> str:
    """Return the region in a queue's URL, or an empty string."""
    found = _REGION.search(url)
    return found[1] if found else ""


def _from_answer(error: Any, task_id: str) -> EnqueueError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"SQS: {code}: {error.response.get('Error', {}).get('Message', '')}"
    # a 503 that names no throttle is "a temporary failure of the server", and not of which step
    if code in _THROTTLED or status == 429:
        return EnqueueUnreachable(said, task_id=task_id)
    if status >= 500 or not status >= 400:
        return EnqueueUncertain(said, task_id=task_id)
    return EnqueueRejected(said, task_id=task_id)


def _refusal(failed: Mapping[str, Any], task_id: str) -> EnqueueError:
    said = f"SQS: {failed.get('Code', 'no answer for this entry')}: {failed.get('Message', '')}"
    if not failed:
        return EnqueueUncertain(said, task_id=task_id)
    if failed.get("SenderFault") and failed.get("Code") not in _THROTTLED:
        return EnqueueRejected(said, task_id=task_id)
    return EnqueueUnreachable(said, task_id=task_id)


def _entry(message: Outgoing, url: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"MessageBody": message.body}
    if message.delay_seconds:
        if url.endswith(".fifo"):
            raise DelayTooLong(f"a FIFO queue delays no single message (queue {message.queue!r})")
        entry["DelaySeconds"] = message.delay_seconds
    if message.group:
        entry["MessageGroupId"] = message.group
    if url.endswith(".fifo"):
        entry.setdefault("MessageGroupId", message.task)
        entry["MessageDeduplicationId"] = message.dedup or message.task_id
    if header := xray_header():
        value = {"DataType": "String", "StringValue": header}
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": value}
    return entry


def _batches(messages: Sequence[Outgoing], limit: int) -> list[list[Outgoing]]:
    batches: list[list[Outgoing]] = []
    size = 0
    for message in messages:
        length = len(message.body.encode())
        if not batches or len(batches[-1]) == _BATCH or size + length > limit:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += length
    return batches
