"""Call a Django task from a message, telling Django's signals and the result store about it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from sendmill.contrib.django.compat import (
    Task,
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    signals,
)
from sendmill.contrib.django.configured import ConfiguredBackend
from sendmill.contrib.django.results import result_of
from sendmill.errors import RetryableError
from sendmill.tasks.errors import (
    InvalidTaskCall,
    PayloadNotSerializable,
    PermanentFailure,
    Skip,
)
from sendmill.tasks.function import TaskFunction
from sendmill.tasks.payload import require_json

if TYPE_CHECKING:
    from sendmill.tasks.context import TaskContext as CoreContext
    from sendmill.tasks.function import Arguments

# The result that the sender holds, while a task is being sent: a fallback runs the task here.
sending: ContextVar[TaskResult | None] = ContextVar("sendmill_sending", default=None)


class DjangoTask(TaskFunction[..., Any]):
    """A Django task as :mod:`sendmill.tasks` sees it."""

    def __init__(self, task: Task, backend: ConfiguredBackend) -> None:
        super().__init__(task.func, name=task.module_path, policy=backend.policy(task))
        self.django_task = task
        self.backend = backend

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Return the arguments as JSON; raises InvalidTaskCall or PayloadNotSerializable."""
        found = plain(list(args), "args"), plain(dict(kwargs), "kwargs")
        self.check_signature(*found)
        return found

    def call(self, args: list[Any], kwargs: Mapping[str, Any], context: Any = None) -> Any:
        """Run the task and return what it returns, as JSON; its errors pass through."""
        self.check_signature(args, kwargs)
        held = sending.get()
        ours = held is not None and context is not None and held.id == context.task_id
        result = held if ours else self._result(args, kwargs, context)
        return execute(result, self.backend, retries=self._has_retries(context))

    def check_signature(self, args: list[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise InvalidTaskCall unless the function takes these arguments."""
        given = [None, *args] if self.django_task.takes_context else args
        try:
            self._signature.bind(*given, **kwargs)
        except TypeError as error:
            raise InvalidTaskCall(f"{self.name}{self._signature}: {error}") from error

    def _has_retries(self, context: CoreContext | None) -> bool:
        return context is not None and context.attempt < context.max_attempts

    def _result(
        self, args: list[Any], kwargs: Mapping[str, Any], context: CoreContext | None
    ) -> TaskResult:
        """Return the result that the store has of this task, else a new one."""
        task_id = context.task_id if context else ""
        held = self.backend.recall(task_id)
        if held is not None:
            found = result_of(held, self.backend.trusted_modules)
            object.__setattr__(found, "status", TaskResultStatus.READY)
            return found
        sent = context.enqueued_at if context else None
        if sent is not None and not settings.USE_TZ:
            sent = timezone.make_naive(sent)
        return new_result(self.django_task, self.backend, task_id, args, kwargs, enqueued_at=sent)


def new_result(
    task: Task,
    backend: ConfiguredBackend,
    task_id: str,
    args: list[Any],
    kwargs: Mapping[str, Any],
    *,
    enqueued_at: datetime | None = None,
) -> TaskResult:
    """Return the result of a task that has not run."""
    return TaskResult(
        task=task,
        id=task_id,
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=args,
        kwargs=dict(kwargs),
        backend=backend.alias,
        errors=[],
        worker_ids=[],
    )


def execute(result: TaskResult, backend: ConfiguredBackend, *, retries: bool) -> Any:
    """Run a task, keeping its result up to date; return its value, let its errors through.

    With ``retries`` left, a failure leaves the result READY: it will be tried again.
    """
    _started(result, backend)
    task = result.task
    leading = [TaskContext(task_result=result)] if task.takes_context else []
    try:
        value = task.call(*leading, *result.args, **result.kwargs)
    except KeyboardInterrupt:
        raise
    except Skip:
        _finish(result, backend, TaskResultStatus.SUCCESSFUL)
        raise
    except BaseException as error:
        again = retries and not _is_permanent(error, backend, task)
        _failed(result, backend, error, again=again)
        raise
    try:
        value = normalize_json(value)
    except (TypeError, ValueError) as error:
        # It has run: to run it again would not make its value JSON.
        _failed(result, backend, error, again=False)
        raise PermanentFailure(f"{task.module_path} returned no JSON: {error}") from error
    object.__setattr__(result, "_return_value", value)
    _finish(result, backend, TaskResultStatus.SUCCESSFUL)
    return value


def plain(value: Any, path: str) -> Any:
    """Return a value as plain JSON, in Django's way: tuples become lists, bytes become text.

    Raises PayloadNotSerializable for what would not come back: NaN, keys that are no text, dates.
    """
    try:
        found = normalize_json(value)
    except (TypeError, ValueError) as error:
        try:
            require_json(value, path)
        except PayloadNotSerializable as better:
            raise PayloadNotSerializable(f"{error}; {better}") from error
        raise PayloadNotSerializable(str(error)) from error
    found = _exact(found)
    require_json(found, path)
    return found


def worker_id() -> str:
    """Return a name for this process: the instance of the Lambda, or host and process."""
    stream = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "").rpartition("]")[2]
    return (stream or f"{socket.gethostname()}-{os.getpid()}")[-64:]


def _started(result: TaskResult, backend: ConfiguredBackend) -> None:
    now = timezone.now()
    object.__setattr__(result, "status", TaskResultStatus.RUNNING)
    if result.started_at is None:
        object.__setattr__(result, "started_at", now)
    object.__setattr__(result, "last_attempted_at", now)
    object.__setattr__(result, "finished_at", None)
    result.worker_ids.append(worker_id())
    backend.keep(result)
    signals.task_started.send_robust(type(backend), task_result=result)


def _failed(
    result: TaskResult, backend: ConfiguredBackend, error: BaseException, *, again: bool
) -> None:
    kind = type(error)
    result.errors.append(
        TaskError(
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
            traceback="".join(format_exception(error)),
        )
    )
    if again:
        object.__setattr__(result, "status", TaskResultStatus.READY)
        backend.keep(result)
    else:
        _finish(result, backend, TaskResultStatus.FAILED)


def _finish(result: TaskResult, backend: ConfiguredBackend, status: TaskResultStatus) -> None:
    object.__setattr__(result, "finished_at", timezone.now())
    object.__setattr__(result, "status", status)
    backend.keep(result)
    signals.task_finished.send_robust(type(backend), task_result=result)


def _is_permanent(error: BaseException, backend: ConfiguredBackend, task: Task) -> bool:
    """Say whether the worker will not try again after this error."""
    if isinstance(error, InvalidTaskCall):
        return True
    return not isinstance(error, RetryableError) and backend.policy(task).is_permanent(error)


def _exact(value: Any) -> Any:
    """Return a value without subclasses: lazy text, choices and the like become what they hold."""
    if isinstance(value, dict):
        return {_exact(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    for kind in (str, int, float):
        if isinstance(value, kind) and not isinstance(value, bool) and type(value) is not kind:
            return json.loads(json.dumps(value)) if kind is not str else str.__str__(value)
    return value


__all__ = ["DjangoTask", "execute", "new_result", "plain", "sending", "worker_id"]
