"""What is done with a campaign before its start, and what is seen of it afterwards."""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cloud import CAMPAIGNS, RECIPIENTS, Cloud, Context
from fake_ses import FakeSes

from fakes import make_row
from sendmill.campaign import Status
from sendmill.ledger import News, State
from sendmill.store import CampaignStore, RecipientStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
Ask = Callable[..., tuple[int, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
FILE = "email,first_name\nada@example.com,Ada\nbob@example.com,Bob\ncy@example.com,\n"


@pytest.fixture
def ask(load: Load, event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A function that asks the handler as somebody; each success must look as it is told."""
    monkeypatch.setenv("APPROVAL_OVER_RECIPIENTS", "2")
    module = load("api")
    openapi = importlib.import_module("openapi")

    def asked(method: str, path: str, body: object = None, subject: str = "maker") -> Any:
        route, _, query = path.partition("?")
        found = event("api_gateway_v2") | {"rawPath": route, "rawQueryString": query}
        found["queryStringParameters"] = dict(parse_qsl(query))
        found["requestContext"]["http"] |= {"method": method, "path": route}
        found["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = subject
        if isinstance(body, str):
            found |= {"body": body}
            found["headers"]["content-type"] = "text/csv"
        elif body is not None:
            found["body"] = json.dumps(body)
        answer = module.handler(found, Context())
        status, kind = answer["statusCode"], answer["headers"].get("Content-Type", "")
        said = json.loads(answer["body"]) if "json" in kind else answer["body"]
        endpoint = next(
            one
            for one in module.table.endpoints.values()
            if one.method == method and module.app._compile_regex(one.path).match(route)
        )
        if status < 300 and ":" in endpoint.answers[status]:
            openapi.model(endpoint.answers[status]).model_validate_json(answer["body"])
        return status, said

    return asked


@pytest.fixture
def campaign_id(ask: Ask) -> str:
    _, found = ask("POST", "/v1/contact-lists?name=Members", FILE)
    return str(ask("POST", "/v1/campaigns", draft(found["list_id"]))[1]["campaign_id"])


def draft(of_list: str, **changes: object) -> dict[str, Any]:
    return {
        "name": "Spring",
        "list_id": of_list,
        "subject": "Hello {{first_name}}",
        "body": "Dear {{first_name}} {{unsubscribe_url}}",
        "config": {"from_email": "noreply@example.com"},
        **changes,
    }


def test_a_draft_is_changed_in_part(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    status, said = ask("PATCH", path, {"subject": "New", "config": {"reply_to": "me@example.com"}})
    assert (status, said["subject"], said["edited_by"]) == (200, "New", "maker")
    assert said["config"]["from_email"] == "noreply@example.com"
    whole = ask("GET", path)[1]
    assert whole["body"] == "Dear {{first_name}} {{unsubscribe_url}}"
    assert whole["config"]["reply_to"] == "me@example.com"
    assert (whole["timeline"], whole["rate_per_second"]) == ([], 0.0)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"body": "{{ x"}, 400), ({"list_id": "nobody"}, 404), ({"subject": 7}, 422)],
)
def test_a_change_is_checked_as_a_creation_is(
    ask: Ask, campaign_id: str, changes: dict[str, Any], status: int
) -> None:
    assert ask("PATCH", f"/v1/campaigns/{campaign_id}", changes)[0] == status


def test_what_was_started_is_neither_changed_nor_deleted(
    ask: Ask, campaign_id: str, cloud: Cloud
) -> None:
    store = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    assert store.set_status(campaign_id, Status.RUNNING, expected={Status.DRAFT})
    path = f"/v1/campaigns/{campaign_id}"
    assert ask("PATCH", path, {"subject": "New"})[0] == 409
    assert ask("DELETE", path)[0] == 409
    assert ask("GET", path)[1]["subject"] == "Hello {{first_name}}"


def test_a_draft_is_deleted(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    assert ask("DELETE", path) == (204, "")
    assert ask("GET", path)[0] == ask("DELETE", path)[0] == 404


def test_a_copy_is_a_draft_with_the_same_content(ask: Ask, campaign_id: str) -> None:
    status, said = ask("POST", f"/v1/campaigns/{campaign_id}/clone", subject="other")
    assert (status, said["status"], said["campaign_name"]) == (201, "draft", "Copy of Spring")
    assert said["campaign_id"] != campaign_id
    assert said["created_by"] == "other"
    assert ask("POST", f"/v1/campaigns/{campaign_id}/clone", {"name": "May"})[1][
        "campaign_name"
    ] == ("May")


def test_the_checklist_says_what_could_not_be_found_out(ask: Ask, campaign_id: str) -> None:
    status, said = ask("GET", f"/v1/campaigns/{campaign_id}/preflight")
    assert status == 200
    found = {check["id"]: check for check in said["checks"]}
    # the server in the place of SES answers no such question
    assert found["sender_identity"]["level"] == "warning"
    assert (found["variables"]["level"], found["approval"]["level"]) == ("ok", "error")
    assert said["ready"] is False
    assert said["estimate"]["recipients"] == 3


def test_a_row_that_cannot_be_rendered_is_named_by_its_line(ask: Ask, campaign_id: str) -> None:
    body = {"body": "{% if first_name == '' %}{{ missing }}{% endif %}"}
    ask("PATCH", f"/v1/campaigns/{campaign_id}", body)
    said = ask("GET", f"/v1/campaigns/{campaign_id}/preflight")[1]
    (found,) = [check for check in said["checks"] if check["id"] == "variables"]
    assert found["detail"].startswith("line 4 of the list: body: 'missing' is undefined")


def test_a_sender_that_the_roles_do_not_allow_is_not_started(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    ask("PATCH", path, {"config": {"from_email": "noreply@elsewhere.example"}})
    ask("POST", f"{path}/approve", subject="other")
    status, said = ask("POST", f"{path}/start")
    assert (status, [check["id"] for check in said["checks"]]) == (409, ["sender_identity"])
    assert "is not of example.com" in said["detail"]


def test_a_large_campaign_wants_another_persons_word(
    ask: Ask, campaign_id: str, cloud: Cloud
) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    status, said = ask("POST", f"{path}/start")
    assert (status, [check["id"] for check in said["checks"]]) == (409, ["approval"])
    assert cloud.received("DISPATCH") == []
    assert ask("POST", f"{path}/approve")[0] == 409
    approval = ask("POST", f"{path}/approve", subject="other")[1]["approval"]
    assert (approval["needed"], approval["approved"], approval["by"]) == (True, True, "other")
    status, said = ask("POST", f"{path}/start")
    assert (status, said["status"]) == (202, "planning")
    assert ask("GET", path)[1]["started_by"] == "maker"


def test_an_edit_voids_the_approval(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    ask("POST", f"{path}/approve", subject="other")
    ask("PATCH", path, {"subject": "Another"})
    assert ask("GET", path)[1]["approval"]["approved"] is False
    assert ask("POST", f"{path}/start")[0] == 409


def test_nobody_approves_what_was_changed_since_he_looked(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    seen = {"digest": ask("GET", path)[1]["approval"]["digest"]}
    ask("PATCH", path, {"subject": "Another"})
    status, said = ask("POST", f"{path}/approve", seen, subject="other")
    assert (status, "changed since you looked" in said["detail"]) == (409, True)
    assert ask("GET", path)[1]["approval"]["approved"] is False
    seen = {"digest": ask("GET", path)[1]["approval"]["digest"]}
    status, said = ask("POST", f"{path}/approve", seen, subject="other")
    assert (status, said["approval"]["approved"]) == (200, True)
    assert said["approval"]["digest"] == seen["digest"]


def test_nobody_approves_a_list_that_was_changed_since_he_looked(
    ask: Ask, campaign_id: str
) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    said = ask("GET", path)[1]
    seen = {"digest": said["approval"]["digest"]}
    contacts = f"/v1/contact-lists/{said['list_id']}/contacts"
    assert ask("POST", contacts, {"email": "mallory@example.com"})[0] == 201
    assert ask("POST", f"{path}/approve", seen, subject="other")[0] == 409
    # the campaign is shown with the list as it is now
    again = {"digest": ask("GET", path)[1]["approval"]["digest"]}
    assert ask("POST", f"{path}/approve", again, subject="other")[0] == 200


@pytest.mark.parametrize("digest", ["", "x", 7, "A" * 64])
def test_a_digest_that_is_none_is_refused(ask: Ask, campaign_id: str, digest: object) -> None:
    path = f"/v1/campaigns/{campaign_id}/approve"
    assert ask("POST", path, {"digest": digest}, subject="other")[0] == 422


def test_a_changed_list_voids_the_approval(ask: Ask, campaign_id: str, cloud: Cloud) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    ask("POST", f"{path}/approve", subject="other")
    contacts = f"/v1/contact-lists/{ask('GET', path)[1]['list_id']}/contacts"
    assert ask("POST", contacts, {"email": "mallory@example.com"})[0] == 201
    status, said = ask("POST", f"{path}/start")
    assert (status, [check["id"] for check in said["checks"]]) == (409, ["approval"])
    assert cloud.received("DISPATCH") == []
    # who approves now approves the list as it is now
    ask("POST", f"{path}/approve", subject="other")
    assert ask("POST", f"{path}/start")[1]["total"] == 4


def test_a_list_that_has_grown_wants_another_persons_word(ask: Ask) -> None:
    small = ask("POST", "/v1/contact-lists?name=Small", "email,first_name\nada@example.com,Ada\n")
    list_id = small[1]["list_id"]
    made = ask("POST", "/v1/campaigns", draft(list_id))
    path = f"/v1/campaigns/{made[1]['campaign_id']}"
    for n in range(2):
        ask("POST", f"/v1/contact-lists/{list_id}/contacts", {"email": f"u{n}@example.com"})
    assert ask("GET", f"{path}/preflight")[1]["estimate"]["recipients"] == 3
    status, said = ask("POST", f"{path}/start")
    assert (status, [check["id"] for check in said["checks"]]) == (409, ["approval"])


def test_who_looked_at_the_warnings_must_accept_each(ask: Ask, campaign_id: str) -> None:
    path = f"/v1/campaigns/{campaign_id}"
    ask("POST", f"{path}/approve", subject="other")
    status, said = ask("POST", f"{path}/start", {"accept_warnings": []})
    assert status == 409
    warnings = [check["id"] for check in said["checks"]]
    assert "dmarc" in warnings
    assert ask("POST", f"{path}/start", {"accept_warnings": warnings})[0] == 202


def test_a_test_is_mailed_and_counted_nowhere(
    ask: Ask, campaign_id: str, ses: FakeSes, cloud: Cloud
) -> None:
    to = ["me@example.com", "you@example.com"]
    status, said = ask("POST", f"/v1/campaigns/{campaign_id}/test", {"to": to, "contact_id": "3"})
    assert status == 202
    assert ([one["to"] for one in said["sent"]], said["failed"]) == (to, [])
    assert sorted(ses.recipients()) == sorted(to)
    assert "[Test] Hello Bob" in json.dumps(ses.requests[-1])
    assert cloud.rows() == []
    assert ask("GET", f"/v1/campaigns/{campaign_id}")[1]["states"] == {"pending": 3}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"to": []}, 422),
        ({"to": ["a@example.com"] * 6}, 422),
        ({"to": ["nobody"]}, 400),
        ({"to": ["a@example.com"], "contact_id": "99"}, 404),
    ],
)
def test_a_test_to_nobody_is_refused(
    ask: Ask, campaign_id: str, ses: FakeSes, body: dict[str, Any], status: int
) -> None:
    assert ask("POST", f"/v1/campaigns/{campaign_id}/test", body)[0] == status
    assert ses.recipients() == []


def test_failures_are_grouped_with_what_to_do(ask: Ask, campaign_id: str, cloud: Cloud) -> None:
    store = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    rows = [
        make_row(
            campaign_id=campaign_id, rid=f"{'a' * 25}{n}", state=state, reason=reason, news=news
        )
        for n, (state, reason, news) in zip(
            "234567",
            [
                (State.FAILED, "smtp_550", News.NONE),
                (State.FAILED, "smtp_550", News.NONE),
                (State.UNKNOWN, "answer_lost", News.NONE),
                (State.ACCEPTED, "accepted", News.BOUNCED),
                (State.ACCEPTED, "accepted", News.DELIVERED),
                (State.PENDING, "", News.NONE),
            ],
            strict=True,
        )
    ]
    store.adopt(rows)
    counts = {"failed": 2, "unknown": 1, "accepted": 2, "bounced": 1}
    cloud.dynamodb.put_item(
        TableName=CAMPAIGNS,
        Item={
            "pk": {"S": f"C#{campaign_id}"},
            "sk": {"S": "CNT#07"},
            **{name: {"N": str(count)} for name, count in counts.items()},
        },
    )
    status, said = ask("GET", f"/v1/campaigns/{campaign_id}/failures")
    assert (status, said["complete"]) == (200, True)
    found = {(one["state"], one["reason"]): one["count"] for one in said["items"]}
    assert found == {
        ("failed", "smtp_550"): 2,
        ("unknown", "answer_lost"): 1,
        ("accepted", "bounced"): 1,
    }
    assert all(one["advice"] for one in said["items"])
    page = ask("GET", f"/v1/campaigns/{campaign_id}/recipients?state=failed&reason=smtp")[1]
    assert len(page["items"]) == 2
    assert ask("GET", f"/v1/campaigns/{campaign_id}/recipients?query=nobody-here")[1] == {
        "items": [],
        "cursor": "",
    }


def test_an_export_holds_every_recipient_and_no_formula(
    ask: Ask, campaign_id: str, cloud: Cloud
) -> None:
    row = make_row(campaign_id=campaign_id, reason="=HYPERLINK(1)", state=State.FAILED)
    RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS).adopt([row])
    status, text = ask("GET", f"/v1/campaigns/{campaign_id}/recipients/export")
    assert status == 200
    (found,) = csv.DictReader(io.StringIO(text))
    assert (found["email"], found["reason"]) == (row.contact.email, "'=HYPERLINK(1)")
    assert ask("GET", f"/v1/campaigns/{campaign_id}/recipients/export?state=accepted")[1] == (
        "email,state,reason,news,attempts,line,updated_at\r\n"
    )


def test_campaigns_are_listed_by_what_they_do(ask: Ask, campaign_id: str) -> None:
    found = ask("GET", "/v1/campaigns?status=draft")[1]["items"]
    assert [one["campaign_id"] for one in found] == [campaign_id]
    assert ask("GET", "/v1/campaigns?status=running")[1]["items"] == []
    assert ask("GET", "/v1/campaigns?status=asleep")[0] == 422
