"""Stand before every route: who may ask, whether it was asked before, whether it makes sense.

In this order, and each turns what goes wrong into a problem: an unknown route, a caller without
the role, a key that was used before, a request that is wrong, an error of the domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.middlewares import BaseMiddlewareHandler
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
)

from idempotency import once
from problems import Answer, answered
from request import claims, json_body
from sendmill.errors import NotFound
from sendmill.roles import Role, caller_of
from sendmill.store.answers import AnswerStore
from table import Endpoint, RouteTable

Next = Callable[[Any], Answer]


class Gate(BaseMiddlewareHandler[Any]):
    """Let a request through to its route, or say why not."""

    def __init__(self, table: RouteTable, *, answers: AnswerStore, groups_claim: str) -> None:
        self._endpoints: Mapping[tuple[str, str], Endpoint] = table.endpoints
        self._answers = answers
        self._groups_claim = groups_claim

    def handler(self, app: Any, next_middleware: Next) -> Answer:
        """Return the answer of the route, or the problem."""
        return answered(lambda: self._enter(app, next_middleware))

    def _enter(self, app: Any, next_middleware: Next) -> Answer:
        route = app.context["_route"]
        endpoint = self._endpoints.get((route.method, route.path))
        if endpoint is None:
            raise NotFound(f"there is no {route.method} {route.path[:200]}")
        if endpoint.role is Role.ANONYMOUS:
            return next_middleware(app)
        caller = caller_of(claims(app), groups_claim=self._groups_claim)
        caller.permit(endpoint.role)
        app.append_context(caller=caller)
        if endpoint.method != "POST":
            return next_middleware(app)
        act = partial(answered, partial(next_middleware, app))
        return once(app, self._answers, caller.subject, act)


class Validation(OpenAPIRequestValidationMiddleware):
    """Check parameters and JSON bodies by the types of the route's function."""

    def _get_body(self, app: Any) -> Any:
        # Powertools' own ends in a 500 for bytes that are no UTF-8 and for JSON nested deeply
        return json_body(app)


def make_app(
    table: RouteTable, *, answers: AnswerStore, groups_claim: str
) -> APIGatewayHttpResolver:
    """Return Powertools' resolver with every route of the table behind the gate."""
    app = APIGatewayHttpResolver()
    # not enable_validation: that checks a request before it is known who asks
    gate = Gate(table, answers=answers, groups_claim=groups_claim)
    app.use([gate, Validation()])  # type: ignore[no-untyped-call]
    app.include_router(table.router)
    return app
