"""Turn Django's settings into those of :mod:`sendmill.tasks`.

Three places, each over the one before: the environment (as :mod:`sendmill.tasks.config` reads it);
the settings ``USE_ASYNC_TASKS``, ``AWS_SQS_QUEUE_URL``, ``AWS_SQS_REGION``, ``AWS_SQS_DLQ_URL`` and
``DEFAULT_FROM_EMAIL``; ``SENDMILL``, a dict of fields of
:class:`~sendmill.tasks.config.TaskConfig`; the ``OPTIONS`` of the backends in ``TASKS``.

No AWS client is made here and nothing is asked over the network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.signals import setting_changed
from django.db import close_old_connections, connections, transaction
from django.utils.module_loading import import_string

from sendmill.contrib.django.configured import ConfiguredBackend
from sendmill.tasks import config
from sendmill.tasks.errors import TaskConfigError

if TYPE_CHECKING:
    from sendmill.tasks.context import TaskContext

DEFAULT_DATABASE = "default"
# Options of a backend that are settings of the whole process, and their names there.
SHARED_OPTIONS = {
    "queue_urls": "queues",
    "dead_letter_queue_urls": "dead_letter_queues",
    "region_name": "region",
    "receipts_table": "receipts_table",
    "scheduler_role_arn": "scheduler_role_arn",
    "scheduler_group": "scheduler_group",
    "scheduler_dlq_url": "scheduler_dlq_url",
    "signing_keys": "signing_keys",
    "claim_check_bucket": "claim_check_bucket",
}
FALLBACK_OPTIONS = {
    "connect_timeout",
    "read_timeout",
    "breaker_failures",
    "breaker_cooldown",
    "on_uncertain",
    "fallback_on_rejected",
}
# Options that one backend keeps to itself.
OWN_OPTIONS = {
    "aliases",
    "database",
    "defaults",
    "modules",
    "on_commit",
    "priority_queues",
    "result_days",
    "result_store",
    "tasks",
}
# Options that name an object: a word for ours, or the dotted path of a class.
OBJECT_OPTIONS: dict[str, dict[str, str]] = {
    "transport": {"memory": "sendmill.tasks.transports.memory.MemoryTransport"},
    "receipts": {
        "memory": "sendmill.tasks.receipts.memory.MemoryReceipts",
        "orm": "sendmill.contrib.django.receipts.OrmReceipts",
    },
    "outbox": {"orm": "sendmill.contrib.django.outbox.OrmOutbox"},
}
OPTIONS = {*SHARED_OPTIONS, *OWN_OPTIONS, *OBJECT_OPTIONS, "fallback", "use_async"}
_SEED_SETTINGS = {
    "USE_ASYNC_TASKS": "use_async",
    "AWS_SQS_REGION": "region",
    "DEFAULT_FROM_EMAIL": "default_from_email",
}
# What settings raise that are wrong.
WRONG = (TaskConfigError, ImportError, TypeError)
_lock = threading.RLock()
_applied = False


def apply() -> None:
    """Configure the tasks from the settings, once until one of the settings changes."""
    global _applied
    if _applied:
        return
    with _lock:
        if not _applied:
            config.configure(**changes())
            _applied = True


def try_to_apply() -> None:
    """Configure the tasks if the settings allow it; the system checks say what is wrong."""
    with suppress(*WRONG):
        apply()


def changes() -> dict[str, Any]:
    """Return what the settings say, as keywords of :func:`sendmill.tasks.configure`."""
    found: dict[str, Any] = {
        "on_commit": send_on_commit(database()),
        "in_thread": with_the_views_connections,
        "around": (fresh_connections,),
    }
    for name, field in _SEED_SETTINGS.items():
        if getattr(settings, name, None) is not None:
            found[field] = getattr(settings, name)
    for name, field in (
        ("AWS_SQS_QUEUE_URL", "queues"),
        ("AWS_SQS_DLQ_URL", "dead_letter_queues"),
    ):
        if getattr(settings, name, None):
            found[field] = {config.DEFAULT_QUEUE: getattr(settings, name)}
    found |= getattr(settings, "SENDMILL", {})
    for options in all_options():
        _merge(found, _shared(options))
    if fresh_connections not in found["around"]:
        found["around"] = (fresh_connections, *found["around"])
    return found


def backends() -> dict[str, Mapping[str, Any]]:
    """Return the entries of ``TASKS`` that are ours (or a subclass of ours), by alias."""
    found = {}
    for alias, entry in getattr(settings, "TASKS", {}).items():
        path = entry.get("BACKEND", "")
        try:
            kind = import_string(path)
        except ImportError:
            continue  # Django says so itself
        if isinstance(kind, type) and issubclass(kind, ConfiguredBackend):
            found[alias] = entry
    return found


def all_options() -> list[Mapping[str, Any]]:
    """Return the OPTIONS of every backend of ours."""
    return [entry.get("OPTIONS", {}) for entry in backends().values()]


def database() -> str:
    """Return the alias of the database whose transactions a send waits for."""
    named = [options["database"] for options in all_options() if "database" in options]
    return str(named[0]) if named else DEFAULT_DATABASE


def send_on_commit(alias: str) -> Callable[[Callable[[], object]], bool]:
    """Return a hook that leaves a send to the open transaction of a database, if there is one."""

    def defer(send: Callable[[], object]) -> bool:
        if not connections[alias].in_atomic_block:
            return False
        transaction.on_commit(send, using=alias)
        return True

    return defer


async def with_the_views_connections(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a blocking call in the thread whose database connections a coroutine uses."""
    return await sync_to_async(call, thread_sensitive=True)(*args, **kwargs)


@contextmanager
def fresh_connections(context: TaskContext) -> Iterator[None]:
    """Give a task of a worker database connections that stand, and leave none that are stale."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


def _shared(options: Mapping[str, Any]) -> dict[str, Any]:
    found = {field: options[name] for name, field in SHARED_OPTIONS.items() if options.get(name)}
    found |= options.get("fallback", {})
    if "use_async" in options:
        found["use_async"] = options["use_async"]
    found |= {name: _made(options[name], known) for name, known in _named(options)}
    return found


def _named(options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str]]]:
    return [(name, known) for name, known in OBJECT_OPTIONS.items() if options.get(name)]


def _merge(found: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Put the options of one more backend in: queues are added up, the rest is replaced."""
    for field, value in more.items():
        if isinstance(value, Mapping) and isinstance(found.get(field), Mapping):
            found[field] = {**found[field], **value}
        else:
            found[field] = value


def _made(value: Any, known: Mapping[str, str]) -> Any:
    """Return an object from a word, the dotted path of a class, or itself."""
    return import_string(known.get(value, value))() if isinstance(value, str) else value


def _follow(*, setting: str, **_: Any) -> None:
    """Apply settings anew that a test changed."""
    global _applied
    names = {"TASKS", "SENDMILL", "AWS_SQS_QUEUE_URL", "AWS_SQS_DLQ_URL", *_SEED_SETTINGS}
    if setting in names:
        with _lock:
            _applied = False
            config.reset()
            try_to_apply()


setting_changed.connect(_follow, dispatch_uid="sendmill.contrib.django.conf")
