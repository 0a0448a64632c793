"""Keep what became of Django's tasks, so that ``get_result`` and ``refresh`` can say it.

A record is a plain dict, JSON throughout (:func:`record_of`), the same in every store: the
database, the DynamoDB table of the receipts, or this process's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

from django.apps import apps
from django.core.exceptions import SuspiciousOperation

from sendmill.contrib.django.compat import Task, TaskError, TaskResult, TaskResultStatus

TIMES = ("enqueued_at", "started_at", "last_attempted_at", "finished_at")
# A traceback's end says more than its beginning.
_LONGEST_TRACEBACK = 10_000


class ResultStore(Protocol):
    """Keep records by the id of their task.

    ``in_transaction`` says whether a record written in a transaction goes away with it.
    """

    in_transaction: bool

    def create(self, record: Mapping[str, Any]) -> None:
        """Keep the record of a task that is about to be sent, unless there is one."""

    def update(self, record: Mapping[str, Any]) -> None:
        """Keep how a run stands, unless a later run has begun by now."""

    def read(self, result_id: str) -> dict[str, Any] | None:
        """Return the record of a task, or None."""


def record_of(result: TaskResult) -> dict[str, Any]:
    """Return a result as a record."""
    task = result.task
    return {
        "id": result.id,
        "task": task.module_path,
        "queue_name": task.queue_name,
        "priority": task.priority,
        "run_after": _written(task.run_after),
        "backend": result.backend,
        "status": str(result.status.value),
        "args": result.args,
        "kwargs": result.kwargs,
        "return_value": result._return_value,
        "errors": [
            {
                "exception_class_path": error.exception_class_path,
                "traceback": error.traceback[-_LONGEST_TRACEBACK:],
            }
            for error in result.errors
        ],
        "worker_ids": list(result.worker_ids),
        **{name: _written(getattr(result, name)) for name in TIMES},
    }


def result_of(record: Mapping[str, Any], allowed: tuple[str, ...] = ()) -> TaskResult:
    """Return a record as a result.

    Raises ImportError when its task is gone, SuspiciousOperation when its path is no task's.
    """
    task = find_task(record["task"], allowed)
    if task is None:
        raise SuspiciousOperation(
            f"Task {record['id']} does not point to a Task ({record['task']})"
        )
    result = TaskResult(
        task=task.using(
            priority=record["priority"],
            queue_name=record["queue_name"],
            run_after=_read(record["run_after"]),
            backend=record["backend"],
        ),
        id=record["id"],
        status=TaskResultStatus(record["status"]),
        args=record["args"],
        kwargs=record["kwargs"],
        backend=record["backend"],
        errors=[TaskError(**error) for error in record["errors"]],
        worker_ids=list(record["worker_ids"]),
        **{name: _read(record[name]) for name in TIMES},
    )
    object.__setattr__(result, "_return_value", record["return_value"])
    return result


def find_task(path: str, allowed: tuple[str, ...] = ()) -> Task | None:
    """Return the task at a dotted path, or None when there is something else, or nothing, there.

    Only modules of installed apps, and those below ``allowed``, are looked into: a message must not
    be able to have just any module imported. Raises ImportError.
    """
    module, _, name = path.rpartition(".")
    if not module or not is_trusted(module, allowed):
        return None
    try:
        found = getattr(import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"{module} has no task {name!r}") from error
    return found if isinstance(found, Task) else None


def is_trusted(module: str, allowed: tuple[str, ...]) -> bool:
    """Say whether a module is part of an installed app, or below one of ``allowed``."""
    below = (module == name or module.startswith(f"{name}.") for name in allowed)
    return any(below) or apps.get_containing_app_config(module) is not None


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
