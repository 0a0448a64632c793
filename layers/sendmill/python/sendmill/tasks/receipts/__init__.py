"""Say what a store of receipts is: who runs a task, and who has run it.

A receipt is one row for each thing that must run once (its key). It is free, held by an owner until
its lease ends, or completed for good. Every write but the claim is fenced by the owner's token: one
who lost the lease can neither complete nor release what another holds by then. A failure leaves the
receipt free, so a redrive runs; an owner that died leaves a lease that ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Say what became of a claim.

    ``acquired``: run it; ``attempt`` counts the claims of this key so far, this one too.
    ``completed``: it has run. ``held``: another owner runs it, ``lease_seconds`` longer at most.
    """

    state: Literal["acquired", "completed", "held"]
    attempt: int = 1
    lease_seconds: float = 0


class Receipts(Protocol):
    """Keep receipts; every method raises :class:`sendmill.errors.StoreUnavailable`.

    ``shared`` says whether sender and worker see the same receipts (a database) or not (memory).
    """

    shared: bool

    def claim(self, key: str, *, owner: str, task: str, lease_seconds: float) -> Claim:
        """Claim a key, atomically. An owner's own claim, made again, is acquired once more."""

    def complete(self, key: str, *, owner: str) -> bool:
        """Say that the task has run; False when the key is another's by now."""

    def release(self, key: str, *, owner: str, error: str = "", final: bool = False) -> bool:
        """Give a key back after a failure, attempts kept; ``final`` forgets them (dead letter)."""


__all__ = ["Claim", "Receipts"]
