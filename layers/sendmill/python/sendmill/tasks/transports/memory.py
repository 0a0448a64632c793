"""Keep messages in this process and hand them to the worker's own code: for tests.

What is sent is written, signed and read again: refused here is what is refused in SQS mode.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sendmill.tasks.payload import loads
from sendmill.tasks.transports import Outgoing
from sendmill.tasks.uuid7 import new_id

if TYPE_CHECKING:
    from sendmill.tasks.errors import EnqueueError
    from sendmill.tasks.worker.delivery import Delivery

_MAX_RECEIVES = 5


@dataclass(slots=True)
class SentTask:
    """Hold one message that was sent, decoded."""

    message: Outgoing
    message_id: str
    receives: int = 0
    hidden_for: float | None = None
    found: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the task."""
        return self.message.task

    @property
    def task_id(self) -> str:
        """Return the id of the task."""
        return self.message.task_id

    @property
    def queue(self) -> str:
        """Return the name of the queue."""
        return self.message.queue

    @property
    def delay_seconds(self) -> int:
        """Return the delay that was asked for."""
        return self.message.delay_seconds

    @property
    def args(self) -> list[Any]:
        """Return the positional arguments as the worker will see them."""
        return list(self.found.get("args", []))

    @property
    def kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments, or the payload, as the worker will see them."""
        return dict(self.found.get("kwargs", {}))


class MemoryTransport:
    """Keep messages in ``sent``; ``run_all`` has the worker handle those that wait."""

    def __init__(self) -> None:
        self.sent: list[SentTask] = []
        self.waiting: list[SentTask] = []
        self.dead: list[tuple[SentTask, Mapping[str, str]]] = []
        self._lock = threading.Lock()

    def send(self, message: Outgoing) -> str:
        """Keep a message."""
        kept = SentTask(message, new_id(), found=loads(message.body))
        with self._lock:
            self.sent.append(kept)
            self.waiting.append(kept)
        return kept.message_id

    def send_many(self, messages: Sequence[Outgoing]) -> list[str | EnqueueError]:
        """Keep messages."""
        return [self.send(message) for message in messages]

    def clear(self) -> None:
        """Forget everything."""
        self.sent, self.waiting, self.dead = [], [], []

    def run_all(self, *, max_receives: int = _MAX_RECEIVES) -> int:
        """Have the worker handle what waits until nothing does; return how many it handled.

        Delays and backoff are not waited for. A message that failed ``max_receives`` times goes to
        ``dead``, as a queue's redrive policy does it.
        """
        from sendmill.tasks.worker.runner import Runner

        runner, handled = Runner(_MemoryInbox(self)), 0
        while self.waiting:
            message = self.waiting.pop(0)
            message.receives += 1
            message.hidden_for = None
            handled += 1
            if not runner.run([self._delivery(message)]):
                continue
            if message.receives >= max_receives:
                self.dead.append((message, {"reason": "received_too_often"}))
            else:
                self.waiting.append(message)
        return handled

    def _delivery(self, message: SentTask) -> Delivery:
        from sendmill.tasks.worker.delivery import Delivery

        return Delivery(
            message_id=message.message_id,
            receipt_handle=message.message_id,
            body=message.message.body,
            receives=message.receives,
            sent_at=time.time(),
            queue=message.queue,
        )


class _MemoryInbox:
    """Give messages back to a memory transport, or bury them there."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    def hide(self, delivery: Delivery, seconds: int) -> None:
        self._of(delivery).hidden_for = seconds

    def bury(self, delivery: Delivery, reason: Mapping[str, str]) -> bool:
        self._transport.dead.append((self._of(delivery), reason))
        return True

    def _of(self, delivery: Delivery) -> SentTask:
        return next(m for m in self._transport.sent if m.message_id == delivery.message_id)
