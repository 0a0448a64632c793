"""Ask AWS whether queues and functions are set up as tasks need it, and say what is not.

Each finding names what was got and what to do. Levels: ``error`` loses tasks or runs them twice,
``warning`` may, ``ok`` was looked at and is well, ``unknown`` could not be asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sendmill.tasks.clients import client
from sendmill.tasks.config import TaskConfig
from sendmill.tasks.transports.sqs import region_of

Level = Literal["error", "warning", "ok", "unknown"]
# By AWS's advice: a function that is throttled does not lose its message to the next worker.
_TIMES_TIMEOUT = 6
# Throttles and conflicts burn receives too: three attempts of ours need more of SQS's.
_LEAST_RECEIVES = 5
_LEAST_CONCURRENCY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Say one thing about one queue."""

    level: Level
    queue: str
    text: str


def examine(config: TaskConfig) -> Iterator[Finding]:
    """Yield what is found about each queue, and about the settings themselves."""
    if not config.use_async:
        yield _found("warning", "", "USE_ASYNC_TASKS is off: tasks run where they are sent")
    if not config.queues:
        yield _found("error", "", "no queue is configured: set AWS_SQS_QUEUE_URL")
    for name in sorted(config.queues):
        yield from _queue(name, config)
    if not config.receipts_table and not getattr(config.receipts, "shared", False):
        text = "no shared receipts: what SQS delivers twice runs twice; set a receipts table"
        yield _found("warning", "", text)


def _queue(name: str, config: TaskConfig) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    url = config.queue_url(name)
    region = config.region or region_of(url)
    try:
        attributes = _attributes(url, region)
    except (BotoCoreError, ClientError) as error:
        yield _found("error", name, f"the queue cannot be read: {_said(error)}")
        return
    yield _found("ok", name, f"reached; {attributes['ApproximateNumberOfMessages']} waiting")
    yield from _redrive(name, attributes, config, region)
    try:
        yield from _mappings(name, attributes, region)
    except (BotoCoreError, ClientError) as error:
        yield _found("unknown", name, f"its functions cannot be asked for: {_said(error)}")


def _redrive(
    name: str, attributes: Mapping[str, Any], config: TaskConfig, region: str
) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    if not policy:
        yield _found("error", name, "no redrive policy: what crashes its worker comes for ever")
    else:
        most = int(policy["maxReceiveCount"])
        level: Level = "ok" if most >= _LEAST_RECEIVES else "warning"
        yield _found(level, name, f"maxReceiveCount is {most}, {_LEAST_RECEIVES} or more is well")
    dead = config.dead_letter_queues.get(name, "")
    if not dead:
        text = "no dead-letter queue is configured here: set AWS_SQS_DLQ_URL"
        yield _found("warning", name, text)
        return
    try:
        kept = _attributes(dead, region)
    except (BotoCoreError, ClientError) as error:
        yield _found("error", name, f"the dead-letter queue cannot be read: {_said(error)}")
        return
    yield from _dead_letters(name, attributes, kept, policy)


def _dead_letters(
    name: str,
    attributes: Mapping[str, Any],
    kept: Mapping[str, Any],
    policy: Mapping[str, Any],
) -> Iterator[Finding]:
    if policy and policy.get("deadLetterTargetArn") != kept["QueueArn"]:
        text = f"SQS moves to {policy.get('deadLetterTargetArn')}, we to {kept['QueueArn']}"
        yield _found("error", name, text)
    if int(kept["MessageRetentionPeriod"]) < int(attributes["MessageRetentionPeriod"]):
        text = "dead letters are kept shorter than tasks: their age counts from the first send"
        yield _found("error", name, text)
    waiting = int(kept["ApproximateNumberOfMessages"])
    yield _found("warning" if waiting else "ok", name, f"{waiting} dead letters")


def _mappings(name: str, attributes: Mapping[str, Any], region: str) -> Iterator[Finding]:
    functions = client("lambda", region)
    answer = functions.list_event_source_mappings(EventSourceArn=attributes["QueueArn"])
    found = answer.get("EventSourceMappings", [])
    if not found:
        yield _found("warning", name, "no function is woken by it: run tasks_worker, or map one")
    for mapping in found:
        yield from _mapping(name, mapping)
        settings = functions.get_function_configuration(FunctionName=mapping["FunctionArn"])
        timeout, hidden = int(settings["Timeout"]), int(attributes["VisibilityTimeout"])
        window = int(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        wanted = _TIMES_TIMEOUT * timeout + window
        text = f"visibility {hidden} s, function {timeout} s: {wanted} s or more is well"
        yield _found("ok" if hidden >= wanted else "warning", name, text)


def _mapping(name: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    function = mapping["FunctionArn"].rpartition(":")[2]
    if "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []):
        yield _found("ok", name, f"{function} reports failures one by one")
    else:
        text = f"{function} lacks ReportBatchItemFailures: what fails is deleted as done"
        yield _found("error", name, text)
    state = str(mapping.get("State", "Enabled"))
    if state not in ("Enabled", "Creating", "Updating", "Enabling"):
        yield _found("error", name, f"the mapping to {function} is {state}")
    most = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if most is not None and int(most) < _LEAST_CONCURRENCY:
        yield _found("error", name, f"MaximumConcurrency is {most}, 2 is the least")


def _attributes(url: str, region: str) -> dict[str, Any]:
    answer = client("sqs", region).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(answer["Attributes"])


def _found(level: Level, queue: str, text: str) -> Finding:
    return Finding(level=level, queue=queue, text=text)


def _said(error: Exception) -> str:
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return f"{code or type(error).__name__}"
