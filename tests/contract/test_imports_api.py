"""The routes of imports: announce, upload, look, start, follow, and the rejected rows."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import BUCKET, Cloud, Context

from api_client import ApiClient

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
PATH = "/v1/contact-lists/imports"
DATA = "E-mail;Vorname;Notiz\nada@example.com;Ada;x\nnobody;Bob;y\nADA@example.com;Ada;z\n"
MAPPING = {"Vorname": "first_name", "Notiz": None}


@pytest.fixture
def api(load: Load, event: MakeEvent) -> ApiClient:
    return ApiClient(module=load("api"), event=event("api_gateway_v2"))


def check_shape(name: str, body: Any) -> None:
    getattr(importlib.import_module("contact_shapes"), name).model_validate(body)


def upload(cloud: Cloud, import_id: str, data: str = DATA) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key=f"uploads/{import_id}/file", Body=data.encode())


def run(load: Load, event: MakeEvent, import_id: str) -> None:
    found = event("sqs_dispatch")
    found["Records"][0]["body"] = json.dumps({"import_id": import_id})
    answer = load("import_contacts").handler(found, Context())
    assert answer == {"batchItemFailures": []}


def test_a_file_is_announced_uploaded_looked_at_started_and_followed(
    api: ApiClient, cloud: Cloud, load: Load, event: MakeEvent, log: io.StringIO
) -> None:
    made = api.ask("POST", PATH, {"name": "Members", "filename": "m.csv", "size": len(DATA)})
    assert made.status == 201
    check_shape("ImportTicket", made.body)
    assert made.body["upload"]["headers"] == {"Content-Length": str(len(DATA))}
    at = f"{PATH}/{made.body['import_id']}"
    waiting = api.ask("GET", at)
    assert (waiting.status, waiting.body["status"]) == (200, "awaiting_upload")
    assert api.ask("GET", f"{at}/preview").status == 409
    assert api.ask("POST", f"{at}/start").status == 409

    upload(cloud, made.body["import_id"])
    seen = api.ask("GET", at).body
    assert (seen["status"], seen["columns"]) == ("uploaded", ["E-mail", "Vorname", "Notiz"])
    assert seen["sample"][0] == ["ada@example.com", "Ada", "x"]
    preview = api.ask("GET", f"{at}/preview")
    check_shape("ImportPreview", preview.body)
    assert preview.body["suggested_mapping"] == {
        "E-mail": "email",
        "Vorname": "vorname",
        "Notiz": "notiz",
    }
    started = api.ask("POST", f"{at}/start", {"mapping": MAPPING})
    assert (started.status, started.body["status"]) == (202, "running")
    (queued,) = cloud.received("IMPORT")
    run(load, event, queued["import_id"])

    over = api.ask("GET", at).body
    check_shape("ImportProgress", over)
    assert (over["status"], over["rows"], over["accepted"]) == ("done", 3, 1)
    assert over["rejected"] == {"invalid": 1, "duplicate": 1}
    assert (over["bytes_read"], over["sample"]) == (len(DATA), [])
    found = api.ask("GET", f"/v1/contact-lists/{over['list_id']}").body
    assert (found["name"], found["fields"], found["revision"]) == ("Members", ["first_name"], 0)
    rejected = api.ask("GET", f"/v1/contact-lists/{over['list_id']}/rejected")
    assert [line.partition(",")[0] for line in rejected.body.splitlines()] == ["line", "3", "4"]
    assert "x-next-cursor" not in rejected.headers
    assert "ada@example" not in log.getvalue().lower()


def test_a_failed_import_says_why_and_shows_its_rejected_rows_but_no_list(
    api: ApiClient, cloud: Cloud, load: Load, event: MakeEvent
) -> None:
    made = api.ask("POST", PATH, {"name": "All", "size": len(DATA), "all_or_nothing": True}).body
    upload(cloud, made["import_id"])
    api.ask("POST", f"{PATH}/{made['import_id']}/start", {})
    run(load, event, made["import_id"])
    over = api.ask("GET", f"{PATH}/{made['import_id']}").body
    assert over["status"] == "failed"
    assert over["reason"].startswith("2 of 3 rows were rejected")
    assert api.ask("GET", f"/v1/contact-lists/{made['list_id']}").status == 404
    rejected = api.ask("GET", f"/v1/contact-lists/{made['list_id']}/rejected")
    assert (rejected.status, len(rejected.body.splitlines())) == (200, 3)
    assert api.ask("POST", f"{PATH}/{made['import_id']}/start", {}).status == 409


def test_a_long_file_of_rejected_rows_comes_in_pieces_that_make_the_whole(
    api: ApiClient, cloud: Cloud
) -> None:
    whole = "line,reason\r\n" + "".join(f"{n},address is empty\r\n" for n in range(2, 200_002))
    cloud.s3.put_object(Bucket=BUCKET, Key="lists/list_1/rejected.csv", Body=whole.encode())
    text, cursor, pieces = "", "", 0
    while True:
        page = api.ask("GET", f"/v1/contact-lists/list_1/rejected?cursor={cursor}")
        assert page.status == 200
        assert len(page.body) < 4_000_000
        text, pieces = text + page.body, pieces + 1
        cursor = page.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert text == whole
    assert pieces == 2
    assert api.ask("GET", "/v1/contact-lists/list_1/rejected?cursor=x").status == 400
    assert api.ask("GET", "/v1/contact-lists/list_2/rejected").status == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "x"}, 422, "size"),
        ({"name": "x", "size": 0}, 422, "size"),
        ({"name": "x", "size": 500_000_001}, 422, "size"),
        ({"name": "x", "size": 5, "delimiter": "::"}, 422, "delimiter"),
        ({"name": "x", "size": 5, "encoding": "ebcdic"}, 422, "encoding"),
        ({"name": "x", "size": 5, "mapping": {"a": 1}}, 422, "mapping"),
        ({"size": 5}, 400, "name must be"),
        ({"size": 5, "list_id": "list_none"}, 404, "list_none does not exist"),
    ],
)
def test_a_wrong_announcement_is_a_problem_that_names_the_field(
    api: ApiClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = api.ask("POST", PATH, body)
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    assert said in answer.body["detail"]


def test_columns_that_do_not_fit_are_a_problem_before_anything_runs(
    api: ApiClient, cloud: Cloud
) -> None:
    made = api.ask("POST", PATH, {"name": "x", "size": len(DATA)}).body
    upload(cloud, made["import_id"])
    answer = api.ask("POST", f"{PATH}/{made['import_id']}/start", {"mapping": {"Name": "name"}})
    assert answer.status == 400
    assert answer.body["detail"] == "mapping: the file must have one column 'Name' (got 0)"
    assert cloud.received("IMPORT") == []
    assert api.ask("GET", f"{PATH}/import_none").status == 404
