"""The suppression list's routes: what they answer, and what an export is safe from."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cloud import RECIPIENTS, Cloud, Context

from fakes import HASH_KEY
from sendmill.contact import address_hash

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Ask = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
HASH = address_hash(HASH_KEY, "ada@example.com")


@pytest.fixture
def ask(load: Load, event: MakeEvent) -> Ask:
    """A function that asks the handler as API Gateway would."""
    module = load("api")

    def asked(method: str, path: str, body: bytes = b"", kind: str = "text/csv") -> dict[str, Any]:
        route, _, query = path.partition("?")
        found = event("api_gateway_v2") | {"rawPath": route, "rawQueryString": query}
        found["headers"] = {**found.get("headers", {}), "content-type": kind}
        found["queryStringParameters"] = dict(parse_qsl(query))
        found["requestContext"]["http"] |= {"method": method, "path": route}
        if body:
            found |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        answer: dict[str, Any] = module.handler(found, Context())
        return answer

    return asked


def add(ask: Ask, **fields: str) -> dict[str, Any]:
    return ask("POST", "/v1/suppressions", json.dumps(fields).encode(), "application/json")


def listed(ask: Ask, path: str = "/v1/suppressions") -> dict[str, Any]:
    answer = ask("GET", path)
    assert answer["statusCode"] == 200
    found: dict[str, Any] = json.loads(answer["body"])
    return found


def test_an_address_is_added_listed_and_removed(ask: Ask) -> None:
    answer = add(ask, email="ada@example.com")
    assert answer["statusCode"] == 201
    found = json.loads(answer["body"])
    assert found | {"at": 0} == {
        "address_hash": HASH,
        "email": "ada@example.com",
        "reason": "manual",
        "source": "api",
        "at": 0,
    }
    assert listed(ask) == {"items": [found], "cursor": ""}
    assert ask("DELETE", f"/v1/suppressions/{HASH}")["statusCode"] == 204
    assert listed(ask) == {"items": [], "cursor": ""}
    assert ask("DELETE", f"/v1/suppressions/{HASH}")["statusCode"] == 404


def test_a_file_is_imported_with_line_and_reason_of_what_was_rejected(ask: Ask) -> None:
    answer = ask("POST", "/v1/suppressions", b"email,reason\nada@example.com,complained\nnobody,\n")
    assert answer["statusCode"] == 200
    found = json.loads(answer["body"])
    assert (found["rows"], found["accepted"], found["rejected"]) == (2, 1, 1)
    assert [row["line"] for row in found["rejected_rows"]] == [3]
    (item,) = listed(ask)["items"]
    assert (item["email"], item["reason"]) == ("ada@example.com", "complained")


def test_an_export_is_neutral_for_spreadsheets_and_fit_for_an_import(ask: Ask) -> None:
    hostile = ["=cmd@example.com", "+1@example.com", "-2@example.com", "ada@example.com"]
    ask("POST", "/v1/suppressions", "\n".join(["email", *hostile]).encode())
    answer = ask("GET", "/v1/suppressions/export")
    assert answer["headers"]["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["headers"]["Content-Disposition"]
    assert "X-Next-Cursor" not in answer["headers"]
    rows = list(csv.DictReader(io.StringIO(answer["body"])))
    assert sorted(row["email"] for row in rows) == sorted(
        ["'=cmd@example.com", "'+1@example.com", "'-2@example.com", "ada@example.com"]
    )
    assert {row["reason"] for row in rows} == {"imported"}
    for row in listed(ask)["items"]:
        ask("DELETE", f"/v1/suppressions/{row['address_hash']}")
    found = json.loads(ask("POST", "/v1/suppressions", answer["body"].encode())["body"])
    assert (found["accepted"], found["rejected"]) == (4, 0)
    assert sorted(row["email"] for row in listed(ask)["items"]) == sorted(hostile)


def test_erasing_keeps_the_tombstone(ask: Ask, cloud: Cloud) -> None:
    add(ask, email="ada@example.com")
    assert ask("DELETE", f"/v1/suppressions/{HASH}?erase=true")["statusCode"] == 204
    assert listed(ask)["items"] == []
    (left,) = cloud.dynamodb.scan(TableName=RECIPIENTS)["Items"]
    assert left["pk"]["S"] == f"S#{HASH}"
    assert "@" not in str(left)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 422, "email: field required"),
        ({"email": 7}, 422, "email: input should be a valid string (got 7)"),
        ({"email": "nobody"}, 400, "address must be valid"),
        ({"email": "a@example.com", "reason": "whim"}, 400, "reason must be one of"),
    ],
)
def test_what_is_wrong_is_named(ask: Ask, fields: dict[str, Any], status: int, said: str) -> None:
    answer = add(ask, **fields)
    assert answer["statusCode"] == status
    assert said in json.loads(answer["body"])["detail"]


def test_a_file_that_is_too_large_is_refused(ask: Ask) -> None:
    answer = ask("POST", "/v1/suppressions", b"email\n" + b"a" * 4_000_000)
    assert answer["statusCode"] == 413


def test_pages_follow_each_other(ask: Ask) -> None:
    rows = "".join(f"p{n}@example.com\n" for n in range(15))
    ask("POST", "/v1/suppressions", f"email\n{rows}".encode())
    first = listed(ask, "/v1/suppressions?limit=10")
    rest = listed(ask, f"/v1/suppressions?limit=10&cursor={first['cursor']}")
    assert len(first["items"]) == 10
    assert len({row["email"] for row in first["items"] + rest["items"]}) == 15
    assert ask("GET", "/v1/suppressions?cursor=nonsense")["statusCode"] == 400


def test_no_address_is_logged(ask: Ask, log: io.StringIO) -> None:
    add(ask, email="ada@example.com")
    ask("POST", "/v1/suppressions", b"email\nbob@example.com\n")
    ask("DELETE", f"/v1/suppressions/{HASH}")
    text = log.getvalue()
    assert '"suppressed"' in text
    assert '"suppressions_imported"' in text
    assert '"suppression_removed"' in text
    assert "example.com" not in text
