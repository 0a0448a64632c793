"""The backend for Django's ``TASKS``: tasks go to SQS and run in Lambda, or in ``tasks_worker``.

``OPTIONS`` (all of them optional; docs/django.md explains each)::

    queue_urls, dead_letter_queue_urls, region_name, use_async, transport, fallback,
    receipts, receipts_table, result_store, result_days, scheduler_role_arn, signing_keys,
    claim_check_bucket, on_commit, database, priority_queues, defaults, tasks, aliases, modules

A backend is made when a task is declared and once for each thread: nothing is opened here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.core.checks import CheckMessage
from django.db import DatabaseError
from django.utils import timezone

from sendmill.contrib.django import conf, results
from sendmill.contrib.django.compat import (
    DEFAULT_TASK_QUEUE_NAME,
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    signals,
    task_backends,
)
from sendmill.contrib.django.execution import DjangoTask, execute, new_result, sending
from sendmill.errors import StoreUnavailable
from sendmill.tasks.context import TaskContext, running
from sendmill.tasks.errors import DelayTooLong, EnqueueError
from sendmill.tasks.plan import Plan, SendOptions
from sendmill.tasks.policy import Policy
from sendmill.tasks.registry import registry
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.runtime import runtime
from sendmill.tasks.sending import outgoing, plan_call, send_planned
from sendmill.tasks.uuid7 import new_id

logger = logging.getLogger("sendmill.tasks")
_LONGEST_DELAY = 900
_POLICY_FIELDS = ("max_attempts", "timeout", "sync_fallback")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsLambdaTask(Task):
    """Django's task, and how it is tried; None leaves it to the backend's OPTIONS.

    Django 6.1 and django-tasks take these in the decorator: ``@task(max_attempts=5)``. On 6.0 they
    are given in ``OPTIONS["tasks"]``.
    """

    max_attempts: int | None = None
    timeout: float | None = None
    sync_fallback: bool | None = None


class SqsLambdaBackend(BaseTaskBackend):
    """Send tasks to SQS; see the module's docstring."""

    task_class = SqsLambdaTask
    supports_defer = True
    supports_async_task = True

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        self._results: results.ResultStore | None = None
        self.supports_get_result = bool(self.options.get("result_store"))
        self.supports_priority = bool(self.options.get("priority_queues"))
        self.trusted_modules = tuple(self.options.get("modules", ()))

    @property
    def results(self) -> results.ResultStore | None:
        """Return where results are kept, or None; made when it is first asked for."""
        if self._results is None and self.supports_get_result:
            self._results = _store_of(self.alias, self.options)
        return self._results

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> TaskResult:
        """Send a task; its id is known before the transaction commits.

        Raises InvalidTask, TypeError for arguments that do not fit or are no JSON, and
        :class:`sendmill.tasks.errors.EnqueueError` when it could not be sent.
        """
        conf.apply()
        self.validate_task(task)
        wrapped = DjangoTask(task, self)
        arguments = wrapped.arguments(tuple(args), kwargs)
        result = new_result(task, self, new_id(), *arguments)
        if runtime().is_synchronous:
            self._run_now(result)
        else:
            self._send(wrapped, result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """Return what became of a task; raises TaskResultDoesNotExist."""
        if self.results is None:
            return super().get_result(result_id)
        conf.apply()
        found = self.results.read(str(result_id))
        if found is None:
            raise TaskResultDoesNotExist(result_id)
        return results.result_of(found, self.trusted_modules)

    def check(self, **kwargs: Any) -> Iterable[CheckMessage]:
        """Return what is wrong with this backend's settings, without asking AWS."""
        from sendmill.contrib.django.checks import check_backend

        return [*super().check(**kwargs), *check_backend(self)]

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

    def keep(self, result: TaskResult) -> None:
        """Write how a run stands into the result store, if there is one.

        What fails here is logged and no more: the task has run, whatever its record says.
        """
        if self.results is None:
            return
        try:
            self.results.update(results.record_of(result))
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
        result = results.result_of(record, self.trusted_modules)
        result.errors.append(error)
        for name, value in (("status", TaskResultStatus.FAILED), ("finished_at", timezone.now())):
            object.__setattr__(result, name, value)
        self.keep(result)
        signals.task_finished.send_robust(type(self), task_result=result)

    def _run_now(self, result: TaskResult) -> None:
        """Run a task in Django's own way: what it raises ends up in the result."""
        object.__setattr__(result, "enqueued_at", timezone.now())
        if result.task.run_after is not None:
            logger.warning("task_delay_ignored %s", result.task.module_path)
        self._keep_new(result)
        signals.task_enqueued.send_robust(type(self), task_result=result)
        context = TaskContext(
            task_id=result.id, task=result.task.module_path, enqueued_at=result.enqueued_at
        )
        with running(context):
            try:
                execute(result, self, retries=False)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: S110  it is in the result, and task_finished logged it
                pass

    def _send(self, wrapped: DjangoTask, result: TaskResult) -> None:
        """Send now, or when the open transaction commits; what is wrong is raised now."""
        plan = self._plan(wrapped, result)
        object.__setattr__(result, "enqueued_at", timezone.now())
        in_transaction = self.results is not None and self.results.in_transaction
        if in_transaction:
            self._keep_new(result)

        def send() -> None:
            if not in_transaction:
                self._keep_new(result)
            self._send_now(plan, result)

        hook = runtime().config.on_commit
        if hook is None or not self._waits_for_commit() or not hook(send):
            send()

    def _plan(self, wrapped: DjangoTask, result: TaskResult) -> Plan:
        """Return what is to be sent; raises what can be known without asking the queue."""
        found, after = runtime(), result.task.run_after
        if after is not None:
            after = after if timezone.is_aware(after) else timezone.make_aware(after)
            self._refuse_long_delay(after)
        options = SendOptions(
            run_at=after, queue=self.queue_of(result.task), task_id=result.id, on_commit=False
        )
        plan = plan_call(wrapped, (result.args, result.kwargs), options)
        if found.config.transport is None:
            found.config.queue_url(plan.queue)
        if not found.config.claim_check_bucket:
            outgoing(plan, found)  # refuses what is too large
        return plan

    def _waits_for_commit(self) -> bool:
        return self.options.get("on_commit", "auto") is not False

    def _keep_new(self, result: TaskResult) -> None:
        """Write a record before the message: a worker may be quicker than we are."""
        if self.results is None:
            return
        try:
            self.results.create(results.record_of(result))
        except StoreUnavailable:
            # the task matters more than its record
            logger.exception("task_result_not_kept %s", result.id)

    def _send_now(self, plan: Plan, result: TaskResult) -> EnqueueResult:
        token = sending.set(result)
        try:
            sent = send_planned(plan, runtime())
        except EnqueueError as error:
            error.task_id = error.task_id or result.id
            raise
        finally:
            sending.reset(token)
        signals.task_enqueued.send_robust(type(self), task_result=result)
        return sent

    def _refuse_long_delay(self, after: datetime) -> None:
        if runtime().config.scheduler_role_arn:
            return
        seconds = (after - datetime.now(UTC)).total_seconds()
        if seconds > _LONGEST_DELAY:
            raise DelayRefused(
                f"run_after is {seconds:.0f} s away and SQS delays by {_LONGEST_DELAY} s at most; "
                "set OPTIONS['scheduler_role_arn'] to have EventBridge Scheduler send it"
            )


class DelayRefused(InvalidTask, DelayTooLong):
    """A task is to run later than SQS can delay, and no Scheduler role is set."""


@lru_cache(maxsize=16)
def _shared_memory(alias: str) -> results.ResultStore:
    return results.MemoryResults()


def _store_of(alias: str, options: Mapping[str, Any]) -> results.ResultStore | None:
    """Return a store; that in memory is one for all threads, each of which has its backend."""
    if options.get("result_store") == "memory":
        return _shared_memory(alias)
    return results.make_store(options.get("result_store"), options)


def resolve(name: str) -> DjangoTask | None:
    """Return the Django task that a message names, for the registry of :mod:`sendmill.tasks`.

    The name is a path, or an alias of one (``OPTIONS["aliases"]``, old to new). Raises nothing for
    what is not there: the worker then says that the task is unknown.
    """
    for alias in conf.backends():
        backend = task_backends[alias]
        path = backend.options.get("aliases", {}).get(name, name)
        try:
            task = results.find_task(path, backend.trusted_modules)
        except ImportError:
            logger.exception("task_not_importable %s", path)
            continue
        if task is not None:
            named = task if task.backend in conf.backends() else task.using(backend=alias)
            return DjangoTask(named, task_backends[named.backend])
    return None


registry.add_resolver(resolve)
