"""Send tasks: make the envelope, choose the way, and be honest about what became of it.

==================  ===================  ==========================================================
USE_ASYNC_TASKS     SQS answers          then
==================  ===================  ==========================================================
false               (not asked)          run here; its errors pass through; a delay is ignored
true                yes                  ``queued``
true                unreachable          ``sync_fallback`` tasks run here, others go to the outbox,
                                         or EnqueueUnreachable is raised; nothing delayed runs early
true                nobody knows         the same, after the task was claimed in the receipts: the
                                         copy on the queue, if there is one, is skipped
true                no                   EnqueueRejected: a wrong setting must be seen
==================  ===================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sendmill.tasks import context
from sendmill.tasks.claimcheck import check_in
from sendmill.tasks.envelope import Envelope, write
from sendmill.tasks.errors import (
    DelayTooLong,
    EnqueueError,
    EnqueueRejected,
    EnqueueUnreachable,
    InvalidTaskCall,
    PayloadTooLarge,
    Skip,
    TaskConfigError,
)
from sendmill.tasks.execution import run
from sendmill.tasks.fallback import fall_back
from sendmill.tasks.function import Arguments, TaskFunction
from sendmill.tasks.listening import logger, tell
from sendmill.tasks.payload import require_json
from sendmill.tasks.plan import UNREGISTERED, Plan, SendOptions
from sendmill.tasks.policy import Policy
from sendmill.tasks.registry import registry
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.runtime import Runtime, runtime
from sendmill.tasks.schedule import LONGEST_DELAY, schedule
from sendmill.tasks.transports import Outgoing
from sendmill.tasks.uuid7 import new_id


def send_call(
    task: TaskFunction[..., Any], arguments: Arguments, options: SendOptions
) -> EnqueueResult:
    """Send a call of a task whose arguments are JSON already."""
    return _dispatch(plan_call(task, arguments, options), runtime())


def send_named(name: str, payload: Mapping[str, Any], options: SendOptions) -> EnqueueResult:
    """Send a task by name; raises UnknownTask when it has to run here and is not registered."""
    return _dispatch(plan_named(name, payload, options), runtime())


def plan_call(task: TaskFunction[..., Any], arguments: Arguments, options: SendOptions) -> Plan:
    """Return what is to be sent; raises DelayTooLong, InvalidTaskCall or PayloadTooLarge."""
    found = _plan(task.name, arguments, options, task.policy)
    return replace(found, task=task)


def plan_named(name: str, payload: Mapping[str, Any], options: SendOptions) -> Plan:
    """Return what is to be sent by name."""
    modules = runtime().config.modules
    if runtime().is_synchronous:
        registry.get(name, modules)
    task = registry.find(name, modules)
    if task is not None:
        return plan_call(task, task.arguments((), payload), options)
    if not isinstance(payload, Mapping):
        raise InvalidTaskCall(f"{name}: payload must be a dict (got {type(payload).__name__})")
    kwargs = dict(payload)
    require_json(kwargs, "payload")
    return _plan(name, ([], kwargs), options, UNREGISTERED)


def outgoing(plan: Plan, found: Runtime) -> Outgoing:
    """Return the message of a plan, signed, its arguments in S3 when they are large."""
    config, envelope = found.config, plan.envelope
    body = write(envelope)
    if size := _too_large(body, found):
        if not config.claim_check_bucket:
            raise PayloadTooLarge(
                f"{envelope.task}: the message has {size} bytes, {config.max_message_bytes} fit; "
                "send an id, or set claim_check_bucket"
            )
        envelope = check_in(envelope, config)
        body = write(envelope)
    return Outgoing(
        body=found.keyring.sign(body),
        queue=plan.queue,
        task=envelope.task,
        task_id=envelope.id,
        delay_seconds=plan.delay_seconds,
        group=envelope.group,
        dedup=envelope.dedup,
        resend=plan.policy.idempotency is not None,
    )


def send_planned(plan: Plan, found: Runtime) -> EnqueueResult:
    """Send a plan now, falling back as its task allows; raises EnqueueError."""
    try:
        message_id = _send(plan, found)
    except EnqueueError as error:
        return fall_back(plan, error, found)
    tell("enqueued", task=plan.envelope.task, task_id=plan.envelope.id, queue=plan.queue)
    return EnqueueResult(task_id=plan.envelope.id, mode="queued", message_id=message_id)


def deferred(plans: Sequence[Plan], send: Callable[[], object], found: Runtime) -> bool:
    """Hand a send to the transaction that is open, if there is one and it is wanted."""
    wanted, hook = plans[0].options.on_commit, found.config.on_commit
    if wanted is False or (hook is None and wanted == "auto"):
        return False
    if hook is None:
        raise TaskConfigError("on_commit=True needs sendmill.contrib.django, or a hook of your own")
    if not found.config.claim_check_bucket:
        for plan in plans:  # what is too large is refused here, while the caller still listens
            outgoing(plan, found)
    return hook(send)


def _dispatch(plan: Plan, found: Runtime) -> EnqueueResult:
    if found.is_synchronous:
        return _run_here(plan)
    found.transport  # noqa: B018  a queue that is not set is said before a transaction opens
    if deferred([plan], lambda: send_planned(plan, found), found):
        return EnqueueResult(task_id=plan.envelope.id, mode="on_commit")
    return send_planned(plan, found)


def _run_here(plan: Plan) -> EnqueueResult:
    if plan.is_delayed:
        logger.warning("task_delay_ignored %s", plan.envelope.task)
    assert plan.task is not None  # noqa: S101  plan_named refused unknown names
    try:
        value = run(plan.task, plan.envelope, plan.context)
    except Skip:
        value = None
    return EnqueueResult(task_id=plan.envelope.id, mode="sync", value=value)


def _send(plan: Plan, found: Runtime) -> str | None:
    breaker = found.breaker(plan.queue)
    if not breaker.allows():
        raise EnqueueUnreachable(
            f"queue {plan.queue!r} failed several times in a row and is left alone for a while",
            task_id=plan.envelope.id,
        )
    try:
        sent = _send_or_schedule(plan, found)
    except EnqueueRejected:
        breaker.succeeded()
        raise
    except EnqueueError as error:
        if breaker.failed():
            tell("breaker_opened", task=plan.envelope.task, queue=plan.queue, error=error)
        raise
    breaker.succeeded()
    return sent


def _send_or_schedule(plan: Plan, found: Runtime) -> str | None:
    message = outgoing(plan, found)
    if plan.delay_seconds <= LONGEST_DELAY:
        return found.transport.send(message)
    at = plan.envelope.not_before or datetime.now(UTC)
    schedule(message.body, task_id=message.task_id, queue=plan.queue, at=at, config=found.config)
    return None


def _plan(name: str, arguments: Arguments, options: SendOptions, policy: Policy) -> Plan:
    now = datetime.now(UTC)
    config = runtime().config
    delay = _delay(options, now)
    if delay > LONGEST_DELAY and not (config.scheduler_role_arn or runtime().is_synchronous):
        raise DelayTooLong(
            f"{name}: {delay} s is longer than SQS delays ({LONGEST_DELAY} s); set "
            "scheduler_role_arn to have EventBridge Scheduler send it"
        )
    task_id = options.task_id or new_id()
    envelope = Envelope(
        id=task_id,
        task=name,
        args=tuple(arguments[0]),
        kwargs=arguments[1],
        version=policy.version,
        enqueued_at=now,
        not_before=now + timedelta(seconds=delay)
        if options.run_at or delay > LONGEST_DELAY
        else None,
        dedup=options.dedup_key,
        group=options.group,
        traceparent=context.traceparent(),
        correlation_id=context.correlation_id() or task_id,
    )
    queue = options.queue or policy.queue
    return Plan(
        envelope=envelope,
        task=None,
        queue=config.queue_of(name, queue),
        delay_seconds=delay,
        options=options,
    )


def _delay(options: SendOptions, now: datetime) -> int:
    seconds: float = options.delay_seconds
    if options.run_at is not None:
        if options.run_at.tzinfo is None:
            raise InvalidTaskCall("run_at must know its time zone (got a naive datetime)")
        seconds = max(seconds, (options.run_at - now).total_seconds())
    if seconds < 0:
        if options.run_at is None:
            raise InvalidTaskCall(f"delay_seconds must not be negative (got {seconds})")
        return 0
    return int(-(-seconds // 1))


def _too_large(body: str, found: Runtime) -> int:
    """Return the size of a body that must not travel as it is, or 0."""
    config = found.config
    size = len(body.encode())
    limit = config.max_message_bytes - _SIGNATURE_BYTES * bool(found.keyring)
    if config.claim_check_bucket and config.claim_check_bytes:
        limit = min(limit, config.claim_check_bytes)
    return size if size > limit else 0


# Longest key id, digest and the JSON around them.
_SIGNATURE_BYTES = 64 + 64 + 40
