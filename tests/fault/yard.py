"""Run campaigns by the real code, one step at a time, in a time that only the test moves.

Real are dispatch, the worker's batch, delivery, sweep, the requests of people and the stores, over
:class:`fault.dynamo.MemoryDynamo`. Nothing goes wrong here by itself, unlike in
:mod:`fault.simulation`: the test says what does, and when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

from fakes import HASH_KEY, NOW, Clock, MemoryLists, MemoryQueue, MemoryTimer, make_campaign
from fault.dynamo import MemoryDynamo, plain
from sendmill.batch import EmailBatch
from sendmill.campaign import Campaign, Config, Service, Status
from sendmill.contact import Contact
from sendmill.contact_list import Accepted, ContactList
from sendmill.delivery import Deliverer, Mailer
from sendmill.dispatch import WORKER_FIELDS, Dispatcher, parse_job
from sendmill.lifecycle import Office, Timer
from sendmill.rate import Account
from sendmill.store import CampaignStore, RecipientStore
from sendmill.sweep import Stream, Sweeper

RECIPIENTS, CAMPAIGNS = "recipients", "campaigns"
BATCH = 10
WORKER_SECONDS = 300
SES = Config(email_service=Service.SES, from_email="noreply@example.com")


class Yard:
    """Hold one set of tables, queues and functions, and a clock."""

    def __init__(
        self,
        mailer: Callable[[], Mailer],
        *,
        clock: Clock | None = None,
        timer: Timer | None = None,
        logger: Any = None,
        dynamo: MemoryDynamo | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.dynamo = dynamo or MemoryDynamo()
        self.lists, self.queue = MemoryLists(), MemoryQueue()
        self.dead: list[str] = []
        self._mailer = mailer
        self._owners = count(1)
        self.logger = logger or SimpleNamespace(info=_ignore, warning=_ignore)
        client: Any = self.dynamo
        self.book = CampaignStore(
            client, CAMPAIGNS, monotonic=self.clock, clock=self.clock, sleep=_ignore
        )
        self.rows = RecipientStore(client, RECIPIENTS, CAMPAIGNS, sleep=_ignore)
        self.office = Office(
            lists=self.lists,
            campaigns=self.book,
            queue=self.queue,
            timer=timer or MemoryTimer(),
            clock=self.clock,
            new_id=lambda kind: kind,
        )
        self.dispatcher = Dispatcher(
            rows=self.rows,
            book=self.book,
            lists=self.lists,
            queues=self.queue,
            hash_key=HASH_KEY,
            clock=self.clock,
            extra_fields=WORKER_FIELDS,
        )
        self.sweeper = Sweeper(
            ledger=self.rows,
            book=self.book,
            queues=self.queue,
            stream=Stream,
            account=lambda: Account(max_rate=1000.0, daily_quota=1e6),
            clock=self.clock,
        )
        self.new_worker()

    def new_worker(self) -> None:
        """Let the worker be a new process: its caches are gone."""
        self._batch = EmailBatch(
            deliverer=Deliverer(
                ledger=self.rows,
                campaigns=self.book,
                mailer=self._mailer(),
                hash_key=HASH_KEY,
                clock=self.clock,
                jitter=lambda: 1.0,
                sleep=self.clock.advance,
            ),
            queue=self.queue,  # type: ignore[arg-type]
        )

    def add(
        self, people: Sequence[str], *, campaign_id: str = "spring", **changes: object
    ) -> Campaign:
        """Create a draft for these addresses."""
        rows = [
            Accepted(line=line, contact=Contact(email=person, fields={"first_name": "Ada"}))
            for line, person in enumerate(people, 2)
        ]
        self.lists.write_part(campaign_id, 0, rows)
        self.lists.add(
            ContactList(
                id=campaign_id,
                name=campaign_id,
                created_at=NOW,
                rows=len(rows),
                accepted=len(rows),
                invalid=0,
                duplicates=0,
                parts=1,
            )
        )
        campaign = make_campaign(
            campaign_id,
            status=Status.DRAFT,
            list_id=campaign_id,
            rows=len(rows),
            expected=len(rows),
            chunks=1,
            **changes,
        )
        self.book.add(campaign)
        return campaign

    def configured(self, config: Config) -> dict[str, object]:
        """Return the change that lets a campaign send another way."""
        return {"content": replace(make_campaign().content, config=config)}

    def dispatch(self) -> None:
        """Do every job there is, and every job that comes of it."""
        while self.queue.jobs:
            self.dispatcher.do(parse_job(self.queue.jobs.pop(0)))

    def send(self) -> None:
        """Let the worker take what is on the e-mail queue now, ten at a time."""
        self.send_batches(-(-len(self.queue.mails) // BATCH))

    def send_batches(self, count: int) -> None:
        """Let the worker take so many batches."""
        for _ in range(count):
            bodies, self.queue.mails = self.queue.mails[:BATCH], self.queue.mails[BATCH:]
            self._send_batch(bodies)

    def work(self) -> None:
        """Dispatch, and send."""
        self.dispatch()
        self.send()

    def sweep(self) -> None:
        """Sweep once."""
        self.sweeper.sweep(owner=f"sweep-{next(self._owners)}")

    def minutes(self, minutes: int) -> None:
        """Let time pass; the sweep comes every minute, and everything else at once."""
        for _ in range(minutes):
            self.clock.advance(60)
            self.sweep()
            self.work()

    def campaign(self, campaign_id: str = "spring") -> Campaign:
        """Return a campaign as it stands."""
        found = self.book.get(campaign_id)
        assert found is not None
        return found

    def states(self, campaign_id: str = "spring") -> Counter[str]:
        """Return how many rows are in which state, counted one by one."""
        return Counter(str(row["st"]["S"]) for row in self.items(campaign_id))

    def attempts(self, campaign_id: str = "spring") -> list[int]:
        """Return how often each recipient was claimed."""
        return [int(plain(row["att"])) for row in self.items(campaign_id)]

    def items(self, campaign_id: str = "spring") -> list[dict[str, Any]]:
        """Return the rows of a campaign as the table holds them."""
        found = self.dynamo.items(RECIPIENTS)
        return [row for row in found if row.get("cid", {}).get("S") == campaign_id]

    def check_sums(self, campaign_id: str = "spring") -> None:
        """Fail unless the counters say what the rows say."""
        states = self.states(campaign_id)
        states.pop("pending", 0)
        assert dict(self.book.counters(campaign_id)) == dict(states)

    def _send_batch(self, bodies: Sequence[str]) -> None:
        records = [
            {"messageId": str(n), "receiptHandle": str(n), "body": body}
            for n, body in enumerate(bodies)
        ]
        failures = self._batch.handle(
            records,
            owner=f"worker-{next(self._owners)}",
            remaining_seconds=WORKER_SECONDS,
            logger=self.logger,
            metrics=SimpleNamespace(add_metric=_ignore),  # type: ignore[arg-type]
        )
        self.dead += [bodies[int(number)] for number in failures]


def _ignore(*_: object, **__: object) -> None:
    return None
