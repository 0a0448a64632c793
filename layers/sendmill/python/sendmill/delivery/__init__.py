"""Deliver one batch of messages: claim, send side by side, record.

Two transactions for a whole batch, one before and one after the sends. A row stands before
anything is sent, so that a crash at any point leaves a trace; what each crash leaves behind and
who picks it up is the table of docs/ledger.md.

A batch reserves its slots of the common rate before it claims, waits in place for them, and looks
again whether its campaigns still run. What the provider refuses for the rate is sent again in
place while time allows; that burns neither a try nor a receive. Whatever waits longer goes back
to the ledger with a due time, and the sweep queues it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sendmill.delivery.batch import POSTPONE_SECONDS, Batch
from sendmill.delivery.ports import Campaigns, Handling, Ledger, Links, Mailer, Receipt, Tools
from sendmill.delivery.sending import RECORD_SECONDS, SEND_SECONDS
from sendmill.message import Message

__all__ = [
    "POSTPONE_SECONDS",
    "RECORD_SECONDS",
    "SEND_SECONDS",
    "Campaigns",
    "Deliverer",
    "Handling",
    "Ledger",
    "Links",
    "Mailer",
    "Receipt",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer(Tools):
    """Hold what a delivery needs; built once for each worker."""

    def deliver(
        self, messages: Sequence[Message], *, owner: str, budget_seconds: int, lease_seconds: int
    ) -> list[Receipt]:
        """Deliver a batch; the receipts are in the order of the messages.

        ``owner`` is unique for each call. ``budget_seconds`` is the time there is;
        ``lease_seconds`` must outlast it.
        """
        batch = Batch(
            self,
            messages,
            owner=owner,
            deadline=self.clock() + budget_seconds - SEND_SECONDS,
            lease_seconds=lease_seconds,
        )
        batch.look_up()
        batch.wait_for_slots()
        batch.claim_sendable()
        batch.send_claimed()
        batch.record_outcomes()
        return batch.receipts()
