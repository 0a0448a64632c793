"""Write the OpenAPI 3.1 document of the route table; imported when it is first asked for.

Powertools makes parameters, bodies and answers from the functions' types; what it does not know is
added here: roles, problems, bodies that are no JSON, answers that are no JSON.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
from pydantic.json_schema import models_json_schema

from sendmill import __version__
from sendmill.roles import Role
from table import Endpoint, RouteTable

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_REFS = "#/components/schemas/{model}"
_TOKEN = "token"  # noqa: S105  the name of the scheme
_DESCRIPTION = """\
Every request but this document's and the pages' carries `Authorization: Bearer <access token>`.
Roles are steps: viewer, editor, sender, admin; each route names the lowest that may ask
(`x-role`). Errors are problem details (RFC 9457). Lists come in pages: `limit`, `cursor`.
A POST with an `Idempotency-Key` is done once: the same key and body get the same answer for 24
hours, the same key with another body is refused."""
# Problems that any route may answer with, by status; 413 to 422 where there is a body or parameter.
_ALWAYS = (400, 404, 422, 500, 503)
_SIGNED = (401, 403)
_CHANGES = (409, 413, 415)
# What API Gateway refuses by itself, in a short JSON of its own: {"message": ...}.
_GATEWAY = (401, 404)


def document(table: RouteTable) -> dict[str, Any]:
    """Return the document of every listed endpoint."""
    listed = [one for one in table.endpoints.values() if one.listed]
    found = _of_powertools(listed)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas |= _schemas(listed)
    for name in ("ValidationError", "HTTPValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    codes = (*_ALWAYS, *_SIGNED, *_CHANGES)
    found["components"]["responses"] = {f"Problem{code}": _problem(code) for code in codes}
    for endpoint in listed:
        path = endpoint.key.partition(" ")[2]
        _complete(found["paths"][path][endpoint.method.lower()], endpoint)
    found["paths"] = dict(sorted(found["paths"].items()))
    return found


def _of_powertools(listed: list[Endpoint]) -> dict[str, Any]:
    app = APIGatewayHttpResolver(enable_validation=True)
    for endpoint in listed:
        summary, _, rest = (endpoint.function.__doc__ or "").partition("\n")
        app.route(
            endpoint.path,
            method=endpoint.method,
            summary=summary.strip().removesuffix("."),
            description=" ".join(rest.split()) or None,
            tags=[endpoint.tag],
            operation_id=endpoint.function.__name__,
        )(endpoint.function)
    text = app.get_openapi_json_schema(
        title="Sendmill",
        version=__version__,
        description=_DESCRIPTION,
        security_schemes={
            _TOKEN: HTTPBearer(bearerFormat="JWT", description="Access token of the issuer.")
        },
    )
    return dict(json.loads(text))


def _complete(operation: dict[str, Any], endpoint: Endpoint) -> None:
    operation.pop("deprecated", None)
    operation["responses"] = {
        **{str(code): _success(code, said) for code, said in endpoint.answers.items()},
        **{
            str(code): {"$ref": f"#/components/responses/Problem{code}"}
            for code in sorted(_problems(endpoint))
        },
    }
    if endpoint.role is not Role.ANONYMOUS:
        operation["security"] = [{_TOKEN: []}]
        operation["x-role"] = endpoint.role.title
    if endpoint.takes:
        content = {kind: _body(kind, name) for kind, name in _taken(endpoint.takes)}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.method == "POST" and endpoint.role is not Role.ANONYMOUS:
        operation.setdefault("parameters", []).append(_idempotency_key())


def _problems(endpoint: Endpoint) -> Iterator[int]:
    yield from _ALWAYS
    if endpoint.role is not Role.ANONYMOUS:
        yield from _SIGNED
    if endpoint.method != "GET":
        yield from _CHANGES


def _success(code: int, said: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": HTTPStatus(code).phrase}
    if ":" in said:
        found["content"] = {"application/json": {"schema": _ref(said)}}
    elif said == "application/json":
        found["content"] = {said: {"schema": {"type": "object"}}}
    elif said:
        found["content"] = {said: {"schema": {"type": "string"}}}
    return found


def _problem(code: int) -> dict[str, Any]:
    content: dict[str, Any] = {"application/problem+json": {"schema": _PROBLEM}}
    if code in _GATEWAY:
        content["application/json"] = {"schema": {"type": "object"}}
    return {"description": HTTPStatus(code).phrase, "content": content}


def _taken(takes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for one in takes:
        kind, _, name = one.partition(" ")
        yield kind, name


def _body(kind: str, name: str) -> dict[str, Any]:
    return {"schema": _ref(name) if name else {"type": "string"}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REFS.format(model=name.partition(":")[2])}


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A name of your own for this request; asked again, it is not done again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }


def _schemas(listed: list[Endpoint]) -> Mapping[str, Any]:
    names = {said for one in listed for said in one.answers.values() if ":" in said}
    names |= {name for one in listed for _, name in _taken(one.takes) if name}
    models = [model(name) for name in sorted({*names, "shapes:Problem"})]
    _, found = models_json_schema([(one, "validation") for one in models], ref_template=_REFS)
    return dict(found["$defs"])


def model(name: str) -> Any:
    """Return the model that ``module:Class`` names."""
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)
