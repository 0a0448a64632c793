"""Say what became of a task that was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["queued", "sync", "fallback_sync", "on_commit", "outbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueResult:
    """Hold the task's id, known in every mode, and how it was sent.

    ``queued`` is on a queue, or with EventBridge Scheduler when the delay is over 15 minutes;
    ``on_commit`` will be sent when the transaction commits. ``value`` is what the task returned
    when it ran here; ``error`` what went wrong: in ``fallback_sync`` the task's own error, in
    ``outbox`` why it was not sent, from ``send_many`` the error of this item.
    """

    task_id: str
    mode: Mode
    message_id: str | None = None
    value: Any = None
    error: BaseException | None = None
