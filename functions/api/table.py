"""Hold every route of the API in one table: who may ask, what is answered, and by whom.

How to add a route: write ``<topic>_routes.py`` with a function ``add_<topic>_routes(table, ...)``
and call it in :func:`routes.build_routes`. In it, for each route::

    @table.post("/v1/things/<thing_id>/turn", role=Role.EDITOR, tag="things",
                answers={202: "thing_shapes:ThingView"})
    def turn_thing(thing_id: ThingId, body: Turn) -> Answer:
        \"\"\"Turn a thing over.\"\"\"
        return json_answer(202, thing_view(...))

- path parameters, query parameters (``Annotated[int, Query(ge=1)]``) and JSON bodies (a pydantic
  model) are checked before the function is called; what is wrong is a 422 that names it. Common
  parameters stand in :mod:`params`;
- errors of :mod:`sendmill.errors` become problems by their kind (:mod:`problems`): just raise;
- ``answers`` names the model of each success as ``module:Class``. It is imported for the OpenAPI
  document alone, never when the function starts. ``"text/csv"`` and other types stand as they are;
- the first line of the docstring is the summary, the rest the description;
- ``role`` is the lowest that may ask. Routes without a token are ``Role.ANONYMOUS``, and listed as
  such in terraform/modules/api/routes.json, which must name every route (tests/infra);
- a path that ends in ``.+`` takes any rest: API Gateway's ``{proxy+}``;
- an answer gets the security headers (:mod:`headers`) that it does not set itself: a page sets its
  own ``Content-Security-Policy``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler.api_gateway import Router

from sendmill.roles import Role

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route; ``key`` is API Gateway's name for it.

    ``answers`` are the successes, by status; ``takes`` names the types of a body that is not
    checked as JSON. An endpoint that is not ``listed`` stays out of the OpenAPI document.
    """

    method: str
    path: str
    role: Role
    function: Callable[..., Any]
    tag: str = ""
    answers: Mapping[int, str] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    listed: bool = True

    @property
    def key(self) -> str:
        """Return the route's name in API Gateway and in Terraform."""
        path = re.sub(r"<(\w+)>", r"{\1}", self.path)
        return f"{self.method} {re.sub(r'[.][+]$', '{proxy+}', path)}"


class RouteTable:
    """Collect endpoints and hand them to Powertools' router."""

    def __init__(self) -> None:
        self.router = Router()  # type: ignore[no-untyped-call]
        self.endpoints: dict[tuple[str, str], Endpoint] = {}

    def get(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that reads; ``more`` as in :class:`Endpoint`."""
        return self._add("GET", path, role, more)

    def head(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that answers without a body."""
        return self._add("HEAD", path, role, more)

    def post(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that creates or does; it takes an ``Idempotency-Key``."""
        return self._add("POST", path, role, more)

    def put(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that replaces."""
        return self._add("PUT", path, role, more)

    def patch(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that changes a part."""
        return self._add("PATCH", path, role, more)

    def delete(self, path: str, *, role: Role, **more: Any) -> Callable[[F], F]:
        """Add a route that removes."""
        return self._add("DELETE", path, role, more)

    def _add(self, method: str, path: str, role: Role, more: Mapping[str, Any]) -> Callable[[F], F]:
        def register(function: F) -> F:
            endpoint = Endpoint(method=method, path=path, role=role, function=function, **more)
            if (method, path) in self.endpoints:
                raise ValueError(f"{endpoint.key} is in the table twice")
            self.endpoints[method, path] = endpoint
            return self.router.route(path, method=method)(function)

        return register
