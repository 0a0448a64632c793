"""Take the events that SES publishes about mails into the ledger.

Events come late, twice, out of order, and before our own record of the send; whatever their
order, the end is the same. For each batch:

1. addresses that bounced for ever or complained are suppressed;
2. rows hear the news: one transaction, their counters with them;
3. the watermark of the event stream moves to the youngest Send event.

A crash between two steps leaves the messages on the queue, and every step may be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sendmill.contact import address_hash, recipient_id
from sendmill.errors import InvalidMessage, StoreUnavailable
from sendmill.event import Aside, Event, parse_event
from sendmill.ledger import Row, Transition, hear
from sendmill.suppression import Reason, Suppression, make_suppression

# How often a row may move on under our hands before the batch is given back to the queue.
ROUNDS = 5
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Say what became of one message; ``outcome`` is a stable word for logs and metrics.

    ``changed`` is true when the ledger learnt something; a ``malformed`` message must stay on
    the queue, whose dead letters it will join.
    """

    outcome: str
    changed: bool = False
    malformed: bool = False
    reason: str = ""
    campaign_id: str = ""
    rid: str = ""
    attempt: int = 0
    message_id: str = ""


class Ledger(Protocol):
    """Keep the rows of recipients; every write is conditional on what was read."""

    def read(
        self, keys: Sequence[Key], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[Key, Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid)."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write in one transaction what still can be; say for each whether it stands."""


class Suppressions(Protocol):
    """Keep suppressed addresses."""

    def add_all(self, entries: Sequence[Suppression]) -> Sequence[bool]:
        """Add entries; say of each whether it was news."""

    def release(self, key: str, *, reason: Reason, before: int) -> bool:
        """Remove an entry of this reason that is not younger; tell whether one was there."""


class Watermarks(Protocol):
    """Keep how far the event stream has come."""

    def advance(self, configuration_set: str, *, sent_at: int, seen_at: int) -> None:
        """Move a watermark forwards; one that is further already is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Hold what listening needs; built once for each worker.

    Events of another configuration set, and envelopes of another topic, are refused; an empty
    setting refuses nothing.
    """

    ledger: Ledger
    suppressions: Suppressions
    watermarks: Watermarks
    hash_key: bytes
    clock: Callable[[], int]
    configuration_set: str = ""
    topic_arn: str = ""

    def listen(self, bodies: Sequence[str], *, owner: str) -> list[Heard]:
        """Take a batch in; the answers are in the order of the bodies.

        Raises StoreUnavailable: then the whole batch is to be seen again.
        """
        parsed = [self._parse(body) for body in bodies]
        events = {n: one for n, one in enumerate(parsed) if isinstance(one, Event)}
        rows: dict[Key, Row] = {}
        if events:
            keys = list({event.key for event in events.values()})
            rows = dict(self.ledger.read(keys, suppression_keys=[])[0])
            self._suppress(list(events.values()), rows)
        told = self._tell(events, rows, owner)
        self._move_watermark(parsed)
        return [_heard(one, rows, changed=n in told) for n, one in enumerate(parsed)]

    def _parse(self, body: str) -> Event | Aside | InvalidMessage:
        try:
            return parse_event(
                body, configuration_set=self.configuration_set, topic_arn=self.topic_arn
            )
        except InvalidMessage as error:
            return error

    def _suppress(self, events: Sequence[Event], rows: Mapping[Key, Row]) -> None:
        entries: dict[tuple[str, Reason], Suppression] = {}
        for event in events:
            for address in self._concerned(event, rows.get(event.key)):
                if event.suppresses is not None:
                    entry = make_suppression(
                        address,
                        event.suppresses,
                        hash_key=self.hash_key,
                        at=event.happened_at,
                        source=event.campaign_id,
                    )
                    entries.setdefault((entry.hash, entry.reason), entry)
        # one after the other: two entries for one address would only meet each other
        for entry in entries.values():
            self.suppressions.add_all([entry])
        for event in events:
            if event.forgives:
                for address in self._concerned(event, rows.get(event.key)):
                    self.suppressions.release(
                        address_hash(self.hash_key, address),
                        reason=Reason.COMPLAINED,
                        before=event.happened_at,
                    )

    def _concerned(self, event: Event, row: Row | None) -> list[str]:
        """Return whom an event is about: everybody it names, and whom we mailed.

        A mailbox may forward to another, which is then the one that is named. Where the row is
        gone, only the address is believed from which the recipient's id was made.
        """
        if row is None:
            return [
                address
                for address in event.addresses
                if recipient_id(self.hash_key, event.campaign_id, address) == event.rid
            ]
        return [row.contact.email, *event.addresses]

    def _tell(self, events: Mapping[int, Event], rows: dict[Key, Row], owner: str) -> set[int]:
        """Write the news into the rows; return the positions of what was news."""
        open_: dict[Key, list[int]] = {}
        for n, event in events.items():
            if event.key in rows:
                open_.setdefault(event.key, []).append(n)
        told: set[int] = set()
        for _ in range(ROUNDS):
            found = {
                key: fold(rows[key], [events[n] for n in places], self.clock())
                for key, places in open_.items()
            }
            steps = {key: one.step for key, one in found.items() if one.step is not None}
            if not steps:
                return told
            applied = self.ledger.apply(list(steps.values()), owner=owner)
            standing = dict(zip(steps, applied, strict=True))
            for key, step in steps.items():
                if standing[key]:
                    rows[key] = step.after
                    told |= {open_[key][place] for place in found[key].told}
            open_ = {key: open_[key] for key, stands in standing.items() if not stands}
            rows |= self.ledger.read(list(open_), suppression_keys=[])[0] if open_ else {}
        if open_:
            raise StoreUnavailable(f"{len(open_)} rows kept changing while news was written")
        return told

    def _move_watermark(self, parsed: Sequence[Event | Aside | InvalidMessage]) -> None:
        sent = [one.sent_at for one in parsed if isinstance(one, Aside) and one.sent_at]
        sent += [one.sent_at for one in parsed if isinstance(one, Event) and one.kind == "Send"]
        if sent:
            now = self.clock()
            # a clock that runs ahead must not make the stream look further than it is
            self.watermarks.advance(
                self.configuration_set, sent_at=min(now, max(sent)), seen_at=now
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Hold one write for several events, and which of them, by place, say something new."""

    step: Transition | None
    told: Sequence[int]


def fold(row: Row, events: Sequence[Event], now: int) -> Folded:
    """Return one write for all events about a row: DynamoDB takes one a row and transaction."""
    standing, counts = row, Counter[str]()
    told: list[int] = []
    for place, event in enumerate(events):
        step = hear(
            standing,
            event.news,
            attempt=event.attempt,
            message_id=event.message_id,
            reason=event.reason,
            now=now,
        )
        if step is not None:
            standing = step.after
            counts.update(step.counts)
            told.append(place)
    if not told:
        return Folded(step=None, told=[])
    moved = {name: change for name, change in counts.items() if change}
    return Folded(step=Transition(before=row, after=standing, counts=moved), told=told)


def _heard(one: Event | Aside | InvalidMessage, rows: Mapping[Key, Row], *, changed: bool) -> Heard:
    if isinstance(one, InvalidMessage):
        return Heard(outcome="malformed", malformed=True, reason=str(one))
    if isinstance(one, Aside):
        return Heard(outcome=one.outcome, reason=one.detail)
    outcome = str(one.news) if changed else "nothing_new"
    return Heard(
        outcome=outcome if one.key in rows else "unknown_recipient",
        changed=changed,
        reason=one.reason,
        campaign_id=one.campaign_id,
        rid=one.rid,
        attempt=one.attempt,
        message_id=one.message_id,
    )
