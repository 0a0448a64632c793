"""The design with one of its ideas taken away, each a small subclass of the real code.

:data:`MUTANTS` must all be caught by the simulation; a promise that no mutant breaks is not
watched. :data:`HARMLESS` must not: it shows on what the safety does not depend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fault.simulation import STORM_SECONDS, Design
from fault.weather import Weather
from sendmill.campaign import Campaign, UnknownPolicy
from sendmill.contact import recipient_id
from sendmill.dispatch import Dispatcher, Put
from sendmill.feedback import Event, Listener
from sendmill.ledger import COUNTED_NEWS, Row, State, Transition, transition
from sendmill.outcome import Fate, Outcome
from sendmill.store import RecipientStore
from sendmill.store.campaign_item import counter_key
from sendmill.store.item import encode, encode_value, translated
from sendmill.store.recipient_item import item_of
from sendmill.sweep import Stream


class UnconditionalClaim(RecipientStore):
    """Claim whatever the row has become since it was read."""

    def _update(self, step: Transition) -> dict[str, Any]:
        update = super()._update(step)
        return _without_condition(update) if step.after.state is State.SENDING else update


class NoFencing(RecipientStore):
    """Record whatever the row has become since the claim."""

    def _update(self, step: Transition) -> dict[str, Any]:
        update = super()._update(step)
        recorded = step.before.state is State.SENDING
        return _without_condition(update) if recorded else update


class ExpiredLeaseResends(RecipientStore):
    """Take a worker that is gone for one that has not sent."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Turn ``unknown`` for a lost worker into ``retry``."""
        return super().apply([_resent(step) for step in transitions], owner=owner)


class CountersApart(RecipientStore):
    """Move the rows in one transaction, and the counters after it."""

    def _transact(
        self, part: Sequence[Transition], shard: int
    ) -> Sequence[Mapping[str, Any]] | None:
        refused = super()._transact([replace(step, counts={}) for step in part], shard)
        if refused is None:
            for step in part:
                if step.counts:
                    count = self._count(step.before.campaign_id, shard, step.counts)
                    with translated("counting"):
                        self._client.update_item(**count)
        return refused


class DoneBeforePuts(Dispatcher):
    """Mark a chunk as done, and then put its rows."""

    def _chunk(self, campaign: Campaign, chunk: int) -> dict[str, int]:
        contacts = self.lists.read_part(campaign.list_id, chunk, campaign.list_revision)
        people = {recipient_id(self.hash_key, campaign.id, one.contact.email) for one in contacts}
        self.book.finish_chunk(
            campaign.id, chunk, rows=len(people), duplicates=len(contacts) - len(people)
        )
        return super()._chunk(campaign, chunk)


class CountsEveryEvent(Listener):
    """Count each event that comes, also when it comes again."""

    def _tell(self, events: Mapping[int, Event], rows: Any, owner: str) -> set[int]:
        told = super()._tell(events, rows, owner)
        for n, event in events.items():
            if n not in told and event.key in rows and event.news in COUNTED_NEWS:
                store: Any = self.ledger
                with translated("counting"):
                    store._client.update_item(
                        TableName=store._campaigns_table,
                        Key=counter_key(event.campaign_id, 0),
                        UpdateExpression="ADD #news :one",
                        ExpressionAttributeNames={"#news": str(event.news)},
                        ExpressionAttributeValues={":one": encode_value(1)},
                    )
        return told


class ReadsStaleRows(RecipientStore):
    """Find a row that is there not to be there, and create it anew."""

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        """Put every row, whatever stands there."""
        for row in rows:
            with translated("creating a row"):
                self._client.put_item(TableName=self._table, Item=encode(item_of(row)))
        return super().put_all(rows)


def later_instead_of_unknown(outcome: Outcome) -> Outcome:
    """Take a lost answer for a refusal."""
    if outcome.fate is Fate.UNKNOWN:
        return replace(outcome, fate=Fate.LATER)
    return outcome


def always_passed(stream: Stream) -> Stream:
    """Believe that the event stream has passed every attempt."""
    return Stream(last_send=10**12)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """Hold a broken design, and the policy and weather under which it must be caught."""

    design: Design
    policy: UnknownPolicy = UnknownPolicy.HOLD
    storm: Weather | None = None
    storm_seconds: int = STORM_SECONDS


MUTANTS: Mapping[str, Mutant] = {
    "unconditional claim": Mutant(design=Design(recipients=UnconditionalClaim)),
    "timeout is a refusal": Mutant(design=Design(outcome=later_instead_of_unknown)),
    "expired lease is sent again": Mutant(design=Design(recipients=ExpiredLeaseResends)),
    "no fencing": Mutant(design=Design(recipients=NoFencing)),
    "counters outside the transaction": Mutant(design=Design(recipients=CountersApart)),
    "chunk done before its puts": Mutant(design=Design(dispatcher=DoneBeforePuts)),
    "no sweep": Mutant(design=Design(sweeps=False)),
    "events counted again": Mutant(design=Design(listener=CountsEveryEvent)),
    "the SDK posts again": Mutant(design=Design(posts=3)),
    "rows put without a condition": Mutant(design=Design(recipients=ReadsStaleRows)),
    "the stream is believed blindly": Mutant(
        design=Design(stream=always_passed),
        policy=UnknownPolicy.AUTO,
        storm=Weather(stream_down=True, ses_lost=0.3),
        storm_seconds=2 * 3600,
    ),
}
HARMLESS: Mapping[str, Mutant] = {
    "lease of one second": Mutant(design=Design(lease=1)),
}


def _without_condition(update: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in update.items() if name != "ConditionExpression"}
    names = found["ExpressionAttributeNames"]
    values = found["ExpressionAttributeValues"]
    text = found["UpdateExpression"]
    words = set(text.replace(",", " ").split())
    found["ExpressionAttributeNames"] = {n: v for n, v in names.items() if n in words}
    found["ExpressionAttributeValues"] = {n: v for n, v in values.items() if n in words}
    return found


def _resent(step: Transition) -> Transition:
    if step.after.state is not State.UNKNOWN or step.after.reason != "worker_lost":
        return step
    now = step.after.updated_at
    return transition(step.before, State.RETRY, now=now, reason="worker_lost", due=now)
