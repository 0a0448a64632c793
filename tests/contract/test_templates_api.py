"""The routes of templates: save, versions, preview, and campaigns made from one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from api_client import ApiClient

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
PATH = "/v1/templates"
SAID = {
    "name": "Newsletter",
    "subject": "Hello {{ first_name }}",
    "body": "<p>Dear {{ first_name }} of {{ company }}</p>",
    "defaults": {"company": "your company"},
}
FILE = "email,first_name\nada@example.com,Ada\nbob@example.com,\n"


@pytest.fixture
def api(load: Load, event: MakeEvent) -> ApiClient:
    return ApiClient(module=load("api"), event=event("api_gateway_v2"))


def check_shape(name: str, body: Any) -> None:
    getattr(importlib.import_module("template_shapes"), name).model_validate(body)


def test_a_template_is_saved_shown_saved_again_and_deleted(api: ApiClient) -> None:
    made = api.ask("POST", PATH, SAID)
    assert (made.status, made.body["version"]) == (201, 1)
    check_shape("TemplateView", made.body)
    assert made.body["variables"] == ["company", "first_name"]
    at = f"{PATH}/{made.body['template_id']}"
    again = api.ask("PUT", at, {**SAID, "subject": "Good day", "defaults": None})
    assert (again.status, again.body["version"], again.body["defaults"]) == (200, 2, {})
    assert api.ask("GET", at).body == again.body
    assert api.ask("GET", f"{at}?version=1").body == made.body
    versions = api.ask("GET", f"{at}/versions").body
    check_shape("TemplatePage", versions)
    assert [one["version"] for one in versions["items"]] == [2, 1]
    page = api.ask("GET", PATH).body
    check_shape("TemplatePage", page)
    assert [one["subject"] for one in page["items"]] == ["Good day"]
    assert api.ask("DELETE", at).status == 204
    for method, path in (("GET", at), ("GET", f"{at}/versions"), ("DELETE", at)):
        assert api.ask(method, path).status == 404


def test_a_campaign_copies_the_version_it_is_made_from(api: ApiClient) -> None:
    template_id = api.ask("POST", PATH, SAID).body["template_id"]
    list_id = api.ask("POST", "/v1/contact-lists?name=M", FILE).body["list_id"]
    asked = {"name": "Spring", "list_id": list_id, "template_id": template_id}
    made = api.ask("POST", "/v1/campaigns", asked)
    assert made.status == 201
    api.ask("PUT", f"{PATH}/{template_id}", {**SAID, "subject": "Changed"})
    api.ask("DELETE", f"{PATH}/{template_id}")
    shown = api.ask("GET", f"/v1/campaigns/{made.body['campaign_id']}").body
    assert shown["subject"] == SAID["subject"]
    assert (shown["template_id"], shown["template_version"]) == (template_id, 1)
    assert api.ask("POST", "/v1/campaigns", asked).status == 404
    both = api.ask("POST", "/v1/campaigns", {**asked, "subject": "x"})
    assert (both.status, both.body["detail"]) == (
        400,
        "subject must not stand beside template_id",
    )


def test_a_preview_is_read_by_a_contact_of_a_list_and_names_what_is_missing(
    api: ApiClient,
) -> None:
    list_id = api.ask("POST", "/v1/contact-lists?name=M", FILE).body["list_id"]
    asked = {**SAID, "list_id": list_id, "contact_id": "0-2", "text": "{{ nickname }}"}
    answer = api.ask("POST", f"{PATH}/preview", asked)
    assert answer.status == 200
    check_shape("PreviewView", answer.body)
    assert answer.body["subject"] == "Hello Ada"
    assert answer.body["html"] == "<p>Dear Ada of your company</p>"
    assert (answer.body["text"], answer.body["missing"]) == ("[nickname]", ["nickname"])
    assert answer.body["variables"] == ["company", "first_name", "nickname"]
    gone = api.ask("POST", f"{PATH}/preview", {**asked, "contact_id": "0-9"})
    assert gone.status == 404
    nobody = api.ask("POST", f"{PATH}/preview", SAID)
    assert (nobody.status, "contact" in nobody.body["detail"]) == (400, True)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/preview"])
def test_a_bomb_is_refused_and_the_api_lives_on(api: ApiClient, path: str) -> None:
    bomb = {**SAID, "body": "{{ a" + "==a" * 32_000 + " }}"}
    answer = api.ask("POST", path, {**bomb, "contact": {"email": "ada@example.com"}})
    assert (answer.status, answer.kind) == (400, "application/problem+json")
    assert "takes more than 2 s or 160 MB to render" in answer.body["detail"]
    assert api.ask("GET", PATH).status == 200


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({**SAID, "name": ""}, 422, "name"),
        ({"name": "x", "subject": "s"}, 422, "body"),
        ({**SAID, "defaults": {"a": 1}}, 422, "defaults"),
        ({**SAID, "defaults": {"A b": "c"}}, 400, "defaults.A b"),
        ({**SAID, "body": "{{ a.b }}"}, 400, "body, line 1: getattr"),
    ],
)
def test_what_cannot_be_saved_is_a_problem_that_says_why(
    api: ApiClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = api.ask("POST", PATH, body)
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    assert said in answer.body["detail"]
