"""Our backend under the names by which the others' tests know theirs."""

from __future__ import annotations

from typing import Any

from sendmill.contrib.django.backend import SqsLambdaBackend
from sendmill.contrib.django.compat import Task, TaskResult
from sendmill.contrib.django.result_stores import MemoryResults, store_of
from sendmill.contrib.django.results import result_of
from sendmill.tasks.config import configure
from sendmill.tasks.policy import Policy

# Where the others' tasks are: in no installed app.
_TRUSTED = ("tasks", "tests")


class ImmediateBackend(SqsLambdaBackend):
    """Ours with synchronous tasks."""

    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.supports_priority = True

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> TaskResult:
        """Run a task at once: what USE_ASYNC_TASKS = False says for the whole process."""
        before = configure().transport
        configure(transport=None, use_async=False)
        try:
            return super().enqueue(task, args, kwargs)
        finally:
            configure(transport=before)


class DummyBackend(SqsLambdaBackend):
    """Ours with tasks and results in memory."""

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.supports_priority = True
        self.trusted_modules = _TRUSTED
        self._results = MemoryResults()

    @property
    def results_kept(self) -> MemoryResults:
        """Return the store."""
        assert isinstance(self._results, MemoryResults)
        return self._results

    @property
    def results(self) -> Any:
        """Return the store, which here is a list of results besides."""
        return _Listed(self.results_kept)

    def clear(self) -> None:
        """Forget every result."""
        self._results = MemoryResults()


class _Listed(list[TaskResult]):
    """The store, and what is in it as a list: the dummy's tests want that."""

    in_transaction = False

    def __init__(self, store: MemoryResults) -> None:
        super().__init__(result_of(found, _TRUSTED) for found in store._records.values())
        self.create, self.update, self.read = store.create, store.update, store.read

    def __bool__(self) -> bool:
        return True


class OnceBackend(SqsLambdaBackend):
    """Ours with results in the database and one attempt: the others know no retries."""

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.supports_priority = self.supports_get_result = True
        self.trusted_modules = _TRUSTED
        self._results = store_of(alias, {"result_store": "orm"})

    def policy(self, task: Task) -> Policy:
        """Return one attempt."""
        return Policy(max_attempts=1)
