"""Give pytest the fixture ``sendmill_tasks``: tasks are kept in memory, and can be run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sendmill.tasks.transports.memory import MemoryTransport


@pytest.fixture
def sendmill_tasks() -> Iterator[MemoryTransport]:
    """Keep what a test sends; ``sent`` holds it, ``run_all()`` runs it."""
    from sendmill.tasks.testing import recorded_tasks

    with recorded_tasks() as transport:
        yield transport
