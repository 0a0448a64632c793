"""Publish events to SNS from a thread of its own: late, lost, doubled or out of order on demand."""

from __future__ import annotations

import heapq
import json
import logging
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from standin.events import Event
from standin.upstream import Scope, Upstream

log = logging.getLogger("publisher")

SUBJECT = "Amazon SES Email Event Notification"
BATCH = 10  # entries of one PublishBatch
SHUFFLE_SECONDS = 1.0
SETTINGS = frozenset({"off", "loss", "duplicate", "delay_seconds", "shuffle", "seed"})


@dataclass(slots=True, kw_only=True)
class EventFaults:
    """What happens to events on their way. Probabilities are in 0..1."""

    off: bool = False
    loss: float = 0.0
    duplicate: float = 0.0
    delay_seconds: float = 0.0
    shuffle: bool = False
    seed: int | None = None

    @classmethod
    def parse(cls, value: Any) -> EventFaults:
        """Build from JSON. Raise ValueError that names what is wrong."""
        if not isinstance(value, dict) or set(value) - SETTINGS:
            raise ValueError(f"events must be an object with keys among {sorted(SETTINGS)}")
        faults = cls(**value)
        if not (0 <= faults.loss <= 1 and 0 <= faults.duplicate <= 1):
            raise ValueError("loss and duplicate must be in 0..1")
        return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An event and where it is published."""

    scope: Scope
    configuration_set: str
    event: Event


class Publisher:
    """A queue of events ordered by the moment they are due, and the thread that empties it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._faults = EventFaults()
        self._chance = random.Random()  # noqa: S311 - chance for tests, no secret
        self._due: list[tuple[float, int, Parcel]] = []
        self._order = 0
        self._changed = threading.Condition()
        self.published = 0
        self.failed = 0
        self.lost = 0
        self._busy = 0
        threading.Thread(target=self._run, name="publisher", daemon=True).start()

    def configure(self, faults: EventFaults) -> None:
        """Put event faults in force from now on."""
        with self._changed:
            self._faults = faults
            self._chance = random.Random(faults.seed)  # noqa: S311 - repeatable

    def put(self, scope: Scope, configuration_set: str, events: list[Event]) -> None:
        """Take the events of one mail; return at once."""
        with self._changed:
            for event in events:
                self._put_one(Parcel(scope=scope, configuration_set=configuration_set, event=event))
            self._changed.notify()

    def describe(self) -> dict[str, int]:
        """Return the counts as JSON; `waiting` includes what is being published."""
        return {
            "published": self.published,
            "failed": self.failed,
            "lost": self.lost,
            "waiting": len(self._due) + self._busy,
        }

    def reset(self) -> None:
        """Drop what waits and the counts; the faults stay."""
        with self._changed:
            self._due.clear()
            self.published = self.failed = self.lost = 0

    def _put_one(self, parcel: Parcel) -> None:
        faults, chance = self._faults, self._chance
        if faults.off or chance.random() < faults.loss:
            self.lost += 1
            return
        for _ in range(2 if chance.random() < faults.duplicate else 1):
            delay = faults.delay_seconds
            if faults.shuffle:
                delay = chance.uniform(0, max(delay, SHUFFLE_SECONDS))
            self._order += 1
            heapq.heappush(self._due, (time.monotonic() + delay, self._order, parcel))

    def _run(self) -> None:
        while True:
            parcels = self._take()
            try:
                self._publish(parcels)
            except (BotoCoreError, ClientError, OSError):
                self.failed += len(parcels)
                log.exception("events not published: %d", len(parcels))
            finally:
                self._busy = 0

    def _take(self) -> list[Parcel]:
        """Wait for events that are due and return up to 200 of them."""
        with self._changed:
            while not self._due or self._due[0][0] > time.monotonic():
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
            now = time.monotonic()
            taken: list[Parcel] = []
            while self._due and self._due[0][0] <= now and len(taken) < 200:
                taken.append(heapq.heappop(self._due)[2])
            self._busy = len(taken)
        return taken

    def _publish(self, parcels: list[Parcel]) -> None:
        by_topic: dict[tuple[Scope, str], list[Event]] = defaultdict(list)
        for parcel in parcels:
            kind = parcel.event["eventType"].upper().replace(" ", "_")
            for topic, kinds in self._upstream.topics(parcel.scope, parcel.configuration_set):
                if kind in kinds:
                    by_topic[parcel.scope, topic].append(parcel.event)
        for (scope, topic), events in by_topic.items():
            sns = self._upstream.client("sns", scope)
            for start in range(0, len(events), BATCH):
                batch = events[start : start + BATCH]
                answer = sns.publish_batch(
                    TopicArn=topic,
                    PublishBatchRequestEntries=[
                        {"Id": str(n), "Message": json.dumps(event), "Subject": SUBJECT}
                        for n, event in enumerate(batch)
                    ],
                )
                self.failed += len(answer.get("Failed", []))
                self.published += len(answer.get("Successful", []))
