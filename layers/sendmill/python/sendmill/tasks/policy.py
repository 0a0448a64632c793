"""Say how a task is tried: how often, how long apart, for how long, and what counts as one run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sendmill.tasks.errors import PermanentFailure, TaskConfigError

# Seconds until the next attempt, from the number of the attempt that failed (1 is the first).
Backoff = Callable[[int], float]
Idempotency = Literal["task_id"] | None | Callable[[Mapping[str, Any]], str]
# SQS hides a message for 12 hours at most, counted from its receive.
LONGEST_VISIBILITY = 43_200


def exponential(
    base: float = 30, *, cap: float = 900, factor: float = 2, jitter: float = 0.1
) -> Backoff:
    """Return ``base * factor**(attempt - 1)`` seconds, at most ``cap``, spread by ``jitter``.

    ``jitter=0.1`` takes away up to a tenth: tasks that failed together do not come back together.
    """
    if base < 0 or factor < 1 or not 0 <= jitter <= 1:
        raise TaskConfigError(
            f"exponential({base}, factor={factor}, jitter={jitter}) is no backoff"
        )

    def seconds(attempt: int) -> float:
        full = min(cap, base * factor ** min(64, max(0, attempt - 1)))
        return float(full * (1 - jitter * random.random()))  # noqa: S311  spreads load, no secret

    return seconds


def fixed(seconds: float) -> Backoff:
    """Return the same pause after every attempt."""
    return lambda attempt: float(seconds)


def steps(*seconds: float) -> Backoff:
    """Return the pauses one after the other, then the last one again."""
    if not seconds:
        raise TaskConfigError("steps() needs at least one pause")
    return lambda attempt: float(seconds[min(max(1, attempt), len(seconds)) - 1])


def _deployed(name: str, default: int) -> int:
    value = os.environ.get(f"SENDMILL_TASK_{name}", "")
    if value and not value.isdecimal():
        raise TaskConfigError(f"SENDMILL_TASK_{name} must be a number (got {value!r})")
    return int(value) if value else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Hold how one task is tried.

    ``timeout`` is in seconds: a worker that has less left does not start the task. ``idempotency``
    names what one run is: the task's id, the answer of a function of its arguments, or nothing
    (``None``: every delivery runs). ``sync_fallback`` lets the sender run it when SQS is away.
    What a deployment tries by default stands in ``SENDMILL_TASK_MAX_ATTEMPTS`` and
    ``SENDMILL_TASK_BACKOFF_SECONDS``. ``version`` is written into every message; ``upgrade`` turns
    the arguments of an older one into today's.
    """

    queue: str = ""
    max_attempts: int = field(default_factory=lambda: _deployed("MAX_ATTEMPTS", 3))
    backoff: Backoff = field(default_factory=lambda: exponential(_deployed("BACKOFF_SECONDS", 30)))
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    permanent: tuple[type[BaseException], ...] = ()
    timeout: float | None = None
    idempotency: Idempotency = "task_id"
    sync_fallback: bool = False
    version: int = 1
    upgrade: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise TaskConfigError(f"max_attempts must be at least 1 (got {self.max_attempts})")
        if self.timeout is not None and not 0 < self.timeout <= LONGEST_VISIBILITY:
            raise TaskConfigError(
                f"timeout must be 0 to {LONGEST_VISIBILITY} s (got {self.timeout})"
            )
        if self.version < 1:
            raise TaskConfigError(f"version must be at least 1 (got {self.version})")

    def is_permanent(self, error: BaseException) -> bool:
        """Say whether trying again after this error cannot help."""
        if isinstance(error, (PermanentFailure, *self.permanent)):
            return True
        # A worker that is told to exit, or a coroutine that is cancelled, did not fail the task.
        return isinstance(error, Exception) and not isinstance(error, self.retry_on)
