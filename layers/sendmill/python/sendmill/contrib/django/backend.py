"""The backend for Django's ``TASKS``: tasks go to SQS and run in Lambda, or in ``tasks_worker``.

``OPTIONS`` (all of them optional; docs/django.md explains each)::

    queue_urls, dead_letter_queue_urls, region_name, use_async, transport, fallback,
    receipts, receipts_table, result_store, result_days, scheduler_role_arn, scheduler_group,
    scheduler_dlq_url, signing_keys, claim_check_bucket, on_commit, database, priority_queues,
    defaults, tasks, aliases, modules

A backend is made when a task is declared and once for each thread: nothing is opened here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.checks import CheckMessage
from django.utils import timezone

from sendmill.contrib.django import conf
from sendmill.contrib.django.checks import check_backend
from sendmill.contrib.django.compat import (
    InvalidTask,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    signals,
    task_backends,
)
from sendmill.contrib.django.configured import ConfiguredBackend
from sendmill.contrib.django.execution import DjangoTask, execute, new_result, sending
from sendmill.contrib.django.results import find_task, result_of
from sendmill.tasks.context import TaskContext, running
from sendmill.tasks.errors import DelayTooLong, EnqueueError
from sendmill.tasks.plan import Plan, SendOptions
from sendmill.tasks.registry import registry
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.runtime import runtime
from sendmill.tasks.sending import outgoing, plan_call, send_planned
from sendmill.tasks.uuid7 import new_id

logger = logging.getLogger("sendmill.tasks")
_LONGEST_DELAY = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsLambdaTask(Task):
    """Django's task, and how it is tried; None leaves it to the backend's OPTIONS.

    Django 6.1 and django-tasks take these in the decorator: ``@task(max_attempts=5)``. On 6.0 they
    are given in ``OPTIONS["tasks"]``.
    """

    max_attempts: int | None = None
    timeout: float | None = None
    sync_fallback: bool | None = None


class SqsLambdaBackend(ConfiguredBackend):
    """Send tasks to SQS; see the module's docstring."""

    task_class = SqsLambdaTask
    supports_defer = True
    supports_async_task = True

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
        return result_of(found, self.trusted_modules)

    def check(self, **kwargs: Any) -> Iterable[CheckMessage]:
        """Return what is wrong with this backend's settings, without asking AWS."""
        return [*super().check(**kwargs), *check_backend(self)]

    def _run_now(self, result: TaskResult) -> None:
        """Run a task in Django's own way: what it raises ends up in the result."""
        object.__setattr__(result, "enqueued_at", timezone.now())
        if result.task.run_after is not None:
            logger.warning("task_delay_ignored %s", result.task.module_path)
        self.keep_new(result)
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
            self.keep_new(result)

        def send() -> None:
            if not in_transaction:
                self.keep_new(result)
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


def resolve(name: str) -> DjangoTask | None:
    """Return the Django task that a message names, for the registry of :mod:`sendmill.tasks`.

    The name is a path, or an alias of one (``OPTIONS["aliases"]``, old to new). Raises nothing for
    what is not there: the worker then says that the task is unknown.
    """
    for alias in conf.backends():
        backend = task_backends[alias]
        path = backend.options.get("aliases", {}).get(name, name)
        try:
            task = find_task(path, backend.trusted_modules)
        except ImportError:
            logger.exception("task_not_importable %s", path)
            continue
        if task is not None:
            named = task if task.backend in conf.backends() else task.using(backend=alias)
            return DjangoTask(named, task_backends[named.backend])
    return None


registry.add_resolver(resolve)
