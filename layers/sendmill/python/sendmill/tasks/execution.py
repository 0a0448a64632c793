"""Run a task from its envelope, in whatever process."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from sendmill.tasks.config import Around
from sendmill.tasks.context import TaskContext, running
from sendmill.tasks.envelope import Envelope
from sendmill.tasks.function import TaskFunction


def run(
    task: TaskFunction[..., Any],
    envelope: Envelope,
    context: TaskContext,
    *,
    around: tuple[Around, ...] = (),
) -> Any:
    """Return what the task returns; its errors pass through."""
    kwargs = dict(envelope.kwargs)
    if envelope.version < task.policy.version and task.policy.upgrade is not None:
        kwargs = task.policy.upgrade(envelope.version, kwargs)
    if envelope.source == "s3":
        kwargs = task.accepted(kwargs)
    with running(context), ExitStack() as stack:
        for enter in around:
            stack.enter_context(enter(context))
        return task.call(list(envelope.args), kwargs, context)


def receipt_key(task: TaskFunction[..., Any], envelope: Envelope) -> str:
    """Return what must run once: the dedup key, the task's own key, or its id; empty: nothing."""
    wanted = task.policy.idempotency
    if envelope.dedup:
        return f"{task.name}:{envelope.dedup}"
    if wanted is None:
        return ""
    if callable(wanted):
        return f"{task.name}:{wanted(envelope.kwargs)}"
    return envelope.id
