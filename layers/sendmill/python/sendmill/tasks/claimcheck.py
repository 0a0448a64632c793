"""Keep large arguments in S3 and send the claim check.

The object outlives the message: a redrive of a dead letter needs it, so a lifecycle rule deletes
it, never a worker. A worker reads only from the bucket and prefix that it is configured for.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from sendmill.errors import StoreUnavailable
from sendmill.tasks.clients import client
from sendmill.tasks.config import TaskConfig
from sendmill.tasks.envelope import Envelope, Reference
from sendmill.tasks.errors import EnqueueRejected, EnqueueUnreachable, InvalidEnvelope
from sendmill.tasks.payload import dumps, loads


def check_in(envelope: Envelope, config: TaskConfig) -> Envelope:
    """Return the envelope with its arguments in S3 instead; raises EnqueueError."""
    body = dumps({"args": list(envelope.args), "kwargs": dict(envelope.kwargs)}).encode()
    key = f"{config.claim_check_prefix}{envelope.id}.json"
    try:
        _s3(config).put_object(
            Bucket=config.claim_check_bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
        )
    except Exception as error:
        raise _not_kept(error, envelope.id) from error
    kept = Reference(
        url=f"s3://{config.claim_check_bucket}/{key}",
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
    )
    return replace(envelope, args=(), kwargs={}, reference=kept)


def check_out(envelope: Envelope, config: TaskConfig) -> Envelope:
    """Return the envelope with its arguments; raises InvalidEnvelope or StoreUnavailable."""
    kept = envelope.reference
    if kept is None:
        return envelope
    ours = f"s3://{config.claim_check_bucket}/{config.claim_check_prefix}"
    if not config.claim_check_bucket or not kept.url.startswith(ours):
        raise InvalidEnvelope(f"ref must be below {ours} (got {kept.url!r})")
    body = _read(kept.url[len(f"s3://{config.claim_check_bucket}/") :], config)
    if hashlib.sha256(body).hexdigest() != kept.sha256:
        raise InvalidEnvelope(f"{kept.url} is not what was kept there (its sha256 differs)")
    found = loads(body.decode())
    return replace(envelope, args=tuple(found["args"]), kwargs=found["kwargs"], reference=None)


def _read(key: str, config: TaskConfig) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _s3(config).get_object(Bucket=config.claim_check_bucket, Key=key)
        return bytes(answer["Body"].read())
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "404"):
            raise InvalidEnvelope(f"{key} is gone from the bucket of claim checks") from error
        raise StoreUnavailable(f"reading {key}: {code}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"reading {key}: {type(error).__name__}") from error


def _not_kept(error: Exception, task_id: str) -> Exception:
    """Return what to raise: without the object no message is sent, so nothing is uncertain."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = f"S3: {error.response['Error']['Code']}"
        kind = EnqueueRejected if 400 <= status < 500 and status != 429 else EnqueueUnreachable
        return kind(said, task_id=task_id)
    if isinstance(error, BotoCoreError):
        return EnqueueUnreachable(f"S3: {type(error).__name__}: {error}", task_id=task_id)
    return error


def _s3(config: TaskConfig) -> Any:
    return client("s3", config.region, connect_timeout=0.8, read_timeout=1.8, attempts=1)
