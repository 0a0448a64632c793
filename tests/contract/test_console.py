"""The console at the function's edge: what a browser is told it may do, keep and load."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cloud import Context

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Ask = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
WEB = Path(__file__).resolve().parents[2] / "functions/api/web"
SIGN_IN = {
    "authorization_endpoint": "https://id.example.com/oauth2/authorize",
    "token_endpoint": "https://id.example.com/oauth2/token",
    "logout_endpoint": "https://id.example.com/logout",
    "client_id": "console",
    "scope": "openid",
}


@pytest.fixture
def ask(load: Load, event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A function that gets a path without a token."""
    monkeypatch.setenv("SIGN_IN", json.dumps(SIGN_IN))
    module = load("api")

    def get(path: str, **headers: str) -> dict[str, Any]:
        found = event("api_gateway_v2") | {"rawPath": path}
        del found["requestContext"]["authorizer"]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        found |= {"headers": named, "body": "", "isBase64Encoded": False}
        found["requestContext"]["http"] |= {"method": "GET", "path": path}
        answer: dict[str, Any] = module.handler(found, Context())
        return answer

    return get


def directives(policy: str) -> dict[str, list[str]]:
    found = (part.split() for part in policy.split(";"))
    return {words[0]: words[1:] for words in found if words}


def files(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(app/[^"]+)"', page)


def test_the_page_runs_our_own_scripts_and_nothing_else(ask: Ask) -> None:
    answer = ask("/")
    policy = directives(answer["headers"]["Content-Security-Policy"])
    assert answer["statusCode"] == 200
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["frame-src"] == ["'self'"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", answer["body"])


def test_the_page_may_reach_the_issuer_and_the_place_of_uploads_and_nobody_else(ask: Ask) -> None:
    policy = directives(ask("/")["headers"]["Content-Security-Policy"])
    own, issuer, uploads = policy["connect-src"]
    assert (own, issuer) == ("'self'", "https://id.example.com")
    assert re.fullmatch(r"https://[a-z0-9.-]+\.amazonaws\.com", uploads)


def test_a_page_that_has_not_changed_is_not_sent_again(ask: Ask) -> None:
    tag = ask("/")["headers"]["ETag"]
    again = ask("/", if_none_match=f'W/"other", {tag}')
    assert (again["statusCode"], again["body"]) == (304, "")
    assert ask("/", if_none_match='"another"')["statusCode"] == 200


def test_every_file_that_the_page_names_is_there_and_kept_for_ever(ask: Ask) -> None:
    named = files(ask("/")["body"])
    assert len(named) >= 3
    for path in named:
        if "/vendor/" in path:
            continue  # fetched when it is built
        answer = ask(f"/{path}")
        assert answer["statusCode"] == 200, path
        assert "immutable" in answer["headers"]["Cache-Control"]
        assert answer["headers"]["X-Content-Type-Options"] == "nosniff"


def test_a_client_that_takes_gzip_gets_gzip(ask: Ask) -> None:
    path = next(path for path in files(ask("/")["body"]) if path.endswith(".css"))
    plain = ask(f"/{path}")
    packed = ask(f"/{path}", accept_encoding="gzip, br")
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert packed["isBase64Encoded"]
    data = base64.b64decode(packed["body"])
    assert gzip.decompress(data).decode() == plain["body"] == (WEB / "console.css").read_text()
    assert len(data) < len(plain["body"]) / 3


@pytest.mark.parametrize(
    "path",
    [
        "/app/0000000000000000/console.css",
        "/app/{version}/../handler.py",
        "/app/{version}/%2e%2e/handler.py",
        "/app/{version}/handler.py",
        "/app/{version}/",
        "/app/console.css",
    ],
)
def test_nothing_but_the_files_of_this_version_is_served(ask: Ask, path: str) -> None:
    version = files(ask("/")["body"])[0].split("/")[1]
    assert ask(path.replace("{version}", version))["statusCode"] == 404


def test_the_preview_has_an_origin_of_its_own_and_reaches_nothing(ask: Ask) -> None:
    version = files(ask("/")["body"])[0].split("/")[1]
    answer = ask(f"/app/{version}/preview.html")
    policy = directives(answer["headers"]["Content-Security-Policy"])
    assert policy["sandbox"] == ["allow-scripts"]
    assert policy["default-src"] == policy["form-action"] == ["'none'"]
    assert policy["img-src"] == ["data:"]
    assert policy["script-src"] == policy["frame-ancestors"] == ["'self'"]


def test_the_settings_name_the_issuer_and_no_secret(ask: Ask) -> None:
    answer = ask("/app/config.json")
    found = json.loads(answer["body"])
    assert found["oidc"] == SIGN_IN
    assert set(found) == {"environment", "version", "oidc", "api"}
    assert answer["headers"]["Cache-Control"] == "no-store"


def test_a_page_opens_under_a_hundred_kilobytes_of_own_script() -> None:
    ours = [path for path in WEB.rglob("*.js") if "vendor" not in path.parts]
    shared = sum(path.stat().st_size for path in ours if path.parent.name == "js")
    largest = max(path.stat().st_size for path in ours if path.parent.name == "pages")
    assert 0 < shared + 2 * largest < 100_000


def test_no_script_writes_markup_or_keeps_a_token() -> None:
    for path in WEB.rglob("*.js"):
        if "vendor" in path.parts:
            continue
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
        assert not re.search(r"(session|local)Storage\.setItem\([^)]*token", text, re.I)
        assert "document.cookie" not in text
