"""Keep tasks that could not be sent in the project's database, and send them later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from sendmill.tasks.envelope import read_mapping
from sendmill.tasks.errors import EnqueueError
from sendmill.tasks.payload import loads
from sendmill.tasks.runtime import runtime
from sendmill.tasks.schedule import LONGEST_DELAY, schedule
from sendmill.tasks.transports import Outgoing


class OrmOutbox:
    """Keep messages as rows; the same task is kept once."""

    def put(
        self, body: str, *, task_id: str, queue: str, not_before: datetime | None, group: str
    ) -> None:
        """Keep a message as it is to be sent."""
        from sendmill.contrib.django.models import UnsentTask

        row = UnsentTask(
            task_id=task_id, queue=queue, body=body, not_before=not_before, group=group
        )
        UnsentTask.objects.bulk_create([row], ignore_conflicts=True)


def send_unsent(limit: int = 1000) -> Iterator[tuple[str, EnqueueError | None]]:
    """Send what is kept, oldest first; yield each task's id, with the error that ends the run.

    A row goes away after its message was taken. Killed in between, it is sent twice and, by its
    receipt, run once.
    """
    from sendmill.contrib.django.models import UnsentTask

    for row in UnsentTask.objects.all()[:limit]:
        try:
            _send(row.body, row.task_id, row.queue, row.not_before, row.group)
        except EnqueueError as error:
            yield row.task_id, error
            return
        with transaction.atomic():
            UnsentTask.objects.filter(task_id=row.task_id).delete()
        yield row.task_id, None


def _send(body: str, task_id: str, queue: str, not_before: datetime | None, group: str) -> None:
    found = runtime()
    delay = max(0, int((not_before - timezone.now()).total_seconds())) if not_before else 0
    if not_before is not None and delay > LONGEST_DELAY:
        schedule(body, task_id=task_id, queue=queue, at=not_before, config=found.config)
        return
    found.transport.send(
        Outgoing(
            body=body,
            queue=queue,
            task=read_mapping(loads(body)).task,
            task_id=task_id,
            delay_seconds=delay,
            group=group,
        )
    )
