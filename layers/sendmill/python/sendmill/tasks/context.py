"""Carry what belongs to a run through it: the task's context, correlation id and trace."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

_TRACEPARENT = re.compile(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_XRAY = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;.*?Parent=([0-9a-f]{16}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """Tell a running task who it is.

    ``attempt`` counts from 1. ``redriven``: it was a dead letter, and a person sent it back.
    ``key`` is what runs once and its receipt goes by: the id, or what took its place as the sender
    deduplicates; it is empty where every delivery runs.
    ``remaining`` returns the seconds until the worker is ended; in the process that sent the
    task there is no such end and no queue.
    """

    task_id: str
    task: str
    key: str = ""
    attempt: int = 1
    max_attempts: int = 1
    enqueued_at: datetime | None = None
    queue: str = ""
    message_id: str = ""
    redriven: bool = False
    correlation_id: str = ""
    traceparent: str = ""
    remaining: Callable[[], float] = field(default=lambda: float("inf"), compare=False)


_running: ContextVar[TaskContext | None] = ContextVar("sendmill_task", default=None)
_correlation: ContextVar[str] = ContextVar("sendmill_correlation_id", default="")
_trace: ContextVar[str] = ContextVar("sendmill_traceparent", default="")


def current_task() -> TaskContext | None:
    """Return the context of the task that runs here, or None outside of one."""
    return _running.get()


def correlation_id() -> str:
    """Return the correlation id in force, or an empty string."""
    return _correlation.get()


def traceparent() -> str:
    """Return the W3C traceparent in force: set here, OpenTelemetry's, or X-Ray's."""
    return _trace.get() or _from_opentelemetry() or _from_xray(xray_header())


def xray_header() -> str:
    """Return the X-Ray header of the Lambda invocation that runs here, or an empty string."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")


@contextmanager
def propagating(*, correlation_id: str = "", traceparent: str = "") -> Iterator[None]:
    """Give every task sent in the block a correlation id and a traceparent.

    A middleware of a web application puts a request's ids in here. A traceparent that is none is
    left out.
    """
    tokens = []
    if correlation_id:
        tokens.append((_correlation, _correlation.set(correlation_id)))
    if _TRACEPARENT.match(traceparent):
        tokens.append((_trace, _trace.set(traceparent)))
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


@contextmanager
def running(context: TaskContext) -> Iterator[None]:
    """Make a context the current one, with its correlation id and trace."""
    token = _running.set(context)
    try:
        with propagating(
            correlation_id=context.correlation_id or context.task_id,
            traceparent=context.traceparent,
        ):
            yield
    finally:
        _running.reset(token)


def _from_opentelemetry() -> str:
    if "opentelemetry.trace.propagation.tracecontext" not in sys.modules:
        return ""
    from opentelemetry.trace.propagation import (  # type: ignore[import-not-found]
        tracecontext,
    )

    carrier: dict[str, str] = {}
    tracecontext.TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def _from_xray(header: str) -> str:
    found = _XRAY.search(header)
    if found is None or not found[3]:
        return ""
    return f"00-{found[1]}{found[2]}-{found[3]}-{'01' if 'Sampled=1' in header else '00'}"
