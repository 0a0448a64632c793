"""Read what lies on a task queue: our envelopes, S3 events, Scheduler's bodies, plain ones.

What is understood besides an envelope:

- ``{"task": "name", "kwargs": {...}}`` or ``{"task_name": "name", "payload": {...}}``: plain. With
  ``"schedule": "<aws.scheduler.schedule-arn>"``, ``"scheduled": "<aws.scheduler.scheduled-time>"``
  it is Scheduler's, and one run for each scheduled time, however often it is delivered;
- an EventBridge event whose ``detail`` is one of these;
- S3 notifications, straight or through SNS: one task for each object, by ``s3_routes``;
- ``s3:TestEvent``: nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from sendmill.tasks.envelope import Envelope, read_mapping
from sendmill.tasks.errors import BadSignature, InvalidEnvelope
from sendmill.tasks.payload import loads
from sendmill.tasks.runtime import Runtime
from sendmill.tasks.signing import is_signed
from sendmill.tasks.uuid7 import derived_id
from sendmill.tasks.worker.delivery import Delivery


def understand(delivery: Delivery, found: Runtime) -> list[Envelope]:
    """Return the tasks of a message, none for a test event.

    Raises InvalidEnvelope or UnknownSigningKey.
    """
    text = delivery.body
    signed = bool(found.keyring) and is_signed(text)
    if signed:
        text = found.keyring.verify(text)
    envelopes = _envelopes(_decoded(text), delivery, found)
    if found.keyring and not signed:
        refused = {e.source for e in envelopes} - found.config.accept_unsigned
        if refused:
            raise BadSignature(f"the message is not signed (a body of kind {sorted(refused)[0]})")
    return envelopes


def _envelopes(body: Mapping[str, Any], delivery: Delivery, found: Runtime) -> list[Envelope]:
    if body.get("Event") == "s3:TestEvent":
        return []
    if body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
        return _envelopes(_decoded(body["Message"]), delivery, found)
    if isinstance(body.get("Records"), list):
        return [_of_s3(record, found) for record in body["Records"]]
    if "v" in body:
        return [read_mapping(body)]
    detail = body.get("detail")
    if "detail-type" in body and isinstance(detail, dict):
        return [_plain({"id": body.get("id"), **detail}, delivery, source="scheduler")]
    source = "scheduler" if body.get("schedule") and body.get("scheduled") else "plain"
    return [_plain(body, delivery, source=source)]


def _plain(body: Mapping[str, Any], delivery: Delivery, *, source: str) -> Envelope:
    name = body.get("task") or body.get("task_name")
    kwargs = body.get("kwargs", body.get("payload"))
    if not isinstance(name, str) or not isinstance(kwargs, (dict, type(None))):
        raise InvalidEnvelope("the body names no task: it has neither v nor task nor task_name")
    made = str(body.get("id") or "")
    if source == "scheduler" and not made:
        made = derived_id("schedule", str(body["schedule"]), str(body["scheduled"]))
    now = datetime.fromtimestamp(delivery.sent_at, UTC)
    return Envelope(
        id=made or derived_id("message", delivery.message_id),
        task=name,
        kwargs=kwargs or {},
        enqueued_at=now,
        dedup=str(body.get("dedup") or ""),
        source=source,
    )


def _of_s3(record: Any, found: Runtime) -> Envelope:
    if not isinstance(record, dict) or record.get("eventSource") not in ("aws:s3", "minio:s3"):
        raise InvalidEnvelope("Records must be those of an S3 notification")
    try:
        bucket = str(record["s3"]["bucket"]["name"])
        entry = record["s3"]["object"]
        key = unquote_plus(str(entry["key"]))
    except (KeyError, TypeError) as error:
        raise InvalidEnvelope(f"an S3 notification without {error}") from error
    task = _route(bucket, key, found.config.s3_routes)
    version, sequencer = str(entry.get("versionId") or ""), str(entry.get("sequencer") or "")
    return Envelope(
        id=derived_id("s3", bucket, key, version, sequencer, str(record.get("eventName", ""))),
        task=task,
        kwargs={
            "bucket": bucket,
            "key": key,
            "size": entry.get("size"),
            "etag": entry.get("eTag"),
            "version_id": version or None,
            "event_name": record.get("eventName"),
        },
        enqueued_at=datetime.now(UTC),
        source="s3",
    )


def _route(bucket: str, key: str, routes: Mapping[str, str]) -> str:
    """Return the task of the longest route that an object's place starts with."""
    place = f"{bucket}/{key}"
    fitting = [
        route for route in routes if place.startswith(route) and (("/" in route) or route == bucket)
    ]
    if not fitting:
        raise InvalidEnvelope(f"no task is routed for objects like s3://{bucket}/{key}")
    return routes[max(fitting, key=len)]


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        found = loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEnvelope(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidEnvelope(f"the body must be a JSON object (got {type(found).__name__})")
    return found
