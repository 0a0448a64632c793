"""Simulate whole campaigns: the real code, one seed, everything going wrong at once.

Real are dispatch, the worker's batch, delivery, sweep, feedback, the requests of people, and the
stores, the queue client and the rate limiter, over :class:`fault.dynamo.MemoryDynamo`. Simulated
are DynamoDB, SQS with its pollers, SES, its event stream and time. A process may die, stall, or
find its answer lost at every single call; what the table holds survives.

:func:`simulate` returns what happened, or raises :class:`Violation` naming the seed.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from fakes import HASH_KEY, MemoryLists
from fault.clockwork import Crash, Kernel, Task
from fault.dynamo import Item, MemoryDynamo, plain, refusal
from fault.weather import CALM, Weather, draw
from sendmill.batch import EmailBatch
from sendmill.campaign import Campaign, Config, Content, Service, Status, UnknownPolicy
from sendmill.contact import Contact, address_hash, recipient_id
from sendmill.contact_list import Accepted, ContactList
from sendmill.delivery import Deliverer, Receipt
from sendmill.dispatch import WORKER_FIELDS, Dispatcher, parse_job
from sendmill.errors import RetryableError, SendmillError, StateConflict
from sendmill.feedback import Listener
from sendmill.ledger import COUNTED_NEWS, FINAL, NEWS_ORDER, TRANSITIONS, News, State
from sendmill.lifecycle import Office
from sendmill.mail import Mail
from sendmill.message import Message
from sendmill.outcome import QUOTA_REASON, Outcome, accepted, classify_ses, classify_ses_loss
from sendmill.queue import QueueClient, _batches
from sendmill.rate import Account
from sendmill.store import (
    AccountStore,
    CampaignStore,
    RecipientStore,
    SharedLimiter,
    SuppressionStore,
    WatermarkStore,
)
from sendmill.store.campaigns import CACHE_SECONDS
from sendmill.store.hot_calls import HotCalls
from sendmill.suppression import Reason, make_suppression
from sendmill.sweep import Stream, Sweeper

START = 1_790_000_000
CONFIGURATION_SET = "sendmill-test"
# How long things go wrong, and how long the system then has to come to rest, in seconds.
STORM_SECONDS = 1800
REST_SECONDS = 12 * 3600
WORKER_SECONDS = 300
RECIPIENTS, CAMPAIGNS = "recipients", "campaigns"
MAIL, JOBS, EVENTS = "email", "dispatch", "feedback"
PLAIN = "plain"


class Violation(AssertionError):
    """A promise was broken; the message says which, and by which seed."""


class LoggedQueue(QueueClient):
    """Send batch after batch: threads are the simulation's own affair."""

    def _send_all(self, url: str, bodies: Sequence[str], *, group: str) -> None:
        for batch in _batches(bodies):
            self._send_batch(url, batch, group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Hold the parts of the real design; a mutant replaces one of them by a broken one."""

    recipients: Callable[..., RecipientStore] = RecipientStore
    dispatcher: type[Dispatcher] = Dispatcher
    listener: type[Listener] = Listener
    lease: int = 0
    outcome: Callable[[Outcome], Outcome] = lambda outcome: outcome
    posts: int = 1
    sweeps: bool = True
    stream: Callable[[Stream], Stream] = lambda stream: stream


@dataclass(slots=True)
class Letter:
    """One message on a queue."""

    body: str
    visible_at: float
    receives: int = 0
    number: int = 0


@dataclass(slots=True)
class SimQueue:
    """One queue with the function that it wakes."""

    name: str
    visibility: float
    max_receives: int
    workers: int
    invoke: Callable[[list[Letter], Sandbox], Callable[[], list[int]]]
    seconds: float
    letters: dict[int, Letter] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    busy: int = 0
    sandboxes: list[Sandbox] = field(default_factory=list)


class Sandbox:
    """One warm process of a function: its clock, its caches."""

    def __init__(self, world: World, kind: str) -> None:
        rng, weather = world.rng, world.weather
        self.weather = weather
        self.skew = rng.randint(-weather.skew, weather.skew)
        self.world = world
        dynamo: Any = FaultyDynamo(world)
        self.campaigns = CampaignStore(
            dynamo,
            CAMPAIGNS,
            monotonic=lambda: world.kernel.now,
            clock=self.exact,
            sleep=world.sleep,
        )
        self.recipients = world.design.recipients(dynamo, RECIPIENTS, CAMPAIGNS, sleep=world.sleep)
        self.suppressions = SuppressionStore(dynamo, RECIPIENTS, sleep=world.sleep)
        self.watermarks = WatermarkStore(dynamo, CAMPAIGNS)
        self.accounts = AccountStore(dynamo, CAMPAIGNS, monotonic=lambda: world.kernel.now)
        sqs: Any = FaultySqs(world)
        self.queues = LoggedQueue(sqs, dispatch_url=JOBS, email_url=MAIL, sleep=world.sleep)
        self.limiter = SharedLimiter(
            self.accounts, ask=world.ask_account, home="here", clock=self.exact
        )

    def clock(self) -> int:
        """Return this process's idea of the time."""
        return int(self.exact())

    def exact(self) -> float:
        """Return this process's idea of the time, with fractions."""
        return START + self.world.kernel.now + self.skew


class FaultyDynamo(HotCalls):
    """Make each call take time and go wrong, and then be what the table says."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **asked: self._call(name, asked)

    def side_by_side(self, name: str, asked: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Make calls one after the other: threads are the simulation's own affair."""
        found: list[Any] = []
        for one in asked:
            try:
                found.append(self._call(name, dict(one)))
            except (ClientError, BotoCoreError) as error:
                found.append(error)
        return found

    def get_paginator(self, name: str) -> Any:
        """Return the pages of a query; each run through them is one call."""
        self._world.step("dynamodb.query")
        return self._world.dynamo.get_paginator(name)

    def _call(self, name: str, asked: Any) -> Any:
        world, weather = self._world, self._world.weather
        world.step(f"dynamodb.{name}", write=name not in ("get_item", "query", "batch_get_item"))
        if world.chance(weather.throttled):
            raise refusal("ProvisionedThroughputExceededException")
        if name == "transact_write_items" and world.chance(weather.conflict):
            codes = [{"Code": "None"} for _ in asked["TransactItems"]]
            world.rng.choice(codes)["Code"] = "TransactionConflict"
            raise refusal("TransactionCanceledException", CancellationReasons=codes)
        answer = getattr(world.dynamo, name)(**asked)
        if name in ("get_item", "batch_get_item", "query"):
            return answer
        if world.chance(weather.replayed) and not name.startswith("update"):
            # the SDK asks again when the answer is lost, and nobody remembers its token
            answer = getattr(world.dynamo, name)(**asked)
        world.step("dynamodb.answer", quick=True)
        if world.chance(weather.answer_lost):
            raise EndpointConnectionError(endpoint_url="http://dynamodb")
        return answer


class FaultySqs:
    """Take some messages and not others, and lose answers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> Any:  # noqa: N803
        """Put messages on a queue."""
        world, weather = self._world, self._world.weather
        world.step("sqs.send_message_batch")
        if world.chance(weather.throttled):
            raise refusal("ThrottlingException")
        done: list[Any] = []
        failed: list[Any] = []
        for entry in Entries:
            if world.chance(weather.not_taken):
                if world.chance(0.8):
                    failed.append(
                        {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
                    )
                continue
            world.put(QueueUrl, entry["MessageBody"])
            done.append({"Id": entry["Id"], "MessageId": "m"})
        world.step("sqs.answer", quick=True)
        if world.chance(weather.answer_lost):
            raise EndpointConnectionError(endpoint_url="http://sqs")
        return {"Successful": done, "Failed": failed}

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        """Let a message be seen again after a while."""
        world = self._world
        world.step("sqs.change_message_visibility")
        letter = world.queues[QueueUrl].letters.get(int(ReceiptHandle))
        if letter is not None:
            letter.visible_at = world.kernel.now + VisibilityTimeout
            world.wake(QueueUrl, letter.visible_at)

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> Any:  # noqa: N803
        """Say how many messages wait."""
        self._world.step("sqs.get_queue_attributes")
        name, _, dead = QueueUrl.partition(":")
        queue = self._world.queues[name]
        count = len(queue.dead) if dead else len(queue.letters)
        return {"Attributes": {"ApproximateNumberOfMessages": str(count)}}


@dataclass(slots=True, kw_only=True)
class Result:
    """Say what a run came to."""

    seed: int
    recipients: int = 0
    accepts: int = 0
    duplicates: int = 0
    late_duplicates: int = 0
    unknown: int = 0
    crashes: int = 0
    calls: int = 0
    seconds: float = 0.0
    states: Counter[str] = field(default_factory=Counter)


class World:
    """Hold everything outside the product, and watch every promise while it runs."""

    def __init__(
        self,
        seed: int,
        policy: UnknownPolicy,
        design: Design | None = None,
        *,
        storm: Weather | None = None,
        storm_seconds: int = STORM_SECONDS,
    ) -> None:
        self.seed, self.policy, self.storm_seconds = seed, policy, storm_seconds
        self.design = design or Design()
        self.kernel = Kernel(seed)
        self.rng = self.kernel.rng
        random.seed(seed)  # the stores' own jitter
        self.storm = self.weather = storm or draw(self.rng)
        self.dynamo = MemoryDynamo(watch=self._watch)
        self.lists = MemoryLists()
        self.result = Result(seed=seed)
        self.wanted: dict[str, list[str]] = {}
        self.invalid_and_double: dict[str, int] = {}
        self.bad: set[str] = set()
        self.stopped_by = ""
        # what the watcher knows
        self.rows: dict[tuple[str, str], Item] = {}
        self.states: dict[str, Counter[str]] = {}
        self.counters: dict[str, Counter[str]] = {}
        self.stopped_since: dict[str, float | None] = {}
        self.suppressed_at: dict[str, float] = {}
        self.claims: dict[tuple[str, int], set[str]] = {}
        self.tainted: set[str] = set()
        # what SES knows
        self.accepted: dict[tuple[str, str], list[int]] = {}
        self.posts: Counter[tuple[str, str, int]] = Counter()
        self.event_lost: dict[tuple[str, str, int], bool] = {}
        self.heard: set[tuple[str, str, int]] = set()
        self._letters = 0
        self.running = 0
        kinds = (
            (MAIL, 900.0, 3, 3, self._email, WORKER_SECONDS),
            (JOBS, 360.0, 5, 2, self._dispatch, 60),
            (EVENTS, 360.0, 8, 2, self._feedback, 60),
        )
        self.queues = {
            name: SimQueue(name, visibility, receives, workers, invoke, seconds)
            for name, visibility, receives, workers, invoke, seconds in kinds
        }

    # time and misfortune

    def chance(self, probability: float) -> bool:
        """Tell whether something that goes wrong this often does so now."""
        return probability > 0 and self.rng.random() < probability

    def step(self, what: str, *, quick: bool = False, write: bool = False) -> None:
        """Let a call to the outside begin: time passes, and the process may not live to see it."""
        task, weather = self.kernel.task, self.weather
        assert task is not None
        self._crash_by_chance(weather)
        if self.chance(weather.stall):
            task.stalled = True
            self.kernel.pass_time(self.rng.random() * weather.stall_seconds)
        else:
            self.kernel.pass_time(0.0005 if quick else 0.002 + self.rng.random() * 0.1)
        # a write on its way arrives late, whatever has become of the one who sent it
        if self.kernel.now > task.deadline and not (task.zombie and write):
            self._died()
        self._crash_by_chance(weather)

    def sleep(self, seconds: float) -> None:
        """Let a process wait on purpose."""
        task = self.kernel.task
        assert task is not None
        self.kernel.pass_time(seconds)
        if self.kernel.now > task.deadline:
            self._died()

    def _crash_by_chance(self, weather: Weather) -> None:
        if self.chance(weather.crash / 2):
            self._died()

    def _died(self) -> None:
        self.result.crashes += 1
        raise Crash

    # queues

    def put(self, name: str, body: str, *, certain: bool = False) -> None:
        """Put a message on a queue, where it may vanish, be doubled or be late."""
        weather = self.weather
        if name != EVENTS and not certain and self.chance(weather.vanished):
            return
        for _ in range(1 + self.chance(weather.doubled) + self.chance(weather.doubled / 2)):
            delay = self.rng.random() * (900 if self.chance(weather.delayed) else 2)
            self._letters += 1
            letter = Letter(body, self.kernel.now + delay, number=self._letters)
            self.queues[name].letters[letter.number] = letter
            self.wake(name, letter.visible_at)

    def wake(self, name: str, when: float) -> None:
        """Let the queue's poller look at a time."""
        self.kernel.at(when, lambda: self._poll(self.queues[name]))

    def _poll(self, queue: SimQueue) -> None:
        now = self.kernel.now
        while queue.busy < queue.workers:
            visible = [one for one in queue.letters.values() if one.visible_at <= now]
            if not visible:
                return
            self.rng.shuffle(visible)
            batch = self._receive(queue, visible[: self.rng.randint(1, 10)])
            if not batch or self.chance(self.weather.received_in_vain):
                continue
            sandbox = queue.sandboxes.pop() if queue.sandboxes else Sandbox(self, queue.name)
            self._invoke(queue, batch, sandbox)

    def _receive(self, queue: SimQueue, visible: Sequence[Letter]) -> list[Letter]:
        batch = []
        for letter in visible:
            letter.receives += 1
            if letter.receives > queue.max_receives:
                del queue.letters[letter.number]
                queue.dead.append(letter.body)
                continue
            letter.visible_at = self.kernel.now + queue.visibility
            self.wake(queue.name, letter.visible_at)
            batch.append(letter)
        return batch

    def _invoke(self, queue: SimQueue, batch: list[Letter], sandbox: Sandbox) -> None:
        kept: list[int] = [letter.number for letter in batch]
        body = queue.invoke(batch, sandbox)

        def work() -> None:
            kept[:] = body()

        def ended(crashed: bool) -> None:
            queue.busy -= 1
            self.running -= 1
            if not crashed:
                if sandbox.weather is self.weather:
                    queue.sandboxes.append(sandbox)
                for letter in batch:
                    # the poller may die too, before it has deleted the messages
                    if letter.number not in kept and not self.chance(self.weather.doubled / 4):
                        queue.letters.pop(letter.number, None)
            self.wake(queue.name, self.kernel.now)

        queue.busy += 1
        self._spawn(queue.name, work, ended, seconds=queue.seconds, skew=sandbox.skew)

    def _spawn(
        self,
        name: str,
        work: Callable[[], None],
        ended: Callable[[bool], None],
        *,
        seconds: float,
        skew: int = 0,
    ) -> Task:
        self.running += 1
        return self.kernel.spawn(
            name,
            work,
            ended=ended,
            deadline=self.kernel.now + seconds,
            skew=skew,
            zombie=self.chance(0.3),
        )

    # functions

    def _email(self, batch: list[Letter], sandbox: Sandbox) -> Callable[[], list[int]]:
        kind = ShortLease if self.design.lease else Deliverer
        deliverer = kind(
            ledger=sandbox.recipients,
            campaigns=sandbox.campaigns,
            mailer=SimMailer(self),
            hash_key=HASH_KEY,
            clock=sandbox.clock,
            jitter=self.rng.random,
            limiter=sandbox.limiter,
            sleep=self.sleep,
        )
        handler = EmailBatch(deliverer=deliverer, queue=sandbox.queues)
        records = [
            {
                "messageId": str(letter.number),
                "receiptHandle": str(letter.number),
                "body": letter.body,
                "attributes": {"ApproximateReceiveCount": str(letter.receives)},
            }
            for letter in batch
        ]
        logger: Any = SimpleNamespace(info=self._log, warning=self._log)
        metrics: Any = SimpleNamespace(add_metric=lambda **_: None)
        owner = f"owner-{batch[0].number}-{batch[0].receives}-{self.kernel.steps}"

        def work() -> list[int]:
            failures = handler.handle(
                records,
                owner=owner,
                remaining_seconds=WORKER_SECONDS,
                logger=logger,
                metrics=metrics,
            )
            return [int(message_id) for message_id in failures]

        return work

    def _dispatch(self, batch: list[Letter], sandbox: Sandbox) -> Callable[[], list[int]]:
        dispatcher = self.design.dispatcher(
            rows=sandbox.recipients,
            book=sandbox.campaigns,
            lists=self.lists,
            queues=sandbox.queues,
            hash_key=HASH_KEY,
            clock=sandbox.clock,
            extra_fields=WORKER_FIELDS,
        )

        def work() -> list[int]:
            failures = []
            for letter in batch:
                try:
                    dispatcher.do(parse_job(letter.body))
                except SendmillError:
                    failures.append(letter.number)
            return failures

        return work

    def _feedback(self, batch: list[Letter], sandbox: Sandbox) -> Callable[[], list[int]]:
        listener = self.design.listener(
            ledger=sandbox.recipients,
            suppressions=sandbox.suppressions,
            watermarks=sandbox.watermarks,
            hash_key=HASH_KEY,
            clock=sandbox.clock,
            configuration_set=CONFIGURATION_SET,
        )

        def work() -> list[int]:
            try:
                heard = listener.listen(
                    [letter.body for letter in batch], owner=f"events-{batch[0].number}"
                )
            except RetryableError:
                return [letter.number for letter in batch]
            found = zip(batch, heard, strict=True)
            return [letter.number for letter, one in found if one.malformed]

        return work

    def _sweep(self) -> None:
        sandbox = Sandbox(self, "sweep")
        queues = sandbox.queues
        sweeper = Sweeper(
            ledger=sandbox.recipients,
            book=sandbox.campaigns,
            queues=queues,
            stream=lambda: self.design.stream(
                Stream(
                    last_send=sandbox.watermarks.read(CONFIGURATION_SET).settled(sandbox.clock()),
                    waiting=queues.waiting(EVENTS),
                    dead=queues.waiting(f"{EVENTS}:dead"),
                )
            ),
            account=self._account,
            clock=sandbox.clock,
        )

        def work() -> None:
            try:
                sweeper.sweep(owner=f"sweep-{self.kernel.steps}")
            except RetryableError:
                return

        self._spawn("sweep", work, self._ended, seconds=60, skew=sandbox.skew)

    def _ended(self, _: bool) -> None:
        self.running -= 1

    def _account(self) -> Account:
        self.step("ses.get_account")
        quota = 0.0 if self.stopped_by == QUOTA_REASON else 1e6
        return Account(max_rate=1000.0, daily_quota=quota)

    def ask_account(self, _: str) -> Account:
        """Return what SES says of the account."""
        return self._account()

    def _log(self, event: str, **fields: object) -> None:
        line = f"{event} {fields}"
        if "@" in line:
            self.fail(f"I14: an address in a log line: {line}")

    # people

    def ask(self, what: Callable[[Office], object]) -> None:
        """Let a person ask for something, again and again until there is an answer."""

        def ended(crashed: bool) -> None:
            self.running -= 1
            if crashed or not answered:
                self.kernel.at(self.kernel.now + 30, lambda: self.ask(what))

        answered: list[bool] = []

        def work() -> None:
            sandbox = Sandbox(self, "api")
            office = Office(
                lists=self.lists,
                campaigns=sandbox.campaigns,
                queue=sandbox.queues,
                timer=SimpleNamespace(at=lambda *_: None),
                clock=sandbox.clock,
                new_id=lambda kind: kind,
            )
            try:
                what(office)
            except RetryableError:
                return
            except StateConflict:
                pass
            answered.append(True)

        self._spawn("api", work, ended, seconds=30)

    def suppress(self, address: str) -> None:
        """Let an address be unsubscribed."""

        def work() -> None:
            entry = make_suppression(
                address, Reason.UNSUBSCRIBED, hash_key=HASH_KEY, at=START, source="test"
            )
            try:
                Sandbox(self, "api").suppressions.add_all([entry])
            except RetryableError:
                return

        self._spawn("api", work, self._ended, seconds=30)

    # SES

    def post(self, mail: Mail) -> Outcome:
        """Take one mail, or not, and answer, or not."""
        weather = self.weather
        self.step("ses.post")
        self._check_post(mail)
        if self.stopped_by:
            if self.stopped_by == QUOTA_REASON:
                self.posts[mail.campaign_id, mail.rid, mail.attempt] -= 1
                return classify_ses(
                    status=429, code="TooManyRequestsException", message="Daily quota exceeded"
                )
            return classify_ses(status=400, code="SendingPausedException", message="paused")
        if mail.to in self.bad:
            return classify_ses(status=400, code="MessageRejected", message="no")
        if self.chance(weather.ses_throttled):
            # refused for the rate: certainly not taken, and the same attempt may be posted again
            self.posts[mail.campaign_id, mail.rid, mail.attempt] -= 1
            return classify_ses(
                status=429, code="TooManyRequestsException", message="Maximum sending rate"
            )
        if self.chance(weather.ses_unreachable):
            return classify_ses_loss(request_was_sent=False, detail="refused")
        if self.chance(weather.ses_lost):
            if self.chance(0.5):
                self._accept(mail)
            self.sleep(20 * self.rng.random())
            return classify_ses_loss(request_was_sent=True, detail="lost")
        if self.chance(weather.ses_error):
            if self.chance(0.3):
                self._accept(mail)
            return classify_ses(status=500, code="InternalFailure", message="oops")
        self._accept(mail)
        self.step("ses.answer")
        return accepted(f"id-{mail.rid}-{mail.attempt}")

    def _check_post(self, mail: Mail) -> None:
        task = self.kernel.task
        assert task is not None
        self.posts[mail.campaign_id, mail.rid, mail.attempt] += 1
        if self.posts[mail.campaign_id, mail.rid, mail.attempt] > 1:
            self.fail(f"one attempt was posted twice ({mail.rid}, attempt {mail.attempt})")
        key = (mail.campaign_id + mail.rid, mail.attempt)
        if not self.claims.get(key):
            self.fail(f"I7: a mail left without a claim ({mail.rid})")
        since = self.stopped_since.get(mail.campaign_id)
        if since is not None and task.began > since + CACHE_SECONDS:
            self.fail(f"I10: a mail left {task.began - since:.0f} s after its campaign stopped")
        suppressed = self.suppressed_at.get(address_hash(HASH_KEY, mail.to))
        if suppressed is not None and task.began > suppressed:
            self.fail("I10: a mail left to a suppressed address")

    def _accept(self, mail: Mail) -> None:
        key = (mail.campaign_id, mail.rid)
        earlier = self.accepted.setdefault(key, [])
        self.result.accepts += 1
        if earlier:
            self._doubled(key, earlier, mail)
        earlier.append(mail.attempt)
        config = mail.config
        if config.email_service is not Service.SES:
            return
        lost = self.chance(self.weather.event_lost)
        self.event_lost[(*key, mail.attempt)] = lost
        if not lost:
            self._publish("Send", mail)
        roll = self.rng.random()
        kinds = ["Delivery"] if roll < 0.8 else ["Bounce"] if roll < 0.9 else ["DeliveryDelay"]
        if roll > 0.97:
            kinds = ["Delivery", "Complaint"]
        for kind in kinds:
            # who loses the Send event loses what comes after it, more often than not
            if not self.chance(0.8 if lost else self.weather.event_lost):
                self._publish(kind, mail)

    def _doubled(self, key: tuple[str, str], earlier: Sequence[int], mail: Mail) -> None:
        self.result.duplicates += 1
        policy = self._policy(mail.campaign_id)
        by_events = mail.config.email_service is Service.SES
        if policy is UnknownPolicy.HOLD or (policy is UnknownPolicy.AUTO and not by_events):
            self.fail(f"I2: mailed twice though nobody may resend ({mail.rid})")
        for attempt in earlier if by_events else ():
            if self.event_lost.get((*key, attempt)):
                continue
            self.result.late_duplicates += 1
            if policy is UnknownPolicy.AUTO and not self.storm.skew:
                self.fail(f"I2: mailed twice though its Send event was not lost ({mail.rid})")

    def _publish(self, kind: str, mail: Mail) -> None:
        at = datetime.fromtimestamp(START + self.kernel.now, UTC).isoformat(timespec="milliseconds")
        event = {
            "eventType": kind,
            "mail": {
                "timestamp": at,
                "messageId": f"id-{mail.rid}-{mail.attempt}",
                "tags": {
                    "ses:configuration-set": [CONFIGURATION_SET],
                    "campaign_id": [mail.campaign_id],
                    "recipient_id": [mail.rid],
                    "attempt": [str(mail.attempt)],
                },
            },
            **_details(kind, mail.to, at),
        }
        body = json.dumps(event)
        for _ in range(1 + self.chance(self.weather.event_doubled)):
            self._arrive(body)
        if self.chance(self.weather.event_malformed):
            self._arrive('{"eventType": "Send"}')

    def _arrive(self, body: str) -> None:
        delay = self.rng.random() * self.weather.event_delay
        if self.weather.stream_down:
            delay += self.storm_seconds - self.kernel.now

        def arrive() -> None:
            self._letters += 1
            letter = Letter(body, self.kernel.now, number=self._letters)
            self.queues[EVENTS].letters[letter.number] = letter
            self.wake(EVENTS, letter.visible_at)

        self.kernel.at(self.kernel.now + delay, arrive)

    def _heartbeat(self) -> None:
        """Let somebody else's mail pass through the same configuration set, every five minutes."""
        at = datetime.fromtimestamp(START + self.kernel.now, UTC).isoformat(timespec="milliseconds")
        tags = {"ses:configuration-set": [CONFIGURATION_SET]}
        event = {"eventType": "Send", "mail": {"timestamp": at, "messageId": "x", "tags": tags}}
        self._arrive(json.dumps(event))
        self.kernel.at(self.kernel.now + 300, self._heartbeat)

    # the watcher

    def fail(self, what: str) -> None:
        """Break the run off: a promise was broken."""
        raise Violation(f"{what} [SEED={self.seed} policy={self.policy} t={self.kernel.now:.1f}s]")

    def _watch(self, changes: list[tuple[str, Item | None, Item | None]]) -> None:
        touched: set[str] = set()
        for table, old, new in changes:
            pk, sk = (new or old or {})["pk"]["S"], (new or old or {})["sk"]["S"]
            if table == RECIPIENTS and sk.startswith("R#"):
                touched.add(self._watch_row(old, new))
            elif table == RECIPIENTS and sk == "S" and new is not None:
                self.suppressed_at.setdefault(pk[2:], self.kernel.now)
            elif sk.startswith("CNT#"):
                touched.add(self._watch_counter(pk[2:], old, new))
            elif sk == "META" and new is not None:
                self._watch_campaign(old, new)
            elif sk.startswith("CH#") and new is not None and new["st"]["S"] == "done":
                self._watch_chunk(pk[2:], int(sk[3:]))
        for campaign_id in touched:
            self._check_sums(campaign_id)

    def _watch_row(self, old: Item | None, new: Item | None) -> str:
        if new is None:
            self.fail("I1: a row was deleted")
            return ""
        campaign_id, rid = new["cid"]["S"], new["sk"]["S"][2:]
        after, news = new["st"]["S"], new["news"]["S"]
        states = self.states.setdefault(campaign_id, Counter())
        states[after] += 1
        if news in COUNTED_NEWS:
            states[news] += 1
        if old is not None:
            before, was = old["st"]["S"], old["news"]["S"]
            states[before] -= 1
            if was in COUNTED_NEWS:
                states[was] -= 1
            if before != after and State(after) not in TRANSITIONS.get(State(before), ()):
                self.fail(f"I5: {before} became {after}")
            if NEWS_ORDER.index(News(news)) < NEWS_ORDER.index(News(was)):
                self.fail(f"I13: news went back from {was} to {news}")
        self.rows[campaign_id, rid] = new
        if after == State.SENDING:
            owners = self.claims.setdefault((campaign_id + rid, plain(new["att"])), set())
            owners.add(new["owner"]["S"])
            if len(owners) > 1:
                self.fail("I7: two owners claimed one attempt")
        if old is None or old["st"]["S"] != after:
            self._check_taken(campaign_id, rid, after, old)
        return campaign_id

    def _check_taken(self, campaign_id: str, rid: str, after: str, old: Item | None) -> None:
        if after == State.ACCEPTED and not self.accepted.get((campaign_id, rid)):
            self.fail(f"I3: {rid} is accepted, and SES never took it")
        if after in (State.SUPPRESSED, State.CANCELLED, State.FAILED):
            self._check_never_sent(campaign_id, rid, after, old)

    def _check_never_sent(self, campaign_id: str, rid: str, after: str, old: Item | None) -> None:
        taken = self.accepted.get((campaign_id, rid), [])
        # tried again after an unknown attempt: that one's event was lost, or will come late
        tried_again = self._policy(campaign_id) is not UnknownPolicy.HOLD and (
            old is not None
            and (old["st"]["S"] == State.RETRY or plain(old["att"]) > min(taken, default=0))
        )
        if taken and not tried_again:
            self.fail(f"I4: {rid} is {after}, and SES took it")

    def _policy(self, campaign_id: str) -> UnknownPolicy:
        # the campaign of plain messages has the policy that nobody chose
        return UnknownPolicy.AUTO if campaign_id == PLAIN else self.policy

    def _watch_counter(self, campaign_id: str, old: Item | None, new: Item | None) -> str:
        sums = self.counters.setdefault(campaign_id, Counter())
        for item, sign in ((old, -1), (new, 1)):
            for name, value in (item or {}).items():
                if name not in ("pk", "sk"):
                    sums[name] += sign * plain(value)
        return campaign_id

    def _check_sums(self, campaign_id: str) -> None:
        rows = {n: c for n, c in self.states.get(campaign_id, {}).items() if c and n != "pending"}
        counted = {n: c for n, c in self.counters.get(campaign_id, {}).items() if c}
        if rows != counted:
            self.fail(f"I6: the rows say {rows}, the counters {counted}")

    def _watch_campaign(self, old: Item | None, new: Item) -> None:
        campaign_id, status = new["id"]["S"], new["st"]["S"]
        if status == Status.RUNNING:
            self.stopped_since[campaign_id] = None
        elif self.stopped_since.get(campaign_id) is None:
            self.stopped_since[campaign_id] = self.kernel.now
        if status not in (Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN):
            return
        if old is not None and old["st"]["S"] == status:
            return
        states = self.states.get(campaign_id, Counter())
        if plain(new["chunks_done"]) != plain(new["chunks"]):
            self.fail("I9: complete before every chunk is done")
        # somebody may be let in again at this very moment: I11 watches that he is not left behind
        if states["pending"] or states["sending"]:
            self.fail(f"I9: complete with open recipients ({dict(states)})")
        # the other way round an event was faster than the sweep; people are shown `complete` then
        if states["unknown"] and status == Status.COMPLETE:
            self.fail(f"I9: {status} with {states['unknown']} unknown")

    def _watch_chunk(self, campaign_id: str, chunk: int) -> None:
        for accepted_row in self.lists.read_part(campaign_id, chunk):
            rid = recipient_id(HASH_KEY, campaign_id, accepted_row.contact.email)
            if (campaign_id, rid) not in self.rows:
                self.fail(f"I1: chunk {chunk} is done, and {rid} is not in the ledger")

    # the run

    def run(self) -> Result:
        """Let campaigns be sent through the storm, then wait for rest, and look at what is left."""
        self._prepare()
        self.kernel.at(60, self._minute)
        self.kernel.at(30, self._heartbeat)
        self.kernel.at(self.storm_seconds, self._clear_up)
        self.kernel.run(self.storm_seconds + REST_SECONDS, self._at_rest)
        self._look_at_the_end()
        return self.result

    def _prepare(self) -> None:
        rng = self.rng
        for n in range(rng.choice((1, 1, 2))):
            self._prepare_campaign(f"c{n}")
        if self.chance(0.25):
            self._put_plain_messages(PLAIN)
        if self.chance(0.3):
            kind = rng.choice((QUOTA_REASON, "sending_paused"))
            begins, lasts = rng.random() * 300, rng.random() * 600
            self.kernel.at(begins, lambda: setattr(self, "stopped_by", kind))
            self.kernel.at(begins + lasts, lambda: setattr(self, "stopped_by", ""))

    def _prepare_campaign(self, campaign_id: str) -> None:
        rng, raw = self.rng, CampaignStore(self.dynamo, CAMPAIGNS)  # type: ignore[arg-type]
        count, size = rng.randint(3, 12), rng.randint(1, 6)
        people = [f"p{n}.{campaign_id}@example.com" for n in range(count)]
        self.wanted[campaign_id] = people
        doubles = rng.sample(people, rng.choice((0, 0, 1)))
        rows = [
            Accepted(line=n + 2, contact=Contact(email=one, fields={"name": "N"}))
            for n, one in enumerate([*people, *doubles])
        ]
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        for n, part in enumerate(parts):
            self.lists.write_part(campaign_id, n, part)
        self.lists.add(
            ContactList(
                id=campaign_id,
                name=campaign_id,
                created_at=START,
                rows=len(rows) + 2,
                accepted=len(rows),
                invalid=2,
                duplicates=0,
                parts=len(parts),
            )
        )
        self.bad |= {one for one in people if self.chance(self.storm.ses_never)}
        service = Service.SMTP if self.chance(0.1) else Service.SES
        raw.add(
            Campaign(
                id=campaign_id,
                name="Test",
                content=Content(
                    subject="Hello {{name}}",
                    body="Dear {{name}}",
                    config=Config(email_service=service, from_email="noreply@example.com"),
                ),
                status=Status.DRAFT,
                created_at=START,
                list_id=campaign_id,
                rows=len(rows) + 2,
                invalid=2,
                expected=len(rows),
                chunks=len(parts),
                unknown_policy=self.policy,
            )
        )
        self._plan_actions(campaign_id, people)

    def _plan_actions(self, campaign_id: str, people: Sequence[str]) -> None:
        rng, at = self.rng, self.kernel.at

        def ask(when: float, what: Callable[[Office], object]) -> None:
            at(when, lambda: self.ask(what))

        ask(0, lambda office: office.start(campaign_id))
        if self.chance(0.3):
            ask(rng.random() * 60, lambda office: office.start(campaign_id))
        if self.chance(0.3):
            moment = rng.random() * 200
            ask(moment, lambda office: office.pause(campaign_id))
            ask(moment + rng.random() * 600, lambda office: office.resume(campaign_id))
        if self.chance(0.1):
            ask(rng.random() * 200, lambda office: office.cancel(campaign_id))
        if self.chance(0.3):
            address = rng.choice(people)
            at(rng.random() * 100, lambda: self.suppress(address))
        if self.chance(0.2):
            ask(rng.random() * 1500, lambda office: office.retry_failed(campaign_id))

    def _put_plain_messages(self, campaign_id: str) -> None:
        people = [f"p{n}.{campaign_id}@example.com" for n in range(self.rng.randint(2, 5))]
        self.wanted[campaign_id] = people
        config = {"email_service": "ses", "from_email": "noreply@example.com"}
        for person in people:
            body = {
                "campaign_id": campaign_id,
                "subject": "Hello",
                "body": "Dear",
                "config": config,
            }
            self.put(MAIL, json.dumps({**body, "contact": {"email": person}}), certain=True)
        if self.chance(0.5):
            self.put(MAIL, "this is not JSON", certain=True)

    def _minute(self) -> None:
        if self.design.sweeps:
            self._sweep()
            if self.chance(0.1) and self.weather is self.storm:
                self._sweep()
        quiet = self.weather is CALM and not self.running
        wait = 60.0
        if quiet and not any(queue.letters for queue in self.queues.values()):
            # nothing is due before then, so nothing would be found
            due = [plain(item["g1sk"]) - START for item in self.rows.values() if "g1sk" in item]
            wait = min(max(60.0, min(due, default=0) + 1 - self.kernel.now), 600.0)
        self.kernel.at(self.kernel.now + wait, self._minute)

    def _clear_up(self) -> None:
        """End the storm; an operator goes on with what stopped, every ten minutes."""
        self.weather, self.stopped_by = CALM, ""
        for queue in self.queues.values():
            queue.sandboxes.clear()
        self._operator()

    def _operator(self) -> None:
        events = self.queues[EVENTS]
        events.dead.clear()
        for name in (MAIL, JOBS):
            letters, self.queues[name].dead = self.queues[name].dead, []
            for body in letters:
                if body.startswith("{"):
                    self.put(name, body)
        for campaign_id in self.wanted:
            campaign = self._campaign(campaign_id)
            if campaign is not None and campaign.status is Status.PAUSED:
                self.ask(lambda office, one=campaign_id: office.resume(one))  # type: ignore[misc]
        self.kernel.at(self.kernel.now + 600, self._operator)

    def _campaign(self, campaign_id: str) -> Campaign | None:
        store = CampaignStore(self.dynamo, CAMPAIGNS)  # type: ignore[arg-type]
        return store.get(campaign_id)

    def _at_rest(self) -> bool:
        if self.weather is not CALM or self.running or self.kernel.now < self.storm_seconds + 700:
            return False
        if any(queue.letters for queue in self.queues.values()):
            return False
        return not self._unsettled()

    def _unsettled(self) -> list[str]:
        """Return what is still open, in words."""
        found = []
        for campaign_id, people in self.wanted.items():
            campaign = self._campaign(campaign_id)
            if campaign is None:
                found.append(f"{campaign_id} does not exist")
                continue
            over = {Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN, Status.CANCELLED}
            if campaign_id != PLAIN and campaign.status not in over:
                found.append(f"{campaign_id} is {campaign.status}")
            if campaign.status is Status.CANCELLED:
                open_ = [one for one in self._rows(campaign_id) if _is_open(one)]
                found += [f"{campaign_id} cancelled, a row {one['st']['S']}" for one in open_]
                continue
            found += self._unsettled_rows(campaign, people)
        return found

    def _unsettled_rows(self, campaign: Campaign, people: Sequence[str]) -> Iterator[str]:
        for person in people:
            row = self.rows.get((campaign.id, recipient_id(HASH_KEY, campaign.id, person)))
            if row is None:
                yield f"{campaign.id}: {person} has no row"
                continue
            state = State(row["st"]["S"])
            held = state is State.UNKNOWN and not (
                campaign.settles_by_event() or campaign.unknown_policy is UnknownPolicy.RESEND
            )
            if state not in FINAL and not held:
                yield f"{campaign.id}: {person} is {state}"

    def _rows(self, campaign_id: str) -> list[Item]:
        return [row for (found, _), row in self.rows.items() if found == campaign_id]

    def _look_at_the_end(self) -> None:
        left = self._unsettled()
        if left:
            self.fail(f"I11: lost: {'; '.join(left[:5])} ({len(left)} in all)")
        for campaign_id in self.wanted:
            self._check_sums(campaign_id)
            self._check_total(campaign_id)
        result = self.result
        result.recipients = sum(len(people) for people in self.wanted.values())
        result.calls, result.seconds = self.kernel.steps, self.kernel.now
        for row in self.rows.values():
            result.states[row["st"]["S"]] += 1
        result.unknown = result.states["unknown"]

    def _check_total(self, campaign_id: str) -> None:
        campaign = self._campaign(campaign_id)
        assert campaign is not None
        if campaign.status is Status.CANCELLED:
            return
        if campaign.total != len(self._rows(campaign_id)):
            self.fail(f"I8: total {campaign.total}, rows {len(self._rows(campaign_id))}")
        accounted = campaign.total + campaign.duplicates + campaign.invalid
        if campaign.rows and campaign.rows != accounted:
            self.fail(f"I8: {campaign.rows} rows of the file, {accounted} accounted for")


class SimMailer:
    """Send the mails of a batch one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(
        self, config: Config, mails: Sequence[Mail], *, within: float = math.inf
    ) -> Sequence[Outcome]:
        """Return the outcome of each mail."""
        design = self._world.design
        outcomes = []
        for mail in mails:
            outcome = self._world.post(mail)
            for _ in range(design.posts - 1):
                if outcome.reason in ("answer_lost", "server_error"):
                    outcome = self._world.post(mail)
            outcomes.append(design.outcome(outcome))
        return outcomes


class ShortLease(Deliverer):
    """Claim for one second, whatever the batch may take."""

    def deliver(
        self, messages: Sequence[Message], *, owner: str, budget_seconds: int, lease_seconds: int
    ) -> list[Receipt]:
        """Deliver a batch."""
        return Deliverer.deliver(
            self, messages, owner=owner, budget_seconds=budget_seconds, lease_seconds=1
        )


def _details(kind: str, address: str, at: str) -> Mapping[str, Any]:
    people = [{"emailAddress": address}]
    if kind == "Bounce":
        said = {"bounceType": "Permanent", "bouncedRecipients": people, "timestamp": at}
        return {"bounce": said}
    if kind == "Complaint":
        return {"complaint": {"complainedRecipients": people, "timestamp": at}}
    if kind == "DeliveryDelay":
        return {"deliveryDelay": {"delayType": "MailboxFull"}}
    return {}


def _is_open(row: Item) -> bool:
    return row["st"]["S"] in (State.PENDING, State.RETRY, State.SENDING)


def simulate(
    seed: int,
    policy: UnknownPolicy,
    design: Design | None = None,
    *,
    storm: Weather | None = None,
    storm_seconds: int = STORM_SECONDS,
) -> Result:
    """Run one seed, in its own weather or in a given one; raises Violation."""
    return World(seed, policy, design, storm=storm, storm_seconds=storm_seconds).run()
