"""The HTTP API's contract: every route's answer, and a problem that names what was wrong."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cloud import CAMPAIGNS, RECIPIENTS, Cloud, Context

from sendmill.campaign import Status
from sendmill.store import CampaignStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
# Powertools warns where an invocation counted nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
FILE = "email,first_name\nada@example.com,Ada\nnobody,N\nADA@example.com,A\nbob@example.com,Bob\n"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API said; ``body`` is parsed when it is JSON."""

    status: int
    kind: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Client:
    """Ask the handler as API Gateway would."""

    module: ModuleType
    event: dict[str, Any]

    def ask(self, method: str, path: str, body: str | bytes = "", **extra: Any) -> Answer:
        route, _, query = path.partition("?")
        event = {**self.event, "rawPath": route, "rawQueryString": query}
        if query:
            event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
        http = {**event["requestContext"]["http"], "method": method, "path": route}
        event["requestContext"] = {**event["requestContext"], "http": http}
        if isinstance(body, bytes):
            event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
        elif body:
            event["body"] = body
        found = self.module.handler({**event, **extra}, Context())
        headers = {name.lower(): value for name, value in found["headers"].items()}
        kind = headers["content-type"]
        parsed = json.loads(found["body"]) if "json" in kind else found["body"]
        return Answer(status=found["statusCode"], kind=kind, body=parsed, headers=headers)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: object = "") -> Answer:
        if isinstance(body, str | bytes):
            return self.ask("POST", path, body)
        return self.ask("POST", path, json.dumps(body))


@pytest.fixture
def client(load: Load, event: MakeEvent) -> Client:
    return Client(module=load("api"), event=event("api_gateway_v2"))


@pytest.fixture
def list_id(client: Client) -> str:
    return str(client.post("/v1/contact-lists?name=Members", FILE).body["list_id"])


@pytest.fixture
def campaign_id(client: Client, list_id: str) -> str:
    return str(client.post("/v1/campaigns", request(list_id)).body["campaign_id"])


def request(of_list: str, **changes: object) -> dict[str, Any]:
    plain = {
        "name": "Spring",
        "list_id": of_list,
        "subject": "Hello {{first_name}}",
        "body": "Dear {{first_name}}",
        "config": {"from_email": "noreply@example.com"},
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


@pytest.mark.parametrize("body", [FILE, FILE.encode(), FILE.encode("utf-16")])
def test_an_import_says_what_became_of_every_row(client: Client, body: str | bytes) -> None:
    answer = client.post("/v1/contact-lists?name=Members", body)
    assert (answer.status, answer.kind) == (201, "application/json")
    found = answer.body
    assert (found["name"], found["fields"]) == ("Members", ["first_name"])
    assert (found["rows"], found["accepted"]) == (4, 2)
    assert found["rejected"] == {"invalid": 1, "duplicate": 1}
    assert [row["line"] for row in found["rejected_rows"]] == [3, 4]
    assert "address must be valid" in found["rejected_rows"][0]["reason"]
    assert found["rejected_rows"][1]["reason"] == "address is the same as in line 2"


def test_a_list_is_shown_alone_and_among_others(client: Client, list_id: str) -> None:
    shown = client.get(f"/v1/contact-lists/{list_id}")
    assert (shown.status, shown.body["list_id"]) == (200, list_id)
    page = client.get("/v1/contact-lists")
    assert (page.status, page.body) == (200, {"items": [shown.body], "cursor": ""})


def test_rejected_rows_come_as_a_file_that_no_spreadsheet_runs(
    client: Client, list_id: str
) -> None:
    answer = client.get(f"/v1/contact-lists/{list_id}/rejected")
    assert (answer.status, answer.kind) == (200, "text/csv; charset=utf-8")
    lines = answer.body.splitlines()
    assert lines[0] == "line,reason"
    assert lines[1].startswith("3,address must be valid")
    assert lines[2] == "4,address is the same as in line 2"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{list_id}-rejected.csv"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_campaign_is_created_as_a_draft(client: Client, list_id: str) -> None:
    answer = client.post("/v1/campaigns", request(list_id))
    assert answer.status == 201
    found = answer.body
    assert (found["status"], found["campaign_name"]) == ("draft", "Spring")
    assert (found["rows"], found["total"], found["states"]) == (4, 2, {"pending": 2})
    assert found["rejected"] == {"invalid": 1, "duplicate": 1}
    assert sum(found["states"].values()) + sum(found["rejected"].values()) == found["rows"]
    assert found["config"]["email_service"] == "ses"


def test_a_start_queues_the_plan(client: Client, campaign_id: str, cloud: Cloud) -> None:
    answer = client.post(f"/v1/campaigns/{campaign_id}/start")
    assert (answer.status, answer.body["status"]) == (202, "planning")
    plan = {"op": "check_plan", "campaign_id": campaign_id, "first": 0, "last": 1, "argument": ""}
    assert cloud.received("DISPATCH") == [plan]


def test_a_campaign_is_paused_and_resumed(client: Client, campaign_id: str, cloud: Cloud) -> None:
    store = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    assert store.set_status(campaign_id, Status.RUNNING, expected={Status.DRAFT})
    paused = client.post(f"/v1/campaigns/{campaign_id}/pause")
    assert (paused.status, paused.body["status"]) == (200, "paused")
    assert paused.body["reason"]
    resumed = client.post(f"/v1/campaigns/{campaign_id}/resume")
    assert (resumed.status, resumed.body["status"]) == (202, "running")
    assert len(cloud.received("DISPATCH")) == 10


def test_a_campaign_is_shown_alone_and_among_others(client: Client, campaign_id: str) -> None:
    shown = client.get(f"/v1/campaigns/{campaign_id}")
    assert (shown.status, shown.body["campaign_id"]) == (200, campaign_id)
    page = client.get("/v1/campaigns?limit=1")
    assert [one["campaign_id"] for one in page.body["items"]] == [campaign_id]


def test_recipients_are_shown_with_state_and_reason(
    client: Client, campaign_id: str, load: Load, event: MakeEvent
) -> None:
    job = {"op": "chunk", "campaign_id": campaign_id, "first": 0, "last": 1}
    record = {**event("sqs_dispatch")["Records"][0], "body": json.dumps(job)}
    load("dispatch").handler({"Records": [record]}, Context())
    answer = client.get(f"/v1/campaigns/{campaign_id}/recipients")
    assert answer.status == 200
    found = {row["email"]: row for row in answer.body["items"]}
    assert set(found) == {"ada@example.com", "bob@example.com"}
    assert (found["bob@example.com"]["state"], found["bob@example.com"]["line"]) == ("pending", 5)
    page = client.get(f"/v1/campaigns/{campaign_id}/recipients?limit=1").body
    rest = client.get(
        f"/v1/campaigns/{campaign_id}/recipients?limit=9&cursor={page['cursor']}"
    ).body
    assert {row["email"] for row in [*page["items"], *rest["items"]]} == set(found)
    none = client.get(f"/v1/campaigns/{campaign_id}/recipients?state=accepted").body
    assert none == {"items": [], "cursor": ""}


PROBLEMS = [
    ("POST", "/v1/contact-lists", "name\nAda\n", 400, "line 1: one column must be named email"),
    ("POST", "/v1/contact-lists", "", 400, "one column must be named email (got nothing)"),
    ("POST", "/v1/contact-lists", "email\nnobody\n", 400, "all of them rejected; line 2: address"),
    ("POST", "/v1/contact-lists", b"email\nzo\x9d@example.com\n", 400, "line 2: the file must"),
    ("POST", "/v1/contact-lists", "x" * 4_000_001, 413, "at most 4000000 bytes (got 4000001)"),
    ("GET", "/v1/contact-lists?limit=0", "", 422, "should be greater than or equal to 1 (got '0')"),
    ("GET", "/v1/contact-lists?limit=9999", "", 422, "less than or equal to 1000 (got '9999')"),
    ("GET", "/v1/contact-lists?limit=x", "", 422, "limit: input should be a valid integer"),
    ("GET", "/v1/contact-lists?limit=%C2%B2", "", 422, "limit: input should be a valid integer"),
    ("GET", "/v1/contact-lists?cursor=x", "", 400, "cursor must be one that a page gave (got 'x')"),
    ("GET", "/v1/contact-lists/nobody", "", 404, "contact list nobody does not exist"),
    ("GET", "/v1/contact-lists/nobody/rejected", "", 404, "contact list nobody does not exist"),
    ("POST", "/v1/campaigns", "no json", 400, "body must be JSON"),
    ("POST", "/v1/campaigns", "", 422, "body: field required (got nothing)"),
    ("POST", "/v1/campaigns", "[]", 422, "body: input should be a valid dictionary or object"),
    ("POST", "/v1/campaigns", '{"name": 7}', 422, "name: input should be a valid string (got 7)"),
    ("GET", "/v1/campaigns/no%20id%00", "", 422, "campaign_id: string should match pattern"),
    ("POST", "/v1/campaigns", "[" * 100_000, 400, "body must be JSON"),
    ("POST", "/v1/campaigns", b"\xff", 400, "body must be JSON"),
    ("POST", "/v1/campaigns", "{}", 400, "subject must be"),
    ("GET", "/v1/campaigns?cursor=7b", "", 400, "cursor must be one that a page gave"),
    ("GET", "/v1/campaigns/nobody", "", 404, "campaign nobody does not exist"),
    ("POST", "/v1/campaigns/nobody/start", "", 404, "campaign nobody does not exist"),
    ("POST", "/v1/campaigns/nobody/pause", "", 404, "campaign nobody does not exist"),
    ("POST", "/v1/campaigns/nobody/resume", "", 404, "campaign nobody does not exist"),
    ("GET", "/v1/campaigns/nobody/recipients", "", 404, "campaign nobody does not exist"),
]  # fmt: skip


def check_problem(answer: Answer, status: int, said: str) -> None:
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    fields = {"type", "title", "status", "detail"} | ({"errors"} if status == 422 else set())
    assert set(answer.body) == fields
    assert answer.body["status"] == status
    assert said in answer.body["detail"]
    for error in answer.body.get("errors", []):
        assert set(error) == {"field", "value", "detail"}


def test_every_refusal_is_a_problem_that_names_the_field_and_the_value(client: Client) -> None:
    for method, path, body, status, said in PROBLEMS:
        check_problem(client.ask(method, path, body), status, said)


def test_a_campaign_that_cannot_be_sent_is_a_problem(client: Client, list_id: str) -> None:
    cases = [
        ({"name": ...}, 400, "name must be 1 to 200 characters (got None)"),
        ({"name": ""}, 422, "name: string should have at least 1 character (got '')"),
        ({"list_id": ...}, 400, "list_id must be the id of a contact list (got None)"),
        ({"list_id": 7}, 422, "list_id: input should be a valid string (got 7)"),
        ({"list_id": "nobody"}, 404, "contact list nobody does not exist"),
        ({"subject": ""}, 400, "subject must be"),
        ({"subject": "\ud800"}, 422, "subject: input should be a valid string, unable to parse"),
        ({"body": "{{ a.b }}"}, 400, "body, line 1: getattr is not allowed"),
        ({"config": {"email_service": "pigeon"}}, 400, "config.email_service must be one of ses"),
        ({"config": {"from_email": "nobody"}}, 400, "config.from_email must be"),
    ]
    for changes, status, said in cases:
        check_problem(client.post("/v1/campaigns", request(list_id, **changes)), status, said)


def test_what_a_status_forbids_is_a_conflict(client: Client, campaign_id: str) -> None:
    for verb in ("pause", "resume"):
        answer = client.post(f"/v1/campaigns/{campaign_id}/{verb}")
        check_problem(answer, 409, f"campaign {campaign_id} is draft")
    shown = client.get(f"/v1/campaigns/{campaign_id}/recipients?state=sent")
    check_problem(shown, 422, "state: string should match pattern '^(pending|")
    cursor = client.get(f"/v1/campaigns/{campaign_id}/recipients?cursor=zz")
    check_problem(cursor, 400, "cursor must be one that a page gave (got 'zz')")


def test_a_service_that_is_away_is_a_503_that_may_be_asked_again(
    client: Client, campaign_id: str, cloud: Cloud
) -> None:
    cloud.dynamodb.delete_table(TableName=RECIPIENTS)
    answer = client.get(f"/v1/campaigns/{campaign_id}/recipients")
    check_problem(answer, 503, "reading recipients")
    assert answer.headers["retry-after"] == "5"


def test_an_unknown_route_is_not_found(client: Client) -> None:
    assert client.get("/v1/nothing").status == 404
    assert client.ask("DELETE", "/v1/campaigns").status == 404


def test_who_created_a_thing_is_known_by_the_token(client: Client, cloud: Cloud) -> None:
    client.post("/v1/contact-lists?name=Members", FILE)
    (item,) = cloud.dynamodb.scan(TableName="campaigns")["Items"]
    assert item["created_by"] == {"S": "0f1c2d3e-aaaa-bbbb-cccc-000000000001"}


def test_no_line_of_the_log_holds_an_address(
    client: Client, list_id: str, log: io.StringIO
) -> None:
    client.post("/v1/contact-lists", "email\nvictim@example.com\nvictim@example.com\n")
    client.post("/v1/campaigns", request(list_id, config={"from_email": "victim@@"}))
    written = log.getvalue()
    assert "request_answered" in written
    assert "victim" not in written
