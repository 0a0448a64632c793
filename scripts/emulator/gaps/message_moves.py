"""SQS dead-letter redrive: the calls that move messages back and that list the sources."""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from importlib import import_module
from typing import Any

Queue = dict[str, Any]
sqs: Any = import_module("ministack.services.sqs")
_tasks: dict[str, list[dict[str, Any]]] = defaultdict(list)


def close() -> None:
    """Add the three actions.

    Missing upstream: each answers InvalidAction. Here a move is done at once, so a task is
    COMPLETED when it is first listed; its rate limit is taken and ignored.
    """
    sqs._HANDLERS["StartMessageMoveTask"] = start_move
    sqs._HANDLERS["ListMessageMoveTasks"] = list_moves
    sqs._HANDLERS["ListDeadLetterSourceQueues"] = list_sources


def start_move(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Move what is visible in a dead-letter queue to a named queue, or to where it came from."""
    arn = data["SourceArn"]
    queue = _queue(arn)
    sources = _sources(arn)
    if not sources:
        raise sqs._Err(
            "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
        )
    target = _queue(data["DestinationArn"]) if data.get("DestinationArn") else None
    moved = 0
    for message in list(queue["messages"]):
        if message.get("visible_at", 0) > time.time():
            continue
        came_from = message.get("sys", {}).get("DeadLetterQueueSourceArn")
        destination = target or sources.get(came_from) or next(iter(sources.values()))
        queue["messages"].remove(message)
        destination["messages"].append(_as_new(message))
        moved += 1
    sqs.esm_wake.set()
    return {"TaskHandle": _record(arn, data.get("DestinationArn"), moved)}


def list_moves(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Return the newest tasks of a source queue; one, unless MaxResults asks for more."""
    return {"Results": _tasks[data["SourceArn"]][: int(data.get("MaxResults") or 1)]}


def list_sources(data: dict[str, Any], url: str) -> dict[str, Any]:
    """Return the queues whose redrive policy names this queue."""
    queue = sqs._get_q(data.get("QueueUrl", url))
    sources = _sources(queue["attributes"]["QueueArn"]).values()
    return {"queueUrls": [sqs._externalize_url(source["url"]) for source in sources]}


def _queue(arn: str) -> Queue:
    queue: Queue | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"The queue {arn} does not exist.", 404)
    return queue


def _sources(arn: str) -> dict[str, Queue]:
    found: dict[str, Queue] = {}
    for _, queue in sqs._queues.all_items():
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        if policy.get("deadLetterTargetArn") == arn:
            found[queue["attributes"]["QueueArn"]] = queue
    return found


def _as_new(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message as SQS re-enqueues it: a new id, a new age, never received."""
    now = time.time()
    system = {**message.get("sys", {}), "SentTimestamp": str(int(now * 1000))}
    system.pop("DeadLetterQueueSourceArn", None)
    return {
        **message,
        "id": str(uuid.uuid4()),
        "sys": system,
        "sent_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
        "receipt_handle": None,
    }


def _record(source: str, destination: str | None, moved: int) -> str:
    handle = str(uuid.uuid4())
    task = {
        "TaskHandle": handle,
        "Status": "COMPLETED",
        "SourceArn": source,
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": moved,
        "StartedTimestamp": int(time.time() * 1000),
    }
    _tasks[source].insert(0, {**task, "DestinationArn": destination} if destination else task)
    return handle
