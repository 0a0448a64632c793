"""Leave a queue alone for a while after it failed several times in a row."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed it lets everything pass; open nothing; half open one call, which decides."""

    def __init__(
        self, *, failures: int, cooldown: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._cooldown = cooldown
        self._clock = clock
        self._failed = 0
        self._until: float | None = None
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Say whether calls are refused at this moment."""
        return self._until is not None and self._clock() < self._until

    def allows(self) -> bool:
        """Say whether a call may be made; after the cooldown one caller is told yes."""
        with self._lock:
            if self._until is None:
                return True
            if self._clock() < self._until:
                return False
            # half open: whoever else asks waits for what becomes of this call
            self._until = self._clock() + self._cooldown
            return True

    def succeeded(self) -> None:
        """Close."""
        with self._lock:
            self._failed = 0
            self._until = None

    def failed(self) -> bool:
        """Count a failure; say whether this one opened the breaker."""
        with self._lock:
            self._failed += 1
            if self._failed < self._limit:
                return False
            opened = self._until is None
            self._until = self._clock() + self._cooldown
            return opened
