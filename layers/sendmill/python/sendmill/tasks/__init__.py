"""Run functions in the background: send them to SQS, run them in Lambda or in any process.

::

    from sendmill.tasks import task

    @task(name="resize", max_attempts=3, timeout=60)
    def resize(image_id: int) -> None: ...

    resize.send(image_id=5)             # to the queue, or at once when USE_ASYNC_TASKS is off
    resize(image_id=5)                  # a plain call

Names, all importable from here:

- declare: ``task Task register_handler Policy exponential fixed steps``
- send: ``sqs_client send_task send_many send_notification_email process_guard_report``,
  ``EnqueueResult``
- work: ``lambda_handler`` (SQS event, context), :mod:`sendmill.tasks.worker.runner`,
  ``python -m sendmill.tasks worker``
- settings: ``configure`` (the fields of ``TaskConfig``), :mod:`sendmill.tasks.config`
- context: ``current_task correlation_id propagating TaskContext``
- follow: ``listen unlisten TaskEvent`` (metrics, signals)
- errors: all of :mod:`sendmill.tasks.errors`

What others plug in, each a Protocol or a callable:

- receipts, ``configure(receipts=...)``: ``claim(key, *, owner, task, lease_seconds) -> Claim``,
  ``complete(key, *, owner) -> bool``, ``release(key, *, owner, error="", final=False) -> bool``,
  attribute ``shared`` (:mod:`sendmill.tasks.receipts`);
- an outbox, ``configure(outbox=...)``: ``put(body, *, task_id, queue, not_before, group)``;
- a transaction, ``configure(on_commit=hook)``: ``hook(send) -> bool``, True when it will call
  ``send`` at commit, False when no transaction is open;
- a name that nobody registered, ``add_resolver(name -> Task | None)``;
- whatever must surround a run in a worker, ``configure(around=(context_manager_of_context,))``;
- handlers that come with Sendmill: the module ``sendmill.tasks.builtin``, imported when a name is
  not known; modules of one's own by ``configure(modules=("myapp.tasks",))``.

Nothing here imports boto3, pydantic or Django before it is needed, and this module imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sendmill.tasks.client import SqsClient, send_many, send_task, sqs_client
    from sendmill.tasks.config import TaskConfig, configure
    from sendmill.tasks.context import TaskContext, correlation_id, current_task, propagating
    from sendmill.tasks.declaration import Task, register_handler, task
    from sendmill.tasks.enqueuers import process_guard_report, send_notification_email
    from sendmill.tasks.envelope import Envelope
    from sendmill.tasks.errors import (
        BadSignature,
        DelayTooLong,
        EnqueueError,
        EnqueueRejected,
        EnqueueUncertain,
        EnqueueUnreachable,
        InvalidEnvelope,
        InvalidTaskCall,
        PayloadNotSerializable,
        PayloadTooLarge,
        PermanentFailure,
        Retry,
        Skip,
        TaskConfigError,
        TaskTimeout,
        UnknownQueue,
        UnknownSigningKey,
        UnknownTask,
    )
    from sendmill.tasks.listening import TaskEvent, listen, unlisten
    from sendmill.tasks.policy import Policy, exponential, fixed, steps
    from sendmill.tasks.receipts import Claim, Receipts
    from sendmill.tasks.registry import add_resolver
    from sendmill.tasks.result import EnqueueResult
    from sendmill.tasks.worker.handler import lambda_handler

_ERRORS = (
    "BadSignature DelayTooLong EnqueueError EnqueueRejected EnqueueUncertain EnqueueUnreachable "
    "InvalidEnvelope InvalidTaskCall PayloadNotSerializable PayloadTooLarge PermanentFailure Retry "
    "Skip TaskConfigError TaskTimeout UnknownQueue UnknownSigningKey UnknownTask"
)
_PLACES = {
    "client": "SqsClient send_many send_task sqs_client",
    "config": "TaskConfig configure",
    "context": "TaskContext correlation_id current_task propagating",
    "enqueuers": "process_guard_report send_notification_email",
    "envelope": "Envelope",
    "errors": _ERRORS,
    "listening": "TaskEvent listen unlisten",
    "policy": "Policy exponential fixed steps",
    "receipts": "Claim Receipts",
    "registry": "add_resolver",
    "result": "EnqueueResult",
    "declaration": "Task register_handler task",
    "worker.handler": "lambda_handler",
}
_WHERE = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "BadSignature",
    "Claim",
    "DelayTooLong",
    "EnqueueError",
    "EnqueueRejected",
    "EnqueueResult",
    "EnqueueUncertain",
    "EnqueueUnreachable",
    "Envelope",
    "InvalidEnvelope",
    "InvalidTaskCall",
    "PayloadNotSerializable",
    "PayloadTooLarge",
    "PermanentFailure",
    "Policy",
    "Receipts",
    "Retry",
    "Skip",
    "SqsClient",
    "Task",
    "TaskConfig",
    "TaskConfigError",
    "TaskContext",
    "TaskEvent",
    "TaskTimeout",
    "UnknownQueue",
    "UnknownSigningKey",
    "UnknownTask",
    "add_resolver",
    "configure",
    "correlation_id",
    "current_task",
    "exponential",
    "fixed",
    "lambda_handler",
    "listen",
    "process_guard_report",
    "propagating",
    "register_handler",
    "send_many",
    "send_notification_email",
    "send_task",
    "sqs_client",
    "steps",
    "task",
    "unlisten",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
