"""Do what a task allows when its queue did not take it: run here, keep for later, or raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sendmill.errors import StoreUnavailable
from sendmill.tasks.envelope import write
from sendmill.tasks.errors import EnqueueError, EnqueueRejected, EnqueueUncertain, Skip
from sendmill.tasks.execution import receipt_key, run
from sendmill.tasks.function import TaskFunction
from sendmill.tasks.listening import logger, tell
from sendmill.tasks.plan import Plan
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.uuid7 import new_id

if TYPE_CHECKING:
    from sendmill.tasks.receipts import Receipts
    from sendmill.tasks.runtime import Runtime

# How long a sender holds a task that it runs itself, in seconds, or for the task's timeout if that
# is longer: a web request is no main thread, so nothing cuts the run off when its time is over.
_LEASE_SECONDS = 900.0


def fall_back(plan: Plan, error: EnqueueError, found: Runtime) -> EnqueueResult:
    """Return what became of a task that was not sent, or raise why."""
    config = found.config
    if isinstance(error, EnqueueRejected) and not config.fallback_on_rejected:
        raise error
    uncertain = isinstance(error, EnqueueUncertain)
    if uncertain and config.on_uncertain == "assume_sent":
        tell("fallback", **_about(plan), error=error, way="assume_sent")
        return EnqueueResult(task_id=plan.envelope.id, mode="queued", error=error)
    if plan.task is None or plan.is_delayed or not plan.policy.sync_fallback:
        return _keep(plan, error, found)
    if not uncertain or config.on_uncertain == "run":
        return _run(plan, plan.task, error, found)
    receipts = found.receipts
    key = receipt_key(plan.task, plan.envelope)
    if config.on_uncertain == "raise" or receipts is None or not receipts.shared or not key:
        return _keep(plan, error, found)
    return _claim_and_run(plan, plan.task, error, found, receipts, key)


def _keep(plan: Plan, error: EnqueueError, found: Runtime) -> EnqueueResult:
    """Put a task into the outbox, or raise. Its receipt makes a second copy harmless."""
    outbox = found.config.outbox
    if outbox is None or (isinstance(error, EnqueueUncertain) and plan.policy.idempotency is None):
        raise error
    envelope = plan.envelope
    outbox.put(
        found.keyring.sign(write(envelope)),
        task_id=envelope.id,
        queue=plan.queue,
        not_before=envelope.not_before,
        group=envelope.group,
    )
    tell("fallback", **_about(plan), error=error, way="outbox")
    return EnqueueResult(task_id=envelope.id, mode="outbox", error=error)


def _claim_and_run(
    plan: Plan,
    task: TaskFunction[..., Any],
    error: EnqueueError,
    found: Runtime,
    receipts: Receipts,
    key: str,
) -> EnqueueResult:
    """Run a task that may be on the queue as well: whoever claims it first runs it."""
    owner = f"sender-{new_id()}"
    lease = max(_LEASE_SECONDS, task.policy.timeout or 0)
    try:
        claim = receipts.claim(key, owner=owner, task=task.name, lease_seconds=lease)
    except StoreUnavailable as away:
        raise error from away
    if claim.state != "acquired":
        # a worker holds it: so it was sent
        return EnqueueResult(task_id=plan.envelope.id, mode="queued", error=error)
    result = _run(plan, task, error, found)
    try:
        if result.error is None:
            receipts.complete(key, owner=owner)
        else:
            receipts.release(key, owner=owner, error=repr(result.error))
    except StoreUnavailable:
        logger.exception("task_receipt_not_written", extra={"task_id": plan.envelope.id})
    return result


def _run(
    plan: Plan, task: TaskFunction[..., Any], error: EnqueueError, found: Runtime
) -> EnqueueResult:
    tell("fallback", **_about(plan), error=error, way="run")
    try:
        value = run(task, plan.envelope, plan.context)
    except Skip:
        value = None
    except Exception as failed:
        if found.config.outbox is not None:
            return _keep(plan, error, found)
        logger.exception("task_fallback_failed %s", task.name)
        return EnqueueResult(task_id=plan.envelope.id, mode="fallback_sync", error=failed)
    return EnqueueResult(task_id=plan.envelope.id, mode="fallback_sync", value=value)


def _about(plan: Plan) -> dict[str, str]:
    return {"task": plan.envelope.task, "task_id": plan.envelope.id, "queue": plan.queue}
