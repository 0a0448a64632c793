"""Name the tasks that this project can run, each with its policy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from sendmill.contrib.django import conf
from sendmill.contrib.django.compat import Task, task_backends
from sendmill.tasks.config import current
from sendmill.tasks.policy import Policy
from sendmill.tasks.registry import registry


class Command(BaseCommand):
    """List Django's tasks and those of sendmill.tasks."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line a task."""
        conf.apply()
        registry.find("", current().modules)  # imports the modules that register tasks
        found = [
            (task.name, current().queue_of(task.name, task.policy.queue), task.policy)
            for task in registry
        ]
        for name, queue, policy in sorted([*found, *_django_tasks()], key=lambda one: one[0]):
            timeout = f"{policy.timeout:g} s" if policy.timeout else "-"
            self.stdout.write(
                f"{name}\tqueue={queue}\tattempts={policy.max_attempts}\ttimeout={timeout}"
                f"\tfallback={'yes' if policy.sync_fallback else 'no'}"
            )


def _django_tasks() -> Iterator[tuple[str, str, Policy]]:
    """Yield the tasks that some imported module holds, and that a backend of ours takes."""
    ours, seen = conf.backends(), set()
    for module in tuple(sys.modules.values()):
        for value in tuple(vars(module).values()) if hasattr(module, "__dict__") else ():
            # by its type: to ask a lazy object for its class would wake it
            if not issubclass(type(value), Task) or value.backend not in ours:
                continue
            if value.module_path not in seen:
                seen.add(value.module_path)
                backend = task_backends[value.backend]
                yield value.module_path, backend.queue_of(value), backend.policy(value)
