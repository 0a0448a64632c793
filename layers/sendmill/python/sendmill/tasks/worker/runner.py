"""Run the tasks of a batch of messages, each on its own.

What happens to a message:

====================================  =============================================================
its task                              then
====================================  =============================================================
returns, or raises Skip               acknowledged, its receipt completed
has run already                       acknowledged
runs elsewhere                        comes again when that lease has ended
would not end in time                 comes again within 5 seconds, no attempt counted
is signed by a key unknown here       comes again in 5 seconds, then in twice as many, up to 15 min
raises, attempts are left             comes again after the backoff of its attempt
raises what is permanent, or had its  copied to the dead-letter queue with the reason, acknowledged
last attempt; is unknown; cannot be   (without a dead-letter queue: left to the redrive policy)
read; is not signed
====================================  =============================================================

The worker never sends a message to its own queue: Lambda ends such chains after 16 hops.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from sendmill.errors import QueueUnavailable, RetryableError, StoreUnavailable
from sendmill.tasks.claimcheck import check_out
from sendmill.tasks.context import TaskContext
from sendmill.tasks.envelope import Envelope
from sendmill.tasks.errors import InvalidEnvelope, InvalidTaskCall, Retry, Skip
from sendmill.tasks.execution import receipt_key, run
from sendmill.tasks.function import TaskFunction
from sendmill.tasks.listening import logger, tell
from sendmill.tasks.policy import LONGEST_VISIBILITY
from sendmill.tasks.receipts import Claim
from sendmill.tasks.registry import Registry, registry
from sendmill.tasks.runtime import Runtime, runtime
from sendmill.tasks.uuid7 import new_id
from sendmill.tasks.worker.deadline import MARGIN_SECONDS, fits, limited
from sendmill.tasks.worker.delivery import Delivery, Inbox
from sendmill.tasks.worker.understand import understand

# How long a task without end (a local worker has no deadline) holds its receipt, in seconds.
_LEASE_SECONDS = 300.0
# A message that cannot be handled for a passing reason of ours comes again after so long, seconds;
# each time twice as long, for SQS counts receives, and makes a dead letter of the last one.
_SOON = 5
_LATEST = 900
_RECEIPT_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Hold one task of one message while it is handled."""

    task: TaskFunction[..., Any]
    envelope: Envelope
    delivery: Delivery
    key: str
    owner: str
    attempt: int = 1

    def about(self) -> dict[str, Any]:
        return {"task": self.task.name, "task_id": self.envelope.id, "attempt": self.attempt}


class Runner:
    """Handle batches; ``remaining`` says how many seconds the process has left."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        runtime: Callable[[], Runtime] = runtime,
        registry: Registry = registry,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inbox = inbox
        self._runtime = runtime
        self._registry = registry
        self._clock = clock
        self._sleep = sleep

    def run(
        self,
        deliveries: Sequence[Delivery],
        *,
        remaining: Callable[[], float] = lambda: float("inf"),
    ) -> list[Delivery]:
        """Handle messages; return those that must come again, in order."""
        lanes = min(self._runtime().config.concurrency, len(deliveries))
        if lanes > 1 and not any(delivery.is_fifo for delivery in deliveries):
            with ThreadPoolExecutor(lanes) as pool:
                jobs = [
                    pool.submit(copy_context().run, self._handle, found, remaining, number < lanes)
                    for number, found in enumerate(deliveries)
                ]
                done = [job.result() for job in jobs]
            return [d for d, well in zip(deliveries, done, strict=True) if not well]
        failed: list[Delivery] = []
        for number, delivery in enumerate(deliveries):
            # in a FIFO queue nothing overtakes what failed before it in its group
            blocked = delivery.is_fifo and delivery.group in {f.group for f in failed}
            if blocked or not self._handle(delivery, remaining, number == 0):
                failed.append(delivery)
        return failed

    def _handle(self, delivery: Delivery, remaining: Callable[[], float], is_first: bool) -> bool:
        """Handle one message; say whether it may be deleted. Nothing it does reaches the others."""
        try:
            envelopes = understand(delivery, self._runtime())
            done = [self._handle_task(e, delivery, remaining, is_first) for e in envelopes]
            return all(done)
        except InvalidEnvelope as error:
            tell("poison", error=error, message_id=delivery.message_id, queue=delivery.queue)
            return self._bury(delivery, reason="poison", error=error)
        except RetryableError as error:
            logger.warning("task_not_handled %s: %s", delivery.message_id, error)
            soon = _later(delivery)
            self._hide(delivery, soon + random.random() * soon)  # noqa: S311  spreads load
            return False
        except Exception:
            logger.exception("task_not_handled %s", delivery.message_id)
            return False

    def _handle_task(
        self,
        envelope: Envelope,
        delivery: Delivery,
        remaining: Callable[[], float],
        is_first: bool,
    ) -> bool:
        found = self._runtime()
        task = self._registry.find(envelope.task, found.config.modules)
        if task is None:
            error = InvalidTaskCall(f"no task is registered as {envelope.task!r}")
            tell("unknown_task", task=envelope.task, task_id=envelope.id, error=error)
            return self._bury(delivery, reason="unknown_task", error=error, envelope=envelope)
        early = (envelope.not_before.timestamp() if envelope.not_before else 0) - self._clock()
        # the first one has all the time that there is: later would not be better
        if early > 1 or not (is_first or fits(task.policy.timeout, remaining())):
            tell("postponed", task=task.name, task_id=envelope.id)
            soon = random.random() * _later(delivery)  # noqa: S311  another batch than the others
            self._hide(delivery, early if early > 1 else soon)
            return False
        envelope = check_out(envelope, found.config)
        key = receipt_key(task, envelope)
        owner = f"worker-{new_id()}"
        claim = self._claim(key, owner, task, remaining())
        this = _Run(
            task=task,
            envelope=envelope,
            delivery=delivery,
            key=key,
            owner=owner,
            # a redrive counts from 1 again, and a receive without a run counts for nothing
            attempt=min(claim.attempt, delivery.receives),
        )
        if claim.state == "completed":
            tell("duplicate", **this.about())
            return True
        if claim.state == "held":
            tell("held", **this.about(), seconds=round(claim.lease_seconds))
            self._hide(delivery, claim.lease_seconds + 1 + random.random())  # noqa: S311
            return False
        if this.attempt > task.policy.max_attempts:
            # it was claimed as often as it may run, and nobody came back to say what happened
            return self._dead(this, "worker_died", RuntimeError("its worker ended every time"))
        return self._run(this, remaining)

    def _run(self, this: _Run, remaining: Callable[[], float]) -> bool:
        tell("started", **this.about())
        try:
            with limited(this.task.policy.timeout, remaining()):
                value = run(
                    this.task,
                    this.envelope,
                    self._context(this, remaining),
                    around=self._runtime().config.around,
                )
        except Skip as reason:
            self._complete(this)
            tell("skipped", **this.about(), reason=str(reason))
            return True
        except KeyboardInterrupt:
            self._release(this, "interrupted")
            raise
        except BaseException as error:
            return self._failed(this, error)
        self._complete(this)
        tell("succeeded", **this.about(), value=value)
        return True

    def _failed(self, this: _Run, error: BaseException) -> bool:
        policy = this.task.policy
        if isinstance(error, InvalidTaskCall):
            return self._dead(this, "invalid_arguments", error)
        if not isinstance(error, RetryableError) and policy.is_permanent(error):
            return self._dead(this, "permanent", error)
        if this.attempt >= policy.max_attempts:
            return self._dead(this, "attempts_exhausted", error)
        self._release(this, _said(error))
        asked = error.delay if isinstance(error, Retry) else None
        seconds = policy.backoff(this.attempt) if asked is None else asked
        tell("retried", **this.about(), error=error, seconds=round(seconds))
        self._hide(this.delivery, seconds)
        return False

    def _dead(self, this: _Run, reason: str, error: BaseException) -> bool:
        buried = self._bury(
            this.delivery,
            reason=reason,
            error=error,
            envelope=this.envelope,
            attempts=this.attempt,
        )
        # free again: whoever redrives the dead letter wants it to run
        self._release(this, _said(error), final=buried)
        tell("dead", **this.about(), error=error, reason=reason)
        return buried

    def _bury(
        self,
        delivery: Delivery,
        *,
        reason: str,
        error: BaseException,
        envelope: Envelope | None = None,
        attempts: int = 0,
    ) -> bool:
        said: dict[str, str] = {
            "reason": reason,
            "error": _said(error),
            "message_id": delivery.message_id,
            "queue": delivery.queue,
            "receives": str(delivery.receives),
            "attempts": str(attempts),
            "failed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock())),
        }
        if envelope is not None:
            said |= {"task": envelope.task, "task_id": envelope.id}
        try:
            buried = self._inbox.bury(delivery, said)
        except QueueUnavailable as away:
            logger.warning("task_not_buried %s: %s", delivery.message_id, away)
            buried = False
        if not buried:
            self._hide(delivery, _SOON)
        return buried

    def _claim(self, key: str, owner: str, task: TaskFunction[..., Any], remaining: float) -> Claim:
        receipts = self._runtime().receipts
        if receipts is None or not key:
            return Claim(state="acquired", attempt=LONGEST_VISIBILITY)
        known = [s for s in (task.policy.timeout, remaining) if s is not None and s != float("inf")]
        lease = min(known, default=_LEASE_SECONDS) + MARGIN_SECONDS
        try:
            return receipts.claim(key, owner=owner, task=task.name, lease_seconds=lease)
        except StoreUnavailable:
            # the answer may be lost and the claim ours: the same owner may ask again
            return receipts.claim(key, owner=owner, task=task.name, lease_seconds=lease)

    def _complete(self, this: _Run) -> None:
        """Complete a receipt; the work is done, so what fails here is logged and no more."""
        receipts = self._runtime().receipts
        if receipts is None or not this.key:
            return
        for left in reversed(range(_RECEIPT_TRIES)):
            try:
                ours = receipts.complete(this.key, owner=this.owner)
            except StoreUnavailable:
                if not left:
                    logger.exception("task_receipt_not_written %s", this.envelope.id)
                self._sleep(0.1 * bool(left))
                continue
            if not ours:
                logger.warning("task_receipt_lost %s", this.envelope.id)
            return

    def _release(self, this: _Run, error: str, *, final: bool = False) -> None:
        receipts = self._runtime().receipts
        if receipts is None or not this.key:
            return
        try:
            receipts.release(this.key, owner=this.owner, error=error, final=final)
        except StoreUnavailable:
            # the lease ends by itself
            logger.warning("task_receipt_not_released %s", this.envelope.id)

    def _hide(self, delivery: Delivery, seconds: float) -> None:
        whole = max(0, min(LONGEST_VISIBILITY, round(seconds)))
        try:
            self._inbox.hide(delivery, whole)
        except QueueUnavailable as error:
            # it comes again when its visibility timeout ends
            logger.warning("task_comes_late %s: %s", delivery.message_id, error)

    def _context(self, this: _Run, remaining: Callable[[], float]) -> TaskContext:
        found = this.envelope
        return TaskContext(
            task_id=found.id,
            task=found.task,
            key=this.key,
            attempt=this.attempt,
            max_attempts=this.task.policy.max_attempts,
            enqueued_at=found.enqueued_at,
            queue=this.delivery.queue,
            message_id=this.delivery.message_id,
            redriven=this.delivery.redriven,
            correlation_id=found.correlation_id or found.id,
            traceparent=found.traceparent,
            remaining=remaining,
        )


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _later(delivery: Delivery) -> float:
    """Return after how many seconds a message comes again that nobody began to handle."""
    return float(min(_LATEST, _SOON * 2 ** min(delivery.receives - 1, 16)))
