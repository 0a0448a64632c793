"""What a backend's OPTIONS say of its tasks: how each is tried, where it goes, where results are.

Checks and runs need this much of a backend, and nothing of how it sends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from sendmill.contrib.django.compat import (
    DEFAULT_TASK_QUEUE_NAME,
    BaseTaskBackend,
    Task,
    TaskError,
    TaskResult,
    TaskResultStatus,
    signals,
)
from sendmill.contrib.django.result_stores import store_of
from sendmill.contrib.django.results import ResultStore, record_of, result_of
from sendmill.errors import StoreUnavailable
from sendmill.tasks.policy import Policy

logger = logging.getLogger("sendmill.tasks")
_POLICY_FIELDS = ("max_attempts", "timeout", "sync_fallback")


class ConfiguredBackend(BaseTaskBackend):
    """Read an entry of ``TASKS``; :class:`.backend.SqsLambdaBackend` sends by it."""

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        self._results: ResultStore | None = None
        self.supports_get_result = bool(self.options.get("result_store"))
        self.supports_priority = bool(self.options.get("priority_queues"))
        self.trusted_modules = tuple(self.options.get("modules", ()))

    @property
    def results(self) -> ResultStore | None:
        """Return where results are kept, or None; made when it is first asked for."""
        if self._results is None and self.supports_get_result:
            self._results = store_of(self.alias, self.options)
        return self._results

    def policy(self, task: Task) -> Policy:
        """Return how a task is tried: its own fields over ``tasks`` over ``defaults``."""
        own = self.options.get("tasks", {})
        found = {
            **self.options.get("defaults", {}),
            **own.get(task.func.__name__, {}),
            **own.get(task.module_path, {}),
        }
        said = {name: getattr(task, name, None) for name in _POLICY_FIELDS}
        return replace(Policy(), **found, **{k: v for k, v in said.items() if v is not None})

    def queue_of(self, task: Task) -> str:
        """Return the queue of a task: its own, or for the default one that of its priority.

        ``priority_queues`` maps the least priority of a queue to its name:
        ``{50: "urgent", -100: "slow"}``.
        """
        if task.queue_name != DEFAULT_TASK_QUEUE_NAME:
            return str(task.queue_name)
        ladder = {
            int(least): name for least, name in self.options.get("priority_queues", {}).items()
        }
        fitting = [least for least in ladder if task.priority >= least]
        return str(ladder[max(fitting)]) if fitting else DEFAULT_TASK_QUEUE_NAME

    def keep_new(self, result: TaskResult) -> None:
        """Write a record before the message: a worker may be quicker than we are."""
        if self.results is None:
            return
        try:
            self.results.create(record_of(result))
        except StoreUnavailable:
            # the task matters more than its record
            logger.exception("task_result_not_kept %s", result.id)

    def keep(self, result: TaskResult) -> None:
        """Write how a run stands into the result store, if there is one.

        What fails here is logged and no more: the task has run, whatever its record says.
        """
        if self.results is None:
            return
        try:
            self.results.update(record_of(result))
        except (StoreUnavailable, DatabaseError):
            logger.exception("task_result_not_kept %s", result.id)

    def recall(self, task_id: str) -> dict[str, Any] | None:
        """Return the record of a task that is about to run, or None; a store away stops no task."""
        try:
            return self.results.read(task_id) if self.results is not None else None
        except (StoreUnavailable, DatabaseError):
            logger.exception("task_result_not_read %s", task_id)
            return None

    def settle(self, record: Mapping[str, Any], error: TaskError) -> None:
        """Let a task have failed that went to the dead-letter queue before it could run."""
        result = result_of(record, self.trusted_modules)
        result.errors.append(error)
        for name, value in (("status", TaskResultStatus.FAILED), ("finished_at", timezone.now())):
            object.__setattr__(result, name, value)
        self.keep(result)
        signals.task_finished.send_robust(type(self), task_result=result)
