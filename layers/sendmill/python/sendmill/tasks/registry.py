"""Keep the tasks by name: a message names a task, never a path to import."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from sendmill.tasks.errors import TaskConfigError, UnknownTask
from sendmill.tasks.function import TaskFunction

# Turns a name that nothing is registered under into a task, or into None.
Resolver = Callable[[str], TaskFunction[..., Any] | None]
BUILTIN = "sendmill.tasks.builtin"


class Registry:
    """Hold tasks by name and alias.

    A name that is not there makes the modules of ``modules`` be imported, once, and then the
    resolvers be asked, in the order in which they were added.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, TaskFunction[..., Any]] = {}
        self._resolvers: list[Resolver] = []
        self._imported: set[str] = set()
        self._lock = threading.RLock()

    def add(self, task: TaskFunction[..., Any]) -> None:
        """Register a task; raises TaskConfigError for a name that another function holds."""
        with self._lock:
            for name in (task.name, *task.aliases):
                held = self._tasks.get(name)
                if held is not None and not _same_function(held, task):
                    raise TaskConfigError(
                        f"the name {name!r} is registered for {_place(held)} already "
                        f"(got {_place(task)})"
                    )
            for name in (task.name, *task.aliases):
                self._tasks[name] = task

    def add_resolver(self, resolver: Resolver) -> None:
        """Ask a function for names that nothing is registered under."""
        if resolver not in self._resolvers:
            self._resolvers.append(resolver)

    def find(self, name: str, modules: tuple[str, ...] = ()) -> TaskFunction[..., Any] | None:
        """Return the task of a name or an alias, or None."""
        if name not in self._tasks:
            self._import((*modules, BUILTIN))
        if name in self._tasks:
            return self._tasks[name]
        return next((task for ask in self._resolvers if (task := ask(name)) is not None), None)

    def get(self, name: str, modules: tuple[str, ...] = ()) -> TaskFunction[..., Any]:
        """Return the task of a name or an alias; raises UnknownTask."""
        found = self.find(name, modules)
        if found is None:
            raise UnknownTask(f"no task is registered as {name!r}")
        return found

    def forget(self, name: str) -> None:
        """Take a task out, with its aliases: for tests."""
        with self._lock:
            gone = self._tasks.get(name)
            self._tasks = {key: task for key, task in self._tasks.items() if task is not gone}

    def __iter__(self) -> Iterator[TaskFunction[..., Any]]:
        return iter({id(task): task for task in self._tasks.values()}.values())

    def _import(self, modules: tuple[str, ...]) -> None:
        for module in modules:
            if module in self._imported:
                continue
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                if module == BUILTIN and error.name == BUILTIN:
                    self._imported.add(module)
                    continue
                raise TaskConfigError(f"the task module {module!r} cannot be imported") from error
            self._imported.add(module)


registry = Registry()
add_resolver = registry.add_resolver


def _same_function(one: TaskFunction[..., Any], other: TaskFunction[..., Any]) -> bool:
    """Say whether two tasks are one function: a module may be imported or reloaded twice."""
    return _place(one) == _place(other)


def _place(task: TaskFunction[..., Any]) -> str:
    return f"{task.function.__module__}.{task.function.__qualname__}"
