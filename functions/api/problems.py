"""Turn whatever goes wrong into an RFC 9457 problem that names the field and its value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from sendmill.errors import (
    KeyReused,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RetryableError,
    SendmillError,
    StateConflict,
    UnsupportedBody,
)
from sendmill.observe import logger

Answer: TypeAlias = Response[str]

KIND = "application/problem+json"
# Errors by the status they are answered with; every other of ours is a 400.
_STATUSES: tuple[tuple[type[SendmillError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (StateConflict, 409),
    (UnsupportedBody, 415),
    (KeyReused, 422),
    (RetryableError, 503),
)
_SHOWN_CHARS = 80
_MORE_HEADERS = {
    401: {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    503: {"Retry-After": "5"},
}


def problem(
    status: int, detail: str, *, errors: Sequence[Mapping[str, str]] = (), **more: object
) -> Answer:
    """Return a problem: ``detail`` says what was wrong, with the value that was got."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase.capitalize(),
        "status": status,
        "detail": detail,
        **({"errors": list(errors)} if errors else {}),
        **more,
    }
    headers: dict[str, Any] = dict(_MORE_HEADERS.get(status, {}))
    return Response(
        status,
        content_type=KIND,
        body=json.dumps(body, ensure_ascii=False),
        headers=headers,
    )


def answered(act: Callable[[], Answer]) -> Answer:
    """Return what ``act`` returns, or the problem that its error is."""
    try:
        return act()
    except SendmillError as error:
        return _of_domain(error)
    except RequestValidationError as error:
        return _of_validation(error.errors())
    except Exception:
        logger.exception("request_failed", reason="unexpected")
        return problem(500, "something went wrong here, not in your request; it is in the log")


def _of_domain(error: SendmillError) -> Answer:
    status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 400)
    if status >= 500:
        logger.exception("request_failed", reason=str(error))
    more: Mapping[str, Any] = getattr(error, "more", {})
    return problem(status, str(error), **more)


def _of_validation(found: Sequence[Mapping[str, Any]]) -> Answer:
    errors = [_error(one) for one in found]
    first = errors[0]
    rest = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    detail = f"{first['field']}: {first['detail']} (got {first['value']}){rest}"
    return problem(422, detail, errors=errors)


def _error(one: Mapping[str, Any]) -> dict[str, str]:
    where = [str(part) for part in one["loc"]]
    name = ".".join(where[1:]) or where[0]
    missing = one["type"] == "missing"
    # repr: what a request holds may be no text that UTF-8 can carry
    value = "nothing" if missing else repr(one.get("input"))[:_SHOWN_CHARS]
    said = str(one.get("msg") or one["type"])
    return {"field": name, "value": value, "detail": said[:1].lower() + said[1:]}
