"""Keep receipts in the project's database: each step is one statement, fenced by the owner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone

from sendmill.errors import StoreUnavailable
from sendmill.tasks.errors import Skip
from sendmill.tasks.receipts import Claim

P = ParamSpec("P")
R = TypeVar("R")


def _available(method: Callable[P, R]) -> Callable[P, R]:
    @wraps(method)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except DatabaseError as error:
            raise StoreUnavailable(f"receipts: {type(error).__name__}: {error}") from error

    return asked


class OrmReceipts:
    """Keep receipts as rows; every method raises StoreUnavailable."""

    shared = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    @_available
    def claim(self, key: str, *, owner: str, task: str, lease_seconds: float) -> Claim:
        """Claim a key. An owner's own claim, made again, is acquired once more."""
        now = self._clock()
        _rows().bulk_create([_rows().model(key=key, task=task)], ignore_conflicts=True)
        free = Q(owner="") | Q(owner=owner) | Q(lease_until__lte=now)
        taken = _rows().filter(free, key=key, completed=False)
        acquired = taken.update(
            attempts=Case(When(owner=owner, then=F("attempts")), default=F("attempts") + 1),
            owner=owner,
            lease_until=now + lease_seconds,
            updated_at=timezone.now(),
        )
        row = _rows().get(key=key)
        if acquired:
            return Claim(state="acquired", attempt=row.attempts)
        if row.completed:
            return Claim(state="completed", attempt=row.attempts)
        left = max(0.0, row.lease_until - now)
        return Claim(state="held", attempt=row.attempts, lease_seconds=left)

    @_available
    def complete(self, key: str, *, owner: str) -> bool:
        """Say that the task has run; False when the key is another's by now."""
        mine = _rows().filter(key=key, owner=owner)
        return bool(mine.update(completed=True, lease_until=0, updated_at=timezone.now()))

    @_available
    def release(self, key: str, *, owner: str, error: str = "", final: bool = False) -> bool:
        """Give a key back after a failure; ``final`` forgets the attempts."""
        return bool(
            _rows()
            .filter(key=key, owner=owner, completed=False)
            .update(
                owner="",
                lease_until=0,
                error=error[:300],
                updated_at=timezone.now(),
                **({"attempts": 0} if final else {}),
            )
        )


@contextmanager
def once(key: str, *, using: str | None = None) -> Iterator[None]:
    """Run a block once for a key, in one transaction with the note that it has run.

    The only way to exactly once: for effects in the very database that holds the note. Inside a
    task: ``with once(f"invoice-{order_id}"): ...``. A second run raises Skip, which ends the task
    well.
    """
    with transaction.atomic(using=using):
        rows = _rows().using(using) if using else _rows()
        defaults = {"task": "once", "completed": True}
        _, is_first = rows.get_or_create(key=f"once:{key}"[:255], defaults=defaults)
        if not is_first:
            raise Skip(f"{key} has been done")
        yield


def _rows() -> QuerySet:
    # the models are there when the apps are, and a setting may name this store before
    from sendmill.contrib.django.models import TaskReceipt

    return TaskReceipt.objects.all()
