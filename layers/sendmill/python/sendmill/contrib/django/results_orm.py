"""Keep results in the project's database, written in the transaction that sends the task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from sendmill.contrib.django.models import TaskRecord
from sendmill.contrib.django.results import TIMES

_MOMENTS = (*TIMES, "run_after")


class OrmResults:
    """Keep records as rows."""

    in_transaction = True

    def create(self, record: Mapping[str, Any]) -> None:
        """Keep a new row."""
        TaskRecord.objects.bulk_create([TaskRecord(**_row(record))], ignore_conflicts=True)

    def update(self, record: Mapping[str, Any]) -> None:
        """Update a row, unless it tells of a later run; a worker may be the first to know of it."""
        row = _row(record)
        not_later = Q(last_attempted_at__isnull=True)
        if row["last_attempted_at"] is not None:
            not_later |= Q(last_attempted_at__lte=row["last_attempted_at"])
        fields = {name: value for name, value in row.items() if name != "id"}
        if not TaskRecord.objects.filter(not_later, id=row["id"]).update(**fields):
            self.create(record)

    def read(self, result_id: str) -> dict[str, Any] | None:
        """Return a record, or None."""
        row = TaskRecord.objects.filter(id=result_id[:65]).values().first()
        if row is None:
            return None
        return {**row, **{name: row[name] and row[name].isoformat() for name in _MOMENTS}}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    moments = {name: record[name] and datetime.fromisoformat(record[name]) for name in _MOMENTS}
    return {**record, **moments}
