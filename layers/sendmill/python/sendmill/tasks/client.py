"""Send tasks by name: ``sqs_client.send_task(task_name=..., payload=..., delay_seconds=...)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sendmill.tasks.errors import EnqueueError, EnqueueRejected, InvalidTaskCall
from sendmill.tasks.fallback import fall_back
from sendmill.tasks.listening import tell
from sendmill.tasks.plan import Plan, SendOptions
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.runtime import Runtime, runtime
from sendmill.tasks.schedule import LONGEST_DELAY
from sendmill.tasks.sending import deferred, outgoing, plan_named, send_named, send_planned

_ITEM = {
    "task_name",
    "payload",
    "delay_seconds",
    "queue",
    "dedup_key",
    "task_id",
    "group",
    "run_at",
}


class SqsClient:
    """Send tasks by name; the module's ``sqs_client`` is the one that everybody uses."""

    def send_task(
        self,
        task_name: str,
        payload: Mapping[str, Any],
        delay_seconds: float = 0,
        *,
        queue: str | None = None,
        dedup_key: str | None = None,
        task_id: str | None = None,
        group: str | None = None,
        run_at: datetime | None = None,
        on_commit: bool | Literal["auto"] = "auto",
    ) -> EnqueueResult:
        """Send one task; the payload is its keywords.

        A name that is registered here is checked against its signature or schema. One that only
        the worker knows is sent as it is. Raises what :meth:`sendmill.tasks.Task.send` raises, and
        UnknownTask when tasks are synchronous and the name is not registered.
        """
        return send_named(
            task_name,
            payload,
            SendOptions(
                delay_seconds=delay_seconds,
                run_at=run_at,
                queue=queue or "",
                dedup_key=dedup_key or "",
                group=group or "",
                task_id=task_id or "",
                on_commit=on_commit,
            ),
        )

    def send_many(
        self, items: Iterable[Mapping[str, Any]], *, on_commit: bool | Literal["auto"] = "auto"
    ) -> list[EnqueueResult]:
        """Send many tasks, ten to a request; return a result for each, in order.

        An item holds the keywords of :meth:`send_task`. A wrong item raises before anything is
        sent; what goes wrong on the way is the ``error`` of its result.
        """
        wanted = [_wanted(item, on_commit) for item in items]
        found = runtime()
        if found.is_synchronous:
            return [send_named(name, payload, options) for name, payload, options in wanted]
        plans = [plan_named(name, payload, options) for name, payload, options in wanted]
        if plans and deferred(plans, lambda: send_plans(plans, found), found):
            return [EnqueueResult(task_id=plan.envelope.id, mode="on_commit") for plan in plans]
        return send_plans(plans, found)


def send_plans(plans: Sequence[Plan], found: Runtime) -> list[EnqueueResult]:
    """Send plans, batch by batch for each queue; return a result for each, in order."""
    results: dict[int, EnqueueResult] = {}
    for queue in dict.fromkeys(plan.queue for plan in plans):
        here = [(n, plan) for n, plan in enumerate(plans) if plan.queue == queue]
        results |= _send_queue(here, found)
    return [results[n] for n in range(len(plans))]


def _send_queue(here: Sequence[tuple[int, Plan]], found: Runtime) -> dict[int, EnqueueResult]:
    long = [(n, plan) for n, plan in here if plan.delay_seconds > LONGEST_DELAY]
    short = [(n, plan) for n, plan in here if plan.delay_seconds <= LONGEST_DELAY]
    results = {n: _one(plan, found) for n, plan in long}
    if not short:
        return results
    if not found.breaker(short[0][1].queue).allows():
        return results | {n: _one(plan, found) for n, plan in short}
    sent = found.transport.send_many([outgoing(plan, found) for _, plan in short])
    for (n, plan), answer in zip(short, sent, strict=True):
        results[n] = _result(plan, answer, found)
    return results


def _result(plan: Plan, answer: str | EnqueueError, found: Runtime) -> EnqueueResult:
    breaker = found.breaker(plan.queue)
    if isinstance(answer, str):
        breaker.succeeded()
        tell("enqueued", task=plan.envelope.task, task_id=plan.envelope.id, queue=plan.queue)
        return EnqueueResult(task_id=plan.envelope.id, mode="queued", message_id=answer)
    if not isinstance(answer, EnqueueRejected):
        breaker.failed()
    try:
        return fall_back(plan, answer, found)
    except EnqueueError as error:
        return EnqueueResult(task_id=plan.envelope.id, mode="queued", error=error)


def _one(plan: Plan, found: Runtime) -> EnqueueResult:
    try:
        return send_planned(plan, found)
    except EnqueueError as error:
        return EnqueueResult(task_id=plan.envelope.id, mode="queued", error=error)


def _wanted(
    item: Mapping[str, Any], on_commit: bool | Literal["auto"]
) -> tuple[str, Mapping[str, Any], SendOptions]:
    unknown = set(item) - _ITEM
    if unknown or "task_name" not in item:
        raise InvalidTaskCall(f"an item has task_name and payload, not {sorted(unknown)}")
    options = {key: value for key, value in item.items() if key not in ("task_name", "payload")}
    made = SendOptions(**{k: v for k, v in options.items() if v is not None}, on_commit=on_commit)
    return str(item["task_name"]), item.get("payload") or {}, made


sqs_client = SqsClient()
send_task = sqs_client.send_task
send_many = sqs_client.send_many
