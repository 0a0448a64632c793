"""Tell listeners what happens to tasks: for metrics, signals and tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger("sendmill.tasks")

_KNOWN = ("task", "task_id", "attempt", "error", "value")
Listener = Callable[["TaskEvent"], object]
_listeners: list[Listener] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """Name what happened to a task.

    Names: ``enqueued``, ``fallback``, ``breaker_opened``, ``started``, ``succeeded``, ``skipped``,
    ``retried``, ``dead``, ``duplicate``, ``held``, ``postponed``, ``poison``,
    ``unknown_task``.
    """

    name: str
    task: str = ""
    task_id: str = ""
    attempt: int = 0
    error: BaseException | None = None
    value: Any = None  # what the task returned; never logged
    fields: Mapping[str, Any] = field(default_factory=dict)


_LEVELS = {
    "fallback": logging.ERROR,
    "breaker_opened": logging.ERROR,
    "dead": logging.ERROR,
    "poison": logging.ERROR,
    "unknown_task": logging.ERROR,
    "retried": logging.WARNING,
    "postponed": logging.WARNING,
    "held": logging.WARNING,
}


def listen(listener: Listener) -> Listener:
    """Have a function called with every event; its errors are logged and go no further."""
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def unlisten(listener: Listener) -> None:
    """Take a listener away."""
    if listener in _listeners:
        _listeners.remove(listener)


def tell(name: str, **found: Any) -> None:
    """Log an event and hand it to every listener."""
    known = {key: found.pop(key) for key in _KNOWN if key in found}
    event = TaskEvent(name=name, fields=found, **known)
    _log(event)
    for listener in tuple(_listeners):
        try:
            listener(event)
        except Exception:
            logger.exception("task_listener_failed", extra={"listener": repr(listener)})


def _log(event: TaskEvent) -> None:
    level = _LEVELS.get(event.name, logging.INFO)
    if not logger.isEnabledFor(level):
        return
    extra = {"task": event.task, "task_id": event.task_id, "attempt": event.attempt}
    extra |= {f"task_{key}": value for key, value in event.fields.items()}
    failed = event.error if event.name in ("retried", "dead", "fallback") else None
    # The event and the task's name in the message: the plainest formatter shows them.
    logger.log(level, "task_%s %s", event.name, event.task, extra=extra, exc_info=failed)
