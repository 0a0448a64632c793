"""Test an application that sends tasks, without AWS.

::

    def test_a_signup_sends_a_welcome(sendmill_tasks):      # the pytest fixture
        sign_up("ada@example.com")
        assert [task.name for task in sendmill_tasks.sent] == ["send_welcome"]
        sendmill_tasks.run_all()                            # by the worker's own code

Without pytest: ``with recorded_tasks() as tasks: ...``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sendmill.tasks.config import override
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.transports.memory import MemoryTransport, SentTask


@contextmanager
def recorded_tasks(**changes: Any) -> Iterator[MemoryTransport]:
    """Keep what is sent in memory inside the block; ``changes`` are settings besides."""
    transport = MemoryTransport()
    with override(**{"transport": transport, "receipts": MemoryReceipts(), **changes}):
        yield transport


__all__ = ["MemoryReceipts", "MemoryTransport", "SentTask", "recorded_tasks"]
