"""Ask the API's handler as API Gateway would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

from cloud import Context


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API said; ``body`` is parsed when it is JSON."""

    status: int
    kind: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class ApiClient:
    """Hold the handler and a recorded event."""

    module: ModuleType
    event: dict[str, Any]

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Return the answer to a request; a body that is no text goes as JSON."""
        route, _, query = path.partition("?")
        event = {**self.event, "rawPath": route, "rawQueryString": query}
        if query:
            event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
        http = {**event["requestContext"]["http"], "method": method, "path": route}
        event["requestContext"] = {**event["requestContext"], "http": http}
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        found = self.module.handler(event, Context())
        headers = {name.lower(): value for name, value in found["headers"].items()}
        kind = headers.get("content-type", "")
        parsed = json.loads(found["body"]) if "json" in kind else found["body"]
        return Answer(status=found["statusCode"], kind=kind, body=parsed, headers=headers)
