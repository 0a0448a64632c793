"""Pass the worker's events on as a Django signal, and settle results that no run could settle."""

from __future__ import annotations

import logging

from django.dispatch import Signal

from sendmill.contrib.django import conf
from sendmill.contrib.django.compat import TaskError, TaskResultStatus, task_backends
from sendmill.tasks.listening import TaskEvent, listen

logger = logging.getLogger("sendmill.tasks")

# Sent with ``event`` (a sendmill.tasks.listening.TaskEvent), for every task, Django's or not;
# the sender is the name of the event: enqueued, fallback, retried, dead, duplicate, ...
task_event = Signal()


def connect() -> None:
    """Start to pass events on."""
    listen(pass_on)


def pass_on(event: TaskEvent) -> None:
    """Send an event to the signal's receivers; their errors are logged and go no further."""
    task_event.send_robust(event.name, event=event)
    if event.name == "dead" and event.task_id:
        fail_result(event)


def fail_result(event: TaskEvent) -> None:
    """Settle the result of a task that went to the dead-letter queue without an own last word."""
    for alias in conf.backends():
        backend = task_backends[alias]
        held = backend.results.read(event.task_id) if backend.results else None
        if held is None or held["status"] in (TaskResultStatus.FAILED, TaskResultStatus.SUCCESSFUL):
            continue
        kind = type(event.error) if event.error else RuntimeError
        error = TaskError(
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
            traceback=f"{kind.__name__}: {event.error}\n",
        )
        backend.settle(held, error)
