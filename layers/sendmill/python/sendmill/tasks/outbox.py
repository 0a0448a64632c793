"""Say what an outbox is: where tasks wait that could not be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Outbox(Protocol):
    """Keep messages until somebody sends them; putting the same task twice keeps it once."""

    def put(
        self, body: str, *, task_id: str, queue: str, not_before: datetime | None, group: str
    ) -> None:
        """Keep a message; whoever drains the outbox sends ``body`` as it is."""
