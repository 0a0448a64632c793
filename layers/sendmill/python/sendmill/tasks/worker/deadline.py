"""Keep tasks inside the time that there is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sendmill.tasks.errors import TaskTimeout

# What is left for the answer, the receipt and the visibility of a task that was cut off, seconds.
MARGIN_SECONDS = 2.0
# A task that says nothing about its time is not started with less than this.
_LEAST_SECONDS = 1.0


def fits(timeout: float | None, remaining: float) -> bool:
    """Say whether a task that takes ``timeout`` seconds at most may still be started."""
    return remaining >= (_LEAST_SECONDS if timeout is None else timeout) + MARGIN_SECONDS


@contextmanager
def limited(timeout: float | None, remaining: float) -> Iterator[None]:
    """Raise TaskTimeout inside the block when its time is over.

    By SIGALRM, so in the main thread of a process alone (a Lambda's handler runs there): elsewhere
    a task is not cut off.
    """
    seconds = min(timeout or float("inf"), remaining - MARGIN_SECONDS / 2)
    if seconds == float("inf") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def cut_off(*_: Any) -> None:
        raise TaskTimeout(f"the task took longer than {seconds:.1f} s")

    begun = time.monotonic()
    before = signal.signal(signal.SIGALRM, cut_off)
    waiting, again = signal.setitimer(signal.ITIMER_REAL, max(0.01, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if waiting:  # somebody else's alarm goes on
            left = waiting - (time.monotonic() - begun)
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left), again)
