"""Be the Lambda function that SQS wakes: ``sendmill.tasks.lambda_handler``.

The event source mapping must have ``ReportBatchItemFailures``: without it Lambda takes any answer
for success and deletes what failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sendmill.tasks.config import TaskConfig
from sendmill.tasks.runtime import runtime
from sendmill.tasks.worker.delivery import delivery_of_event
from sendmill.tasks.worker.inbox import SqsInbox
from sendmill.tasks.worker.runner import Runner


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    failed = _runner(_Identity(runtime().config)).run(
        [delivery_of_event(record) for record in event.get("Records", [])],
        remaining=(lambda: remaining() / 1000) if remaining else lambda: float("inf"),
    )
    return {"batchItemFailures": [{"itemIdentifier": found.message_id} for found in failed]}


class _Identity:
    """Make settings, which hold dictionaries, a key."""

    def __init__(self, config: TaskConfig) -> None:
        self.config = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.config is self.config

    def __hash__(self) -> int:
        return id(self.config)


@lru_cache(maxsize=1)
def _runner(key: _Identity) -> Runner:
    """Return the runner of the settings in force: URLs it asked SQS for are kept."""
    return Runner(SqsInbox(key.config))
