"""Turn every error of the domain into an RFC 9457 problem."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response

from sendmill.errors import (
    NotFound,
    RetryableError,
    SendmillError,
    StateConflict,
)
from sendmill.observe import logger

_TITLES = {
    400: "Bad request",
    404: "Not found",
    409: "Conflict",
    413: "Too large",
    503: "Unavailable",
}


def problem(status: int, detail: str) -> Response[str]:
    """Return a problem: ``detail`` says what was wrong, with the value that was got."""
    body = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
    }
    headers: dict[str, Any] = {"Retry-After": "5"} if status == 503 else {}
    return Response(
        status,
        content_type="application/problem+json",
        body=json.dumps(body, ensure_ascii=False),
        headers=headers,
    )


def guarded(route: Callable[..., Response[str]]) -> Callable[..., Response[str]]:
    """Wrap a route so that errors of the domain become problems; others become a 500."""

    @functools.wraps(route)
    def answer(*args: Any, **kwargs: Any) -> Response[str]:
        try:
            return route(*args, **kwargs)
        except SendmillError as error:
            status = _status(error)
            if status >= 500:
                logger.exception("request_failed", reason=str(error))
            return problem(status, str(error))

    return answer


def _status(error: SendmillError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, StateConflict):
        return 409
    if isinstance(error, RetryableError):
        return 503
    return 400
