"""The routes of contacts: look, find, add, change, remove; rename, delete, erase."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import Cloud

from api_client import ApiClient

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
FILE = "email,first_name\nada@example.com,Ada\nbob@example.com,Bob\n"


@pytest.fixture
def api(load: Load, event: MakeEvent, cloud: Cloud) -> ApiClient:
    cloud.s3.put_bucket_versioning(
        Bucket=cloud.environment["CONTACTS_BUCKET"], VersioningConfiguration={"Status": "Enabled"}
    )
    return ApiClient(module=load("api"), event=event("api_gateway_v2"))


@pytest.fixture
def at(api: ApiClient) -> str:
    made = api.ask("POST", "/v1/contact-lists?name=Members", FILE)
    return f"/v1/contact-lists/{made.body['list_id']}"


def check_shape(name: str, body: Any) -> None:
    getattr(importlib.import_module("contact_shapes"), name).model_validate(body)


def test_contacts_are_shown_found_added_changed_and_removed(
    api: ApiClient, at: str, log: io.StringIO
) -> None:
    page = api.ask("GET", f"{at}/contacts")
    check_shape("ContactPage", page.body)
    assert [one["email"] for one in page.body["items"]] == ["ada@example.com", "bob@example.com"]
    (bob,) = api.ask("GET", f"{at}/contacts?query=BOB").body["items"]
    assert bob == {
        "contact_id": "0-3",
        "line": 3,
        "email": "bob@example.com",
        "fields": {"first_name": "Bob"},
    }
    added = api.ask("POST", f"{at}/contacts", {"email": "eve@example.com"})
    assert (added.status, added.body["contact_id"]) == (201, "0-4")
    changed = api.ask(
        "PATCH", f"{at}/contacts/0-3", {"fields": {"first_name": None, "city": "Rome"}}
    )
    assert (changed.status, changed.body["fields"]) == (200, {"city": "Rome"})
    assert api.ask("DELETE", f"{at}/contacts/0-2").status == 204
    left = api.ask("GET", f"{at}/contacts").body["items"]
    assert [one["contact_id"] for one in left] == ["0-3", "0-4"]
    shown = api.ask("GET", at).body
    assert (shown["revision"], shown["accepted"], shown["rows"]) == (3, 2, 2)
    assert shown["fields"] == ["first_name", "city"]
    assert "@" not in log.getvalue()


def test_pages_follow_each_other(api: ApiClient, at: str) -> None:
    first = api.ask("GET", f"{at}/contacts?limit=1").body
    second = api.ask("GET", f"{at}/contacts?limit=1&cursor={first['cursor']}").body
    assert [one["line"] for one in (*first["items"], *second["items"])] == [2, 3]
    assert second["cursor"] == ""


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/contacts?cursor=x", None, 400, "cursor must be"),
        ("GET", "/contacts?limit=0", None, 422, "limit"),
        ("POST", "/contacts", {"email": "nobody"}, 400, "address must be valid"),
        ("POST", "/contacts", {"fields": {}}, 422, "email"),
        ("POST", "/contacts", {"email": "ADA@example.com"}, 409, "in the list already"),
        ("POST", "/contacts", {"email": "x@x.org", "fields": {"A b": "c"}}, 400, "field name"),
        ("PATCH", "/contacts/0-9", {"email": "x@x.org"}, 404, "contact 0-9"),
        ("PATCH", "/contacts/x", {"email": "x@x.org"}, 422, "contact_id"),
        ("DELETE", "/contacts/7-9", None, 404, "contact 7-9"),
        ("PATCH", "", {"name": ""}, 422, "name"),
    ],
)
def test_what_cannot_be_done_is_a_problem_that_says_why(
    api: ApiClient, at: str, method: str, path: str, body: Any, status: int, said: str
) -> None:
    answer = api.ask(method, f"{at}{path}", body)
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    assert said in answer.body["detail"]


def test_a_list_is_renamed_and_deleted(api: ApiClient, at: str) -> None:
    assert api.ask("PATCH", at, {"name": "Friends"}).body["name"] == "Friends"
    assert api.ask("DELETE", at).status == 204
    assert api.ask("GET", at).status == 404
    assert api.ask("GET", f"{at}/contacts").status == 404
    assert api.ask("DELETE", at).status == 404


def test_a_person_is_erased_and_no_log_says_whom(
    api: ApiClient, at: str, cloud: Cloud, log: io.StringIO
) -> None:
    body = {"email": "ada@example.com", "confirm": "ada@example.com"}
    wrong = api.ask("POST", "/v1/contacts/erase", {**body, "confirm": "bob@example.com"})
    assert (wrong.status, wrong.body["detail"]) == (
        400,
        "confirm must be the same address as email",
    )
    answer = api.ask("POST", "/v1/contacts/erase", body)
    check_shape("Erasure", answer.body)
    assert answer.body == {"lists": 1, "recipients": 0, "complete": True, "cursor": ""}
    assert [one["email"] for one in api.ask("GET", f"{at}/contacts").body["items"]] == [
        "bob@example.com"
    ]
    assert "@" not in log.getvalue()
    (said,) = [
        line
        for line in map(json.loads, log.getvalue().splitlines())
        if line["message"] == "contact_erased"
    ]
    assert len(said["address_hash"]) == 26
