"""One task on its way out: how it is to be sent, and all that its message will say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sendmill.tasks.context import TaskContext
from sendmill.tasks.envelope import Envelope
from sendmill.tasks.execution import receipt_key
from sendmill.tasks.function import TaskFunction
from sendmill.tasks.policy import Policy

# How a task is tried whose policy only the worker knows.
UNREGISTERED = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """Say how one message is sent; see :meth:`sendmill.tasks.Task.options`."""

    delay_seconds: float = 0
    run_at: datetime | None = None
    queue: str = ""
    dedup_key: str = ""
    group: str = ""
    task_id: str = ""
    on_commit: bool | Literal["auto"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold one task on its way out; ``task`` is None for a name that only the worker knows."""

    envelope: Envelope
    task: TaskFunction[..., Any] | None
    queue: str
    delay_seconds: int
    options: SendOptions

    @property
    def policy(self) -> Policy:
        """Return how the task is tried."""
        return self.task.policy if self.task else UNREGISTERED

    @property
    def is_delayed(self) -> bool:
        """Say whether the task must not run now."""
        return self.delay_seconds > 0

    @property
    def context(self) -> TaskContext:
        """Return the context of the task when it runs in the process that sends it."""
        found = self.envelope
        return TaskContext(
            task_id=found.id,
            task=found.task,
            key=receipt_key(self.task, found) if self.task else "",
            enqueued_at=found.enqueued_at,
            correlation_id=found.correlation_id,
            traceparent=found.traceparent,
        )
