"""The operator's routes: dead letters, the account, previews; problems name what was wrong."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cloud import CAMPAIGNS, TASKS, Cloud, Context
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.sqs.responses import SQSResponse

from fakes import NOW
from sendmill.rate import SAFETY, Account
from sendmill.store import AccountStore
from sendmill.tasks.receipts.dynamodb import DynamoReceipts

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Ask = Callable[..., tuple[int, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NAME = "sendmill-test-bulk-email-dlq"
TEMPLATE = {"subject": "Hello {{first_name}}", "body": "Dear {{ first_name }}, <b>you</b>"}
CONTACT = {"email": "ada@example.com", "first_name": "Ada"}


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The moves that SQS was asked for: moto does not know them."""
    found: list[dict[str, Any]] = []

    def start(response: SQSResponse) -> ActionResult:
        if found:
            raise JsonRESTError("UnsupportedOperation", "there is a task already")
        found.append({"SourceArn": response._get_param("SourceArn"), "Status": "RUNNING"})
        return ActionResult({"TaskHandle": "h"})

    def show(_: SQSResponse) -> ActionResult:
        return ActionResult({"Results": found})

    monkeypatch.setattr(SQSResponse, "start_message_move_task", start, raising=False)
    monkeypatch.setattr(SQSResponse, "list_message_move_tasks", show, raising=False)
    return found


@pytest.fixture
def url(cloud: Cloud, moves: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> str:
    found = str(cloud.sqs.create_queue(QueueName=NAME)["QueueUrl"])
    monkeypatch.setenv("EMAIL_DLQ_URL", found)
    return found


@pytest.fixture
def ask(url: str, load: Load, event: MakeEvent) -> Ask:
    """A function that asks the handler as API Gateway would; problems must be proper ones."""
    return asking(load("api"), event)


def asking(module: ModuleType, event: MakeEvent) -> Ask:
    def asked(method: str, path: str, body: object = None) -> tuple[int, Any]:
        route, _, query = path.partition("?")
        found = event("api_gateway_v2") | {"rawPath": route, "rawQueryString": query}
        found["queryStringParameters"] = dict(parse_qsl(query))
        found["requestContext"]["http"] |= {"method": method, "path": route}
        if body is not None:
            found["body"] = body if isinstance(body, str) else json.dumps(body)
        answer = module.handler(found, Context())
        said, status = json.loads(answer["body"]), answer["statusCode"]
        if status >= 400:
            assert answer["headers"]["Content-Type"] == "application/problem+json"
            assert set(said) - {"errors"} == {"type", "title", "status", "detail"}
            assert said["status"] == status
        return status, said

    return asked


def die(cloud: Cloud, url: str, *bodies: object) -> None:
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        cloud.sqs.send_message(QueueUrl=url, MessageBody=text)


def test_dead_letters_are_shown_with_their_reasons(
    ask: Ask, cloud: Cloud, url: str, log: io.StringIO
) -> None:
    good = {"campaign_id": "spring", "contact": CONTACT, "config": {}, **TEMPLATE}
    die(cloud, url, "no JSON", {"campaign_id": "spring"}, good)
    status, said = ask("GET", "/v1/dead-letters")
    assert status == 200
    assert {letter["campaign_id"] for letter in said["items"]} == {"", "spring"}
    reasons = " | ".join(sorted(letter["reason"] for letter in said["items"]))
    assert "body must be JSON" in reasons
    assert "contact must be an object" in reasons
    # as the worker reads it, with its default sender: nothing is wrong with this one
    assert "handled three times without success" in reasons
    assert set(said["items"][0]) == {
        "message_id",
        "sent_at",
        "age_seconds",
        "receives",
        "campaign_id",
        "reason",
    }
    assert said["redrive"] == {"status": "NONE", "moved": 0, "to_move": 0}
    assert "example.com" not in json.dumps(said)
    assert "example.com" not in log.getvalue()


def test_as_many_as_asked_for_are_shown(ask: Ask, cloud: Cloud, url: str) -> None:
    die(cloud, url, *["x"] * 5)
    status, said = ask("GET", "/v1/dead-letters?limit=2")
    assert (status, len(said["items"])) == (200, 2)


@pytest.mark.parametrize("limit", ["0", "1001", "all", "-1"])
def test_a_limit_that_is_none_is_named(ask: Ask, limit: str) -> None:
    status, said = ask("GET", f"/v1/dead-letters?limit={limit}")
    assert (status, limit in said["detail"]) == (422, True)
    assert [error["field"] for error in said["errors"]] == ["limit"]


def test_a_redrive_is_begun_and_a_second_is_a_conflict(
    ask: Ask, moves: list[dict[str, Any]]
) -> None:
    running = {"status": "RUNNING", "moved": 0, "to_move": 0}
    assert ask("POST", "/v1/dead-letters/redrive") == (202, {"redrive": running})
    assert [move["SourceArn"].rpartition(":")[2] for move in moves] == [NAME]
    assert ask("GET", "/v1/dead-letters")[1]["redrive"] == running
    status, said = ask("POST", "/v1/dead-letters/redrive")
    assert (status, "is running already" in said["detail"]) == (409, True)


def test_a_purge_wants_the_name_of_the_queue(ask: Ask, cloud: Cloud, url: str) -> None:
    die(cloud, url, "x")
    for body in ({}, {"confirm": ""}, {"confirm": "yes"}, {"confirm": None}):
        status, said = ask("POST", "/v1/dead-letters/purge", body)
        assert status == 409
        assert NAME in said["detail"]
    assert len(ask("GET", "/v1/dead-letters")[1]["items"]) == 1
    assert ask("POST", "/v1/dead-letters/purge", {"confirm": NAME}) == (200, {"purged": True})
    assert cloud.sqs.receive_message(QueueUrl=url).get("Messages", []) == []


@pytest.mark.parametrize(
    ("body", "expected"), [("", 422), ("no JSON", 400), ("[]", 422), ("7", 422)]
)
def test_a_purge_without_an_object_is_refused(ask: Ask, body: str, expected: int) -> None:
    status, said = ask("POST", "/v1/dead-letters/purge", body)
    assert (status, "body" in said["detail"]) == (expected, True)


def test_a_queue_that_is_away_may_be_asked_again(ask: Ask, cloud: Cloud, url: str) -> None:
    cloud.sqs.delete_queue(QueueUrl=url)
    status, said = ask("GET", "/v1/dead-letters")
    assert (status, said["title"]) == (503, "Service unavailable")


def test_the_account_is_shown_with_the_rate_that_all_share(ask: Ask, cloud: Cloud) -> None:
    kept = Account(max_rate=100.0, daily_quota=50_000.0, sent_today=7.0, asked_at=NOW)
    store = AccountStore(cloud.dynamodb, CAMPAIGNS)
    store.save_quota("us-east-1", kept)
    store.save_factor("us-east-1", Account(factor=0.5, factor_at=NOW), was=Account())
    status, said = ask("GET", "/v1/account")
    assert status == 200
    assert said | {"rate": 0} == {
        "region": "us-east-1",
        "max_rate": 100.0,
        "daily_quota": 50_000.0,
        "sent_today": 7.0,
        "production": True,
        "enforcement": "HEALTHY",
        "stopped": "",
        "asked_at": NOW,
        "safety": SAFETY,
        "factor": 0.5,
        "factor_at": NOW,
        "rate": 0,
        # the server in the place of SES knows none
        "identities": [],
        "reputation": {"bounce_rate": 0.0, "complaint_rate": 0.0, "sent": 0, "level": "ok"},
    }
    assert said["rate"] == pytest.approx(50.0 * SAFETY)


def test_a_queue_shows_the_name_that_its_purge_wants(ask: Ask, cloud: Cloud, url: str) -> None:
    die(cloud, url, "x")
    (found,) = ask("GET", "/v1/tasks")[1]["queues"]
    confirmed = {"confirm": found["dead_letter_name"]}
    assert ask("POST", "/v1/dead-letters/purge", confirmed) == (200, {"purged": True})


def test_the_backlog_of_every_queue_is_shown(ask: Ask, cloud: Cloud, url: str) -> None:
    die(cloud, url, "x", "y")
    mails = cloud.environment["EMAIL_QUEUE_URL"]
    die(cloud, mails, "z")
    status, said = ask("GET", "/v1/tasks")
    assert status == 200
    (found,) = said["queues"]
    assert (found["name"], found["waiting"], found["dead_letters"]) == ("email", 1, 2)
    assert (found["url_name"], found["dead_letter_name"]) == (mails.rpartition("/")[2], NAME)
    assert said["recent"] == []


def test_the_queue_of_the_tasks_is_shown_with_the_tasks_that_ran_lately(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, url: str, load: Load, event: MakeEvent
) -> None:
    queues = [
        {"name": "email", "url": cloud.environment["EMAIL_QUEUE_URL"], "dead_letter_url": url},
        {
            "name": "tasks",
            "url": cloud.environment["AWS_SQS_QUEUE_URL"],
            "dead_letter_url": cloud.environment["AWS_SQS_DLQ_URL"],
        },
    ]
    monkeypatch.setenv("TASK_QUEUES", json.dumps(queues))
    began = time.time() - 5
    receipts = DynamoReceipts(TASKS, dynamodb=cloud.dynamodb, clock=lambda: began)
    receipts.claim("first", owner="me", task="resize", lease_seconds=60)
    receipts.complete("first", owner="me")
    ask_it = asking(load("api"), event)
    status, said = ask_it("GET", "/v1/tasks")
    assert status == 200
    assert [(queue["name"], queue["url_name"]) for queue in said["queues"]] == [
        ("email", "email"),
        ("tasks", "tasks"),
    ]
    assert said["recent"] == [
        {
            "task_id": "first",
            "task": "resize",
            "status": "succeeded",
            "attempts": 1,
            "started_at": int(began),
            "finished_at": int(began),
            "error": "",
        }
    ]
    assert ask_it("GET", "/v1/dead-letters?queue=tasks")[0] == 200


def test_a_queue_that_does_not_exist_is_named(ask: Ask) -> None:
    for method, path, body in (
        ("GET", "/v1/dead-letters?queue=nobody", None),
        ("POST", "/v1/tasks/redrive", {"queue": "nobody"}),
    ):
        status, said = ask(method, path, body)
        assert (status, "queue must be one of email (got 'nobody')" in said["detail"]) == (
            404,
            True,
        )


def test_a_preview_shows_what_would_be_mailed(ask: Ask, cloud: Cloud) -> None:
    status, said = ask("POST", "/v1/templates/preview", {**TEMPLATE, "contact": CONTACT})
    assert status == 200
    assert said["subject"] == "Hello Ada"
    assert "Dear Ada" in said["text"]
    assert said["variables"] == ["first_name"]
    assert cloud.received("EMAIL") == []
    assert cloud.rows() == []


def test_a_preview_knows_the_fields_that_the_worker_adds(ask: Ask) -> None:
    body = {**TEMPLATE, "body": "Leave: {{unsubscribe_url}}", "contact": CONTACT}
    status, said = ask("POST", "/v1/templates/preview", body)
    assert (status, "https://" in said["text"]) == (200, True)


@pytest.mark.parametrize(
    ("changes", "expected", "named"),
    [
        ({"subject": ""}, 400, "subject"),
        ({"body": "{{ first_name"}, 400, "body"),
        ({"contact": None}, 400, "contact must be an object"),
        ({"contact": []}, 422, "contact: input should be a valid dictionary (got [])"),
        ({"contact": {"email": "nobody"}}, 400, "address"),
        ({"config": {"email_service": "pigeon"}}, 400, "pigeon"),
    ],
)
def test_a_preview_names_what_is_wrong(
    ask: Ask, changes: dict[str, Any], expected: int, named: str
) -> None:
    status, said = ask("POST", "/v1/templates/preview", {**TEMPLATE, "contact": CONTACT, **changes})
    assert status == expected
    assert named in said["detail"]
