"""System checks: what can be seen to be wrong without asking AWS. ``tasks_doctor`` asks.

====== ============================================================================================
E001   an option that is not known
E002   tasks are sent to SQS, and a queue has no URL
E003   an option has the wrong kind of value
E004   a store in the database is chosen, and the app is not in INSTALLED_APPS
E005   a policy that is none, or for a task in a way that cannot be
W001   (--deploy) USE_ASYNC_TASKS is off: tasks hold up the requests that send them
W002   (--deploy) no receipts, or receipts in memory: a message delivered twice runs twice
W003   (--deploy) a queue without a dead-letter queue
W004   (--deploy) tasks are not sent but kept in memory
W005   (--deploy) mails go through Sendmill, and tasks are synchronous
====== ============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from sendmill.contrib.django import conf
from sendmill.contrib.django.configured import ConfiguredBackend
from sendmill.tasks import config
from sendmill.tasks.errors import TaskConfigError
from sendmill.tasks.policy import Policy

_MAPPINGS = {
    "aliases",
    "dead_letter_queue_urls",
    "defaults",
    "fallback",
    "priority_queues",
    "queue_urls",
    "signing_keys",
    "tasks",
}
_APP = "sendmill.contrib.django"


def register_all() -> None:
    """Register the checks that are not a backend's own."""
    register(check_deployment, Tags.security, deploy=True)


def check_backend(backend: ConfiguredBackend) -> Iterator[CheckMessage]:
    """Yield what is wrong with one entry of TASKS."""
    options, where = backend.options, f"TASKS[{backend.alias!r}]"
    yield from _unknown(options, where)
    yield from _kinds(options, where)
    yield from _stores(options, where)
    yield from _policies(options, where)
    try:
        found = _settled()
    except conf.WRONG as error:
        yield Error(f"{where}: {error}", id="sendmill.E003", obj=where)
        return
    if found.use_async and found.transport is None:
        yield from _queues(backend, found, where)


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Return what should not be so in production."""
    if not conf.backends():
        return []
    try:
        found = _settled()
    except conf.WRONG:
        return []  # the backend's own check says it
    return [*_deployed(found)]


def _deployed(found: config.TaskConfig) -> Iterator[CheckMessage]:
    if found.transport is not None:
        yield Warning(
            "Tasks are kept in this process and never reach a worker.",
            hint="The option transport is meant for tests; leave it out.",
            id="sendmill.W004",
        )
        return
    if not found.use_async:
        yield Warning(
            "Tasks run in the requests that send them.",
            hint="Set USE_ASYNC_TASKS = True.",
            id="sendmill.W001",
        )
        if any(path.startswith(_APP) for path in _mailers()):
            yield Warning(
                "Mails are sent in the requests that write them.",
                hint="Set USE_ASYNC_TASKS = True, or use another EMAIL_BACKEND.",
                id="sendmill.W005",
            )
        return
    shared = getattr(found.receipts, "shared", False) or bool(found.receipts_table)
    if not shared:
        yield Warning(
            "Nothing keeps a message that SQS delivers twice from running twice.",
            hint="Set the option receipts_table, or receipts = 'orm'.",
            id="sendmill.W002",
        )
    without = sorted(set(found.queues) - set(found.dead_letter_queues))
    if without:
        yield Warning(
            f"These queues have no dead-letter queue here: {', '.join(without)}.",
            hint="Set dead_letter_queue_urls: a task that failed for good is kept there, with why.",
            id="sendmill.W003",
        )


def _unknown(options: Mapping[str, Any], where: str) -> Iterator[CheckMessage]:
    for name in sorted(set(options) - conf.OPTIONS):
        yield Error(
            f"{where}: there is no option {name!r}.",
            hint=f"The options are {', '.join(sorted(conf.OPTIONS))}.",
            id="sendmill.E001",
        )
    for name in sorted(set(options.get("fallback") or ()) - conf.FALLBACK_OPTIONS):
        yield Error(
            f"{where}: fallback has no {name!r}.",
            hint=f"It takes {', '.join(sorted(conf.FALLBACK_OPTIONS))}.",
            id="sendmill.E001",
        )


def _kinds(options: Mapping[str, Any], where: str) -> Iterator[CheckMessage]:
    for name in sorted(_MAPPINGS & set(options)):
        if not isinstance(options[name], Mapping):
            yield Error(
                f"{where}: {name} must be a dict (got {type(options[name]).__name__}).",
                id="sendmill.E003",
            )
    if options.get("on_commit", "auto") not in ("auto", True, False):
        yield Error(f"{where}: on_commit must be 'auto' or False.", id="sendmill.E003")
    if options.get("result_store") == "dynamodb" and not options.get("receipts_table"):
        yield Error(f"{where}: result_store 'dynamodb' needs receipts_table.", id="sendmill.E003")


def _stores(options: Mapping[str, Any], where: str) -> Iterator[CheckMessage]:
    chosen = [n for n in ("result_store", "receipts", "outbox") if options.get(n) == "orm"]
    if chosen and not apps.is_installed(_APP):
        yield Error(
            f"{where}: {', '.join(chosen)} = 'orm' needs the app's tables.",
            hint=f"Add {_APP!r} to INSTALLED_APPS and migrate.",
            id="sendmill.E004",
        )


def _policies(options: Mapping[str, Any], where: str) -> Iterator[CheckMessage]:
    named = dict(options["tasks"]) if isinstance(options.get("tasks"), Mapping) else {}
    for name, policy in {"defaults": options.get("defaults", {}), **named}.items():
        try:
            Policy(**policy)
        except (TypeError, TaskConfigError) as error:
            yield Error(f"{where}: the policy of {name}: {error}", id="sendmill.E005")


def _queues(
    backend: ConfiguredBackend, found: config.TaskConfig, where: str
) -> Iterator[CheckMessage]:
    wanted = {*backend.queues, *(backend.options.get("priority_queues") or {}).values()}
    without = sorted(name for name in wanted if name not in found.queues)
    if without:
        yield Error(
            f"{where}: these queues have no URL: {', '.join(without)}.",
            hint="Set queue_urls = {name: URL}, or AWS_SQS_QUEUE_URL for 'default'.",
            id="sendmill.E002",
        )


def _mailers() -> list[str]:
    """Return the paths of the backends that mails go to: MAILERS from Django 6.1 on."""
    if hasattr(settings, "MAILERS"):
        return [str(entry.get("BACKEND", "")) for entry in settings.MAILERS.values()]
    return [str(getattr(settings, "EMAIL_BACKEND", ""))]


def _settled() -> config.TaskConfig:
    """Return the settings of the tasks, read anew."""
    return replace(config.from_environment(), **conf.changes())
