"""Read what a request says, and write what is answered in JSON; shared by every topic's routes."""

from __future__ import annotations

import base64
import json
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from sendmill.errors import InvalidCampaign

MAX_PAGE = 1000

Answer = Response[str]


def json_answer(status: int, body: object) -> Answer:
    """Return an answer in JSON."""
    text = json.dumps(body, ensure_ascii=False)
    return Response(status, content_type="application/json", body=text)


def query(router: Router, name: str) -> str:
    """Return a parameter of the URL, empty if it is not there."""
    return (router.current_event.query_string_parameters or {}).get(name, "").strip()


def limit_of(router: Router) -> int:
    """Return how long a page may be; raises InvalidCampaign."""
    raw = query(router, "limit") or "100"
    if not raw.isdecimal() or not 1 <= int(raw) <= MAX_PAGE:
        raise InvalidCampaign(f"limit must be 1 to {MAX_PAGE} (got {raw!r})")
    return int(raw)


def body_bytes(router: Router) -> bytes:
    """Return the body's bytes; API Gateway hands over text or base64."""
    event = router.current_event
    body = event.body or ""
    return base64.b64decode(body) if event.is_base64_encoded else body.encode()


def whole_number(raw: dict[str, Any], name: str, default: int | None) -> int:
    """Return a whole number of a body; raises InvalidCampaign."""
    value = raw.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidCampaign(f"{name} must be a whole number of seconds (got {value!r})")
    return value


def json_body(router: Router, *, optional: bool = False) -> dict[str, Any]:
    """Return the JSON object of a body; raises InvalidCampaign."""
    if optional and not body_bytes(router):
        return {}
    try:
        found = json.loads(body_bytes(router) or b"null")
    except (ValueError, RecursionError) as error:
        raise InvalidCampaign(f"body must be JSON ({error})") from error
    if not isinstance(found, dict):
        raise InvalidCampaign(f"body must be a JSON object (got {type(found).__name__})")
    return found


def caller(router: Router) -> str:
    """Return who asks: the subject of the token."""
    context = router.current_event.raw_event.get("requestContext", {})
    claims = context.get("authorizer", {}).get("jwt", {}).get("claims", {})
    return str(claims.get("sub", ""))
