"""Read what a request says, and write what is answered in JSON; shared by every topic's routes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from problems import Answer as Answer
from sendmill.errors import InvalidCampaign, UnsupportedBody
from sendmill.roles import Caller

_JSON = "application/json"


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer in JSON."""
    text = json.dumps(body, ensure_ascii=False)
    return Response(status, content_type=_JSON, body=text, headers=dict(headers or {}))


def csv_answer(text: str, *, filename: str, cursor: str = "") -> Answer:
    """Return a file to download; ``cursor`` is where the next part of it begins."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    if cursor:
        headers["X-Next-Cursor"] = cursor
    said: dict[str, Any] = dict(headers)
    return Response(200, content_type="text/csv; charset=utf-8", body=text, headers=said)


def no_content() -> Answer:
    """Return the answer that says no more than that it was done."""
    return Response(204, body="")


def header(router: BaseRouter, name: str) -> str:
    """Return a header of the request, empty if it is not there."""
    said = router.current_event.raw_event.get("headers") or {}
    return next((str(value) for key, value in said.items() if key.lower() == name.lower()), "")


def body_bytes(router: BaseRouter) -> bytes:
    """Return the body's bytes; API Gateway hands over text or base64. Raises InvalidCampaign."""
    event = router.current_event
    body = event.body or ""
    try:
        return base64.b64decode(body) if event.is_base64_encoded else body.encode()
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidCampaign(f"body must be text that UTF-8 can hold ({error.args[0]})") from error


def kind_of_body(router: BaseRouter) -> str:
    """Return the type that the request gives its body, in lower case, without parameters."""
    return header(router, "content-type").split(";")[0].strip().lower()


def json_body(router: BaseRouter) -> Any:
    """Return what a JSON body holds, None when there is none.

    Raises InvalidCampaign for what is no JSON, UnsupportedBody for a body of another type.
    """
    raw = body_bytes(router)
    if not raw.strip():
        return None
    kind = kind_of_body(router)
    if kind not in ("", _JSON) and not kind.endswith("+json"):
        raise UnsupportedBody(f"the body must be {_JSON} (got {kind[:80]})")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidCampaign(f"body must be JSON ({error})") from error


def caller(router: BaseRouter) -> Caller:
    """Return who asks, as the gate read it from the token."""
    found = router.context.get("caller")
    return found if isinstance(found, Caller) else Caller()


def claims(router: BaseRouter) -> Mapping[str, Any]:
    """Return the claims of the token that the authorizer let in."""
    context = router.current_event.raw_event.get("requestContext") or {}
    authorizer = context.get("authorizer") or {}
    return (authorizer.get("jwt") or {}).get("claims") or {}
