"""Remember that a mail is about to leave, so that no mail of a task leaves twice by itself.

A receipt says that a task runs or has run. It cannot say whether a worker that died had already
handed over its mail, and neither SES nor SMTP take a mail back or know a token. So a row is
written before (``sending``) and after (``sent``, or ``free`` when it was certainly not taken). Who
finds ``sending`` knows that nobody knows: the mail is not sent again, and the task becomes a dead
letter that says so. A person who sends that dead letter back decides that it is to be mailed;
until then the row stands as ``unknown``.

In the receipts' table, by the key of the task's receipt (without one, by the task's id)::

    pk=M#{key}   state, owner, message_id, provider_id, updated_at, expires_at
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sendmill.store.item import Item, encode, on_condition, text, unless_standing
from sendmill.tasks.context import TaskContext

_KEEP_SECONDS = 30 * 86_400


class Standing(StrEnum):
    """What is known of a task's mail."""

    FREE = "free"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"


# What an end may be written over; a mail that was taken stays so, whoever ends later.
_OVER = {
    Standing.UNKNOWN: (Standing.SENDING,),
    Standing.FREE: (Standing.SENDING, Standing.UNKNOWN),
    Standing.SENT: tuple(Standing),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLog:
    """Keep the rows in DynamoDB; every method raises StoreUnavailable."""

    client: Any
    table: str
    clock: Callable[[], float] = time.time

    def key_of(self, run: TaskContext) -> str:
        """Return the key of a run's mail: that of its receipt, so that what runs once mails once.

        Rows were keyed by the task's id before; one that stands there still holds.
        """
        key = run.key or run.task_id
        return run.task_id if key != run.task_id and self._stands(run.task_id) else key

    def begin(self, key: str, message_id: str, *, redriven: bool) -> Standing:
        """Say that the mail is about to be sent; what stands and is not FREE forbids it.

        ``redriven``: a person saw the dead letter that says ``unknown``, and sent it back.
        """
        found = self._put(key, message_id, over=Standing.FREE)
        if found is None:
            return Standing.FREE
        standing = Standing(text(found, "state"))
        another = text(found, "message_id") != message_id
        if standing is Standing.UNKNOWN and redriven and another:
            again = self._put(key, message_id, over=Standing.UNKNOWN)
            return Standing.FREE if again is None else Standing.SENDING
        return standing

    def end(self, key: str, standing: Standing, provider_id: str = "") -> Standing:
        """Say what became of the mail; return what stands then.

        That a mail was taken is written over anything. Doubt is not: another worker may have
        written by now that it was taken.
        """
        state = str(standing)
        over = {f":over{number}": str(found) for number, found in enumerate(_OVER[standing])}
        said: Item = {":state": state, ":id": provider_id, ":now": int(self.clock()), **over}
        found = unless_standing(
            "recording a mail",
            self.client.update_item,
            TableName=self.table,
            Key=_row(key),
            UpdateExpression="SET #state = :state, provider_id = :id, updated_at = :now",
            ConditionExpression=f"#state IN ({', '.join(over)})",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=encode(said),
        )
        return standing if found is None else Standing(text(found, "state") or state)

    def _stands(self, key: str) -> bool:
        """Say whether a row forbids a mail. It is asked by a write: a worker may do no more."""
        return on_condition(
            "looking for a mail",
            self.client.update_item,
            TableName=self.table,
            Key=_row(key),
            UpdateExpression="SET #state = #state",
            ConditionExpression="attribute_exists(pk) AND #state <> :free",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=encode({":free": str(Standing.FREE)}),
        )

    def _put(self, key: str, message_id: str, *, over: Standing) -> Item | None:
        """Write ``sending`` over one standing; return None when it stands, else what does."""
        now = int(self.clock())
        # one token a call: what our own lost answer left behind is ours
        row = {"state": str(Standing.SENDING), "owner": uuid4().hex, "message_id": message_id}
        new = "attribute_not_exists(pk) OR " if over is Standing.FREE else ""
        found = unless_standing(
            "claiming a mail",
            self.client.put_item,
            TableName=self.table,
            Item={
                **_row(key),
                **encode({**row, "updated_at": now, "expires_at": now + _KEEP_SECONDS}),
            },
            ConditionExpression=f"{new}#state = :over",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=encode({":over": str(over)}),
        )
        return None if found is None or text(found, "owner") == row["owner"] else found


def _row(key: str) -> dict[str, Any]:
    return encode({"pk": f"M#{key}"})
