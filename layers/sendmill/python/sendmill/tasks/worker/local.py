"""Work on a queue in a process of its own, by the code that runs in Lambda."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from sendmill.errors import QueueUnavailable
from sendmill.tasks.clients import client
from sendmill.tasks.config import DEFAULT_QUEUE
from sendmill.tasks.listening import logger
from sendmill.tasks.runtime import runtime
from sendmill.tasks.transports.sqs import region_of
from sendmill.tasks.worker.delivery import REASON, delivery_of_message
from sendmill.tasks.worker.inbox import SqsInbox
from sendmill.tasks.worker.runner import Runner

_BATCH = 10
_WAIT_SECONDS = 20
# As the shipped queues have it; a task may say more by its timeout.
_VISIBILITY_SECONDS = 360
_PAUSE_SECONDS = 2.0


class Worker:
    """Receive, run, delete, until it is stopped."""

    def __init__(
        self,
        queue: str = DEFAULT_QUEUE,
        *,
        batch: int = _BATCH,
        wait_seconds: int = _WAIT_SECONDS,
        visibility_seconds: int = _VISIBILITY_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = runtime().config
        self.url = config.queue_url(queue)
        self._inbox = SqsInbox(config)
        self._runner = Runner(self._inbox)
        self._asked = {
            "MaxNumberOfMessages": batch,
            "WaitTimeSeconds": wait_seconds,
            "VisibilityTimeout": visibility_seconds,
        }
        self._region = config.region or region_of(self.url)
        self._sleep = sleep
        self._clock = clock
        self._stop = threading.Event()

    def stop(self, *_: Any) -> None:
        """End after the batch in hand."""
        self._stop.set()

    def run(self, *, until_empty: bool = False) -> int:
        """Work until stopped, or until nothing more is received; return how many were handled."""
        handled = 0
        while not self._stop.is_set():
            try:
                found = self.once()
            except QueueUnavailable as error:
                logger.warning("task_worker_waits: %s", error)
                self._sleep(_PAUSE_SECONDS)
                continue
            handled += found
            if until_empty and not found:
                break
        return handled

    def once(self) -> int:
        """Handle one batch; return how many messages it had. Raises QueueUnavailable."""
        deliveries = self._receive()
        # when the messages can be seen again another worker takes them: that is the end here
        end = self._clock() + self._asked["VisibilityTimeout"]
        kept = self._runner.run(deliveries, remaining=lambda: end - self._clock())
        failed = {found.message_id for found in kept}
        done = [found for found in deliveries if found.message_id not in failed]
        if done:
            self._inbox.delete(self.url, done)
        return len(deliveries)

    def _receive(self) -> list[Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        sqs = client("sqs", self._region, read_timeout=25)
        try:
            answer = sqs.receive_message(
                QueueUrl=self.url,
                AttributeNames=["All"],
                MessageAttributeNames=[REASON],
                **self._asked,
            )
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(f"receiving: {type(error).__name__}: {error}") from error
        name = self.url.rstrip("/").rpartition("/")[2]
        return [
            delivery_of_message(message, queue=name, queue_arn="")
            for message in answer.get("Messages", [])
        ]


def work(worker: Worker, *, until_empty: bool = False) -> int:
    """Run a worker that SIGTERM and SIGINT end after the batch in hand."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    return worker.run(until_empty=until_empty)
