"""Do a request that carries an ``Idempotency-Key`` once, however often it is sent.

The same key with the same request gets the same answer for 24 hours; with another request it is
refused, and while the first one is still being done it is a conflict. A key belongs to the caller
who used it. Answers that say to try again (5xx) are not kept. One that could not be kept is given
all the same: only who did not get it, and asks again after a minute, has the request done twice.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from problems import Answer
from request import body_bytes, header
from sendmill.errors import KeyReused, StateConflict, StoreUnavailable
from sendmill.observe import logger
from sendmill.store.answers import AnswerStore, KeptAnswer

_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}\Z")


def once(app: Any, store: AnswerStore, subject: str, act: Callable[[], Answer]) -> Answer:
    """Return what ``act`` answers, or answered before; raises KeyReused or StateConflict."""
    said = header(app, _HEADER).strip()
    if not said:
        return act()
    if not _KEY.match(said):
        raise RequestValidationError(
            [
                {
                    "type": "value_error",
                    "loc": ("header", _HEADER),
                    "msg": "must be 1 to 255 printable ASCII characters",
                    "input": said,
                }
            ]
        )
    key, asked = _hash(subject, said), _fingerprint(app)
    claim = store.claim(key, asked)
    if claim.ours:
        return _done(store, key, asked, act)
    if claim.fingerprint != asked:
        raise KeyReused(f"{_HEADER} {said[:80]!r} was used for another request")
    if claim.answer is None:
        raise StateConflict(f"the first request with {_HEADER} {said[:80]!r} is still being done")
    logger.info("answer_replayed", status=claim.answer.status)
    return _replayed(claim.answer)


def _done(store: AnswerStore, key: str, asked: str, act: Callable[[], Answer]) -> Answer:
    answer = act()
    if answer.status_code >= 500:
        store.forget(key)
        return answer
    try:
        store.keep(key, asked, _kept(answer))
    except StoreUnavailable:
        # it is done: an error would have it asked for, and done, again
        logger.exception("answer_not_kept", status=answer.status_code)
    return answer


def _kept(answer: Answer) -> KeptAnswer:
    headers = {name: str(value) for name, value in answer.headers.items()}
    return KeptAnswer(
        status=answer.status_code,
        kind=headers.pop("Content-Type", ""),
        body=answer.body or "",
        headers=headers,
    )


def _replayed(kept: KeptAnswer) -> Answer:
    headers: dict[str, Any] = {**kept.headers, "Idempotent-Replayed": "true"}
    return Response(kept.status, content_type=kept.kind, body=kept.body, headers=headers)


def _fingerprint(app: Any) -> str:
    event = app.current_event.raw_event
    http = event["requestContext"]["http"]
    where = (http["method"], str(event.get("rawPath")), str(event.get("rawQueryString")))
    return _hash(*where, header(app, "content-type"), body_bytes(app))


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
