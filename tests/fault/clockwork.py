"""Run several pieces of plain, blocking code side by side in virtual time, the same for a seed.

Each piece is a task with a thread of its own, but one thread runs at any moment: whoever passes
time hands the baton to the next in the queue of things to come. So a whole invocation of a worker
is ordinary code, and everything between two of its calls to the outside is one step.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class Crash(BaseException):
    """The process is gone: no ``except Exception`` may see it."""


@dataclass(eq=False, slots=True)
class Task:
    """One running piece of code; killed at its ``deadline``, with a clock wrong by ``skew``.

    ``stalled`` is true once it has been held up for long, ``zombie`` if it outlives its deadline.
    """

    name: str
    runner: Runner
    began: float
    deadline: float = float("inf")
    skew: int = 0
    zombie: bool = False
    stalled: bool = False
    doomed: bool = False


class Runner:
    """A thread that is used again: making one costs more than a whole invocation."""

    idle: list[Runner] = []  # noqa: RUF012  shared on purpose

    def __init__(self) -> None:
        self.baton = threading.Semaphore(0)
        self.body: Callable[[], None] = lambda: None
        threading.Thread(target=self._loop, daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.baton.acquire()
            self.body()


@dataclass
class Kernel:
    """Hold virtual time, what is to come, and the one source of chance."""

    seed: int
    now: float = 0.0
    heap: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    task: Task | None = None
    error: BaseException | None = None
    limit: float = float("inf")
    steps: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._baton = threading.Semaphore(0)
        self._count = 0
        self._waiting: dict[Task, None] = {}

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time; actions of one time keep their order."""
        self._count += 1
        heapq.heappush(self.heap, (max(when, self.now), self._count, action))

    def spawn(
        self,
        name: str,
        body: Callable[[], None],
        *,
        ended: Callable[[bool], None],
        **traits: object,
    ) -> Task:
        """Begin a task at once; ``ended`` is told at its end whether it crashed."""
        runner = Runner.idle.pop() if Runner.idle else Runner()
        task = Task(name, runner, self.now, **traits)  # type: ignore[arg-type]

        def run() -> None:
            crashed = False
            try:
                body()
            except Crash:
                crashed = True
            except BaseException as error:
                self.error = self.error or error
            if not task.doomed:
                ended(crashed)
            self.task = None
            Runner.idle.append(runner)
            self._baton.release()

        runner.body = run
        self.at(self.now, lambda: self._give(task))
        return task

    def pass_time(self, seconds: float) -> None:
        """Let a task's time pass; whoever comes before then runs first."""
        self.steps += 1
        task = self.task
        assert task is not None, "time passes in tasks only"
        if task.doomed:
            raise Crash
        when = self.now + seconds
        if (not self.heap or when < self.heap[0][0]) and when < self.limit:
            self.now = when
            return
        self._waiting[task] = None
        self.at(when, lambda: self._give(task))
        self.task = None
        self._baton.release()
        task.runner.baton.acquire()
        self.task = task
        if task.doomed:
            raise Crash

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Do what is to come, until a time or until done."""
        self.limit = until
        try:
            while self.heap and self.heap[0][0] <= until and self.error is None and not done():
                self.now, _, action = heapq.heappop(self.heap)
                action()
        finally:
            self._end()
        if self.error is not None:
            raise self.error

    def _give(self, task: Task) -> None:
        self._waiting.pop(task, None)
        self.task = task
        task.runner.baton.release()
        self._baton.acquire()

    def _end(self) -> None:
        """End every task that still waits, so that its thread can be used again."""
        for task in list(self._waiting):
            task.doomed = True
            self._give(task)
