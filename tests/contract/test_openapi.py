"""The OpenAPI document tells every route, role and problem; the page for people runs no script."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cloud import Context

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Open = Callable[[str], dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
ROUTES = json.loads(
    (Path(__file__).resolve().parents[2] / "terraform/modules/api/routes.json").read_text()
)


@pytest.fixture
def opened(load: Load, event: MakeEvent) -> Open:
    """A function that opens a page without a token."""
    module = load("api")

    def opened(path: str) -> dict[str, Any]:
        found = event("api_gateway_v2") | {"rawPath": path}
        del found["requestContext"]["authorizer"]
        found["requestContext"]["http"] |= {"method": "GET", "path": path}
        answer: dict[str, Any] = module.handler(found, Context())
        return answer

    return opened


@pytest.fixture
def document(opened: Open) -> dict[str, Any]:
    answer = opened("/v1/openapi.json")
    assert answer["statusCode"] == 200
    return dict(json.loads(answer["body"]))


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def test_every_route_is_told_with_its_role(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    found = operations(document)
    assert {key for key, one in found.items() if "x-role" in one} == set(ROUTES["signed"])
    for key, one in found.items():
        assert one["summary"], key
        assert ("security" in one) == ("x-role" in one)
        assert {"400", "404", "422", "500", "503"} <= set(one["responses"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    components = document["components"]
    parts = json.dumps(document).split('"$ref": "#/components/')[1:]
    assert len(parts) > 100
    for part in parts:
        kind, name = part.partition('"')[0].split("/")
        assert name in components[kind]
    assert not [name for name in components["schemas"] if "ValidationError" in name]


def test_every_post_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    for key, one in operations(document).items():
        names = {parameter["name"] for parameter in one.get("parameters", [])}
        assert ("Idempotency-Key" in names) == key.startswith("POST"), key


def test_the_page_for_people_runs_no_script_and_asks_no_other_server(opened: Open) -> None:
    answer = opened("/docs")
    assert answer["statusCode"] == 200
    page, policy = answer["body"], answer["headers"]["Content-Security-Policy"]
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "start_campaign" in page


@pytest.mark.parametrize("path", ["/docs", "/v1/openapi.json", "/v1/nothing", "/v1/me"])
def test_every_answer_says_what_a_browser_must_not_do(opened: Open, path: str) -> None:
    headers = {name.lower(): value for name, value in opened(path)["headers"].items()}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=63072000")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_the_document_is_not_made_before_it_is_asked_for(load: Load) -> None:
    import sys

    for name in ("openapi", "reference", "shapes"):
        sys.modules.pop(name, None)
    module = load("api")
    assert not {"openapi", "reference", "shapes"} & set(sys.modules)
    assert importlib.import_module("table").RouteTable
    assert module.app
