"""Keep receipts in this process: for tests, and for one local worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sendmill.tasks.receipts import Claim


@dataclass(slots=True)
class _Row:
    owner: str = ""
    until: float = 0
    attempts: int = 0
    completed: bool = False
    error: str = ""


class MemoryReceipts:
    """Keep receipts in a dictionary."""

    shared = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._rows: dict[str, _Row] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def claim(self, key: str, *, owner: str, task: str, lease_seconds: float) -> Claim:
        """Claim a key."""
        with self._lock:
            row, now = self._rows.setdefault(key, _Row()), self._clock()
            if row.completed:
                return Claim(state="completed", attempt=row.attempts)
            if row.owner not in ("", owner) and row.until > now:
                return Claim(state="held", attempt=row.attempts, lease_seconds=row.until - now)
            row.attempts += row.owner != owner
            row.owner, row.until = owner, now + lease_seconds
            return Claim(state="acquired", attempt=row.attempts)

    def complete(self, key: str, *, owner: str) -> bool:
        """Say that the task has run."""
        with self._lock:
            row = self._rows.get(key)
            if row is None or row.owner != owner:
                return False
            row.completed, row.until = True, 0
            return True

    def release(self, key: str, *, owner: str, error: str = "", final: bool = False) -> bool:
        """Give a key back."""
        with self._lock:
            row = self._rows.get(key)
            if row is None or row.owner != owner or row.completed:
                return False
            row.owner, row.until, row.error = "", 0, error
            row.attempts = 0 if final else row.attempts
            return True
