"""Carry messages to a queue: SQS, this process's memory, or nowhere (run at once)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sendmill.tasks.errors import EnqueueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Hold one message on its way to a queue; ``resend`` allows a second try that may double it."""

    body: str
    queue: str
    task: str
    task_id: str
    delay_seconds: int = 0
    group: str = ""
    dedup: str = ""
    resend: bool = True


class Transport(Protocol):
    """Take messages for queues by name."""

    def send(self, message: Outgoing) -> str:
        """Store a message and return its id; raises EnqueueError."""

    def send_many(self, messages: Sequence[Outgoing]) -> list[str | EnqueueError]:
        """Store messages of one queue; return an id or an error for each, in order."""


__all__ = ["Outgoing", "Transport"]
