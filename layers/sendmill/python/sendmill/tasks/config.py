"""Hold the settings of the tasks: read from the environment once, changed by ``configure``."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from sendmill.tasks.errors import TaskConfigError, UnknownQueue
from sendmill.tasks.payload import loads

if TYPE_CHECKING:
    from sendmill.tasks.context import TaskContext
    from sendmill.tasks.outbox import Outbox
    from sendmill.tasks.receipts import Receipts
    from sendmill.tasks.transports import Transport

DEFAULT_QUEUE = "default"
# SQS takes 1 MiB where that is rolled out and 256 KiB everywhere.
_EVERYWHERE = 256 * 1024
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"", "0", "false", "no", "off"}

# Takes over a send until the transaction commits: True; or there is no transaction: False.
CommitHook = Callable[[Callable[[], object]], bool]
Around = Callable[["TaskContext"], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """Settings of the tasks; the environment names them as docs/tasks.md lists."""

    # Where tasks go. Without ``transport``: SQS when use_async, else run at once.
    use_async: bool = False
    transport: Transport | None = None
    queues: Mapping[str, str] = field(default_factory=dict)
    dead_letter_queues: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    max_message_bytes: int = _EVERYWHERE
    # Modules that register tasks, imported when a name is not known yet.
    modules: tuple[str, ...] = ()
    # What is done when SQS is away; all times in seconds.
    connect_timeout: float = 0.8
    read_timeout: float = 1.8
    breaker_failures: int = 3
    breaker_cooldown: float = 30
    on_uncertain: Literal["claim", "raise", "run", "assume_sent"] = "claim"
    fallback_on_rejected: bool = False
    outbox: Outbox | None = None
    on_commit: CommitHook | None = None
    # Runs a blocking call for a coroutine; without it a thread of asyncio's does.
    in_thread: Callable[..., Awaitable[Any]] | None = None
    # Receipts: who has run what.
    receipts: Receipts | None = None
    receipts_table: str = ""
    receipt_days: int = 30
    # Large arguments go to S3.
    claim_check_bucket: str = ""
    claim_check_prefix: str = "tasks/"
    claim_check_bytes: int = 0
    # Signatures: keys by id, the first one signs.
    signing_keys: Mapping[str, str] = field(default_factory=dict)
    accept_unsigned: frozenset[str] = frozenset()
    # Delays over 15 minutes.
    scheduler_role_arn: str = ""
    scheduler_group: str = "default"
    scheduler_dlq_url: str = ""
    # S3 events: "bucket/prefix" to the name of a task.
    s3_routes: Mapping[str, str] = field(default_factory=dict)
    # Context managers around every run of a task in a worker, outermost first.
    around: tuple[Around, ...] = ()
    concurrency: int = 1
    default_from_email: str = ""

    def __post_init__(self) -> None:
        if self.on_uncertain not in ("claim", "raise", "run", "assume_sent"):
            raise TaskConfigError(f"on_uncertain has no choice {self.on_uncertain!r}")
        if self.concurrency < 1:
            raise TaskConfigError(f"concurrency must be at least 1 (got {self.concurrency})")

    def queue_of(self, task: str, asked: str = "") -> str:
        """Return the name of the queue of a task: asked for, by route, or the default."""
        return asked or self.routes.get(task) or DEFAULT_QUEUE

    def queue_url(self, queue: str) -> str:
        """Return the URL of a queue by name; raises UnknownQueue."""
        url = self.queues.get(queue)
        if not url:
            known = ", ".join(sorted(self.queues)) or "none"
            raise UnknownQueue(f"no queue is configured as {queue!r} (configured: {known})")
        return url


def from_environment(environ: Mapping[str, str] = os.environ) -> TaskConfig:
    """Return the settings that an environment holds; raises TaskConfigError."""
    queues = _mapping(environ, "SENDMILL_TASK_QUEUES")
    if url := environ.get("AWS_SQS_QUEUE_URL"):
        queues.setdefault(DEFAULT_QUEUE, url)
    dead = _mapping(environ, "SENDMILL_TASK_DLQS")
    if url := environ.get("AWS_SQS_DLQ_URL"):
        dead.setdefault(DEFAULT_QUEUE, url)
    return TaskConfig(
        use_async=_truth(environ, "USE_ASYNC_TASKS"),
        queues=queues,
        dead_letter_queues=dead,
        routes=_mapping(environ, "SENDMILL_TASK_ROUTES"),
        region=environ.get("AWS_SQS_REGION", ""),
        modules=tuple(filter(None, environ.get("SENDMILL_TASK_MODULES", "").split(","))),
        receipts_table=environ.get("SENDMILL_TASK_RECEIPTS_TABLE", ""),
        claim_check_bucket=environ.get("SENDMILL_TASK_BUCKET", ""),
        signing_keys=_mapping(environ, "SENDMILL_TASK_SIGNING_KEYS"),
        accept_unsigned=frozenset(
            filter(None, environ.get("SENDMILL_TASK_ACCEPT_UNSIGNED", "").split(","))
        ),
        scheduler_role_arn=environ.get("SENDMILL_TASK_SCHEDULER_ROLE_ARN", ""),
        scheduler_group=environ.get("SENDMILL_TASK_SCHEDULER_GROUP", "") or "default",
        scheduler_dlq_url=environ.get("SENDMILL_TASK_SCHEDULER_DLQ_URL", ""),
        s3_routes=_mapping(environ, "SENDMILL_TASK_S3_ROUTES"),
        concurrency=_number(environ, "SENDMILL_TASK_CONCURRENCY", 1),
        max_message_bytes=_number(environ, "SENDMILL_TASK_MAX_BYTES", _EVERYWHERE),
        default_from_email=environ.get("DEFAULT_FROM_EMAIL", ""),
    )


_lock = threading.RLock()
_current: TaskConfig | None = None


def current() -> TaskConfig:
    """Return the settings in force, the environment's until something is configured."""
    global _current
    if _current is None:
        with _lock:
            _current = _current or from_environment()
    return _current


def configure(**changes: Any) -> TaskConfig:
    """Change settings for the whole process and return them; raises TaskConfigError.

    Takes the fields of :class:`TaskConfig`. What is not named stays as it was.
    """
    global _current
    unknown = set(changes) - {found.name for found in fields(TaskConfig)}
    if unknown:
        raise TaskConfigError(f"no such setting: {', '.join(sorted(unknown))}")
    with _lock:
        _current = replace(current(), **changes)
        return _current


def reset() -> None:
    """Forget what was configured: the environment is read again."""
    global _current
    with _lock:
        _current = None


@contextmanager
def override(**changes: Any) -> Iterator[TaskConfig]:
    """Change settings inside a ``with`` block: for tests."""
    global _current
    before = _current
    try:
        yield configure(**changes)
    finally:
        _current = before


def _truth(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in _TRUE | _FALSE:
        raise TaskConfigError(f"{name} must be true or false (got {value!r})")
    return value in _TRUE


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "")
    if value and not value.isdecimal():
        raise TaskConfigError(f"{name} must be a number (got {value!r})")
    return int(value) if value else default


def _mapping(environ: Mapping[str, str], name: str) -> dict[str, str]:
    """Read ``a=1,b=2`` or a JSON object of strings."""
    text = environ.get(name, "").strip()
    if text.startswith("{"):
        try:
            found = loads(text)
        except ValueError as error:
            raise TaskConfigError(f"{name} is no JSON object: {error}") from error
        return {str(key): str(value) for key, value in found.items()}
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (key.strip() and value.strip()) for key, _, value in pairs):
        raise TaskConfigError(f"{name} must be name=value,name=value or a JSON object")
    return {key.strip(): value.strip() for key, _, value in pairs}
