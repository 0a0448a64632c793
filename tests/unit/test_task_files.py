"""A guard report: each file by itself, one result, supervisors told once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from cloud import BUCKET, FILES, Cloud
from unit.test_task_pictures import bomb, encoded

from sendmill.errors import StoreUnavailable
from sendmill.tasks.builtin.file_store import FileForbidden, FileStore, FileTooLarge
from sendmill.tasks.builtin.files import (
    FileResult,
    ReportWorker,
    parse_report,
    status_of,
    thumbnail_key,
)
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry

RUN = TaskContext(task_id="t1", task="guard_report")


@dataclass
class Sent:
    """Keep the tasks that were sent."""

    tasks: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, task: str, task_id: str, payload: Mapping[str, Any]) -> None:
        self.tasks.append((task, task_id, payload))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def worker(cloud: Cloud, sent: Sent) -> ReportWorker:
    store = FileStore(client=cloud.s3, bucket=FILES)
    return ReportWorker(files=store, send=sent, now=lambda: "2026-11-23T05:00:00Z")


def put(cloud: Cloud, key: str, data: bytes | dict[str, Any], bucket: str = FILES) -> None:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    cloud.s3.put_object(Bucket=bucket, Key=key, Body=body)


def result(cloud: Cloud, report_id: str) -> dict[str, Any]:
    key = f"reports/{report_id}/result.json"
    found: dict[str, Any] = json.loads(cloud.s3.get_object(Bucket=FILES, Key=key)["Body"].read())
    return found


def test_two_good_pictures_one_corrupt_and_a_bomb_are_a_partial_report(
    worker: ReportWorker, cloud: Cloud, sent: Sent
) -> None:
    files = {
        "gate.jpg": encoded("JPEG"),
        "door.png": encoded("PNG", (300, 600)),
        "corrupt.jpg": encoded("JPEG")[:400],
        "bomb.png": bomb(20_000),
    }
    for name, data in files.items():
        put(cloud, f"reports/5/files/{name}", data)
    listed = [{"key": f"reports/5/files/{name}", "type": ""} for name in files]
    put(
        cloud,
        "reports/5/report.json",
        {
            "title": "Gate 4",
            "files": listed,
            "supervisors": [{"email": "boss@example.com"}, {"user_id": 7}],
        },
    )

    assert worker.process("5", RUN) == "partial"
    found = result(cloud, "5")
    assert (found["status"], found["counts"]) == ("partial", {"files": 4, "done": 2, "failed": 2})
    assert [one["name"] for one in found["files"]] == list(files)
    assert [one["thumbnail"] for one in found["files"]] == [
        "reports/5/thumbnails/000-gate.jpg",
        "reports/5/thumbnails/001-door.jpg",
        "",
        "",
    ]
    assert found["files"][1]["height"] == 600
    assert "broken" in found["files"][2]["error"]
    assert "at most 64 megapixels" in found["files"][3]["error"]
    assert [(name, task_id) for name, task_id, _ in sent.tasks] == [
        ("send_notification_email", "t1-supervisor-0"),
        ("send_notification_email", "t1-supervisor-1"),
    ]
    letter = sent.tasks[0][2]
    assert (letter["email"], letter["subject"]) == ("boss@example.com", "Report 5: partial")
    assert [one["name"] for one in letter["context"]["failed"]] == ["corrupt.jpg", "bomb.png"]


def test_a_missing_a_foreign_and_a_large_file_are_errors_of_their_own(
    worker: ReportWorker, cloud: Cloud
) -> None:
    put(cloud, "uploads/a.pdf", b"%PDF-1.7", bucket=BUCKET)
    put(cloud, "reports/6/big.png", b"\x89PNG\r\n\x1a\n" + bytes(25_000_001))
    files = [
        {"key": "uploads/a.pdf", "bucket": BUCKET},
        {"key": "reports/6/gone.png"},
        {"key": "uploads/b.pdf", "bucket": "no-such-bucket"},
        {"key": "reports/6/big.png"},
    ]
    put(cloud, "reports/6/report.json", {"files": files})
    assert worker.process("6", RUN) == "partial"
    first, *others = result(cloud, "6")["files"]
    assert (first["status"], first["type"], first["thumbnail"]) == ("done", "application/pdf", "")
    assert [one["error"] for one in others] == [
        "there is no file reports/6/gone.png",
        "there is no file uploads/b.pdf",
        "reports/6/big.png must be at most 25000000 bytes (got 25000009)",
    ]


def test_a_list_that_is_not_there_yet_is_tried_again(worker: ReportWorker) -> None:
    with pytest.raises(Retry, match="no reports/7/report.json yet"):
        worker.process("7", RUN)


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        (b"no json", "is no JSON"),
        (b"[]", "must be an object"),
        (b'{"files": {}}', "must be a list"),
        (b'{"files": [{"name": "a"}]}', r"files\[0\] must be an object with a key"),
        (b'{"files": [{"key": "reports/8/a"}]}', r"must begin with reports/5/"),
        (b'{"files": [{"key": "reports/5/a", "name": 5}]}', "must be text"),
        (b'{"files": [], "supervisors": ["boss"]}', "supervisors"),
    ],
)
def test_a_list_that_nobody_can_act_on_says_what_is_wrong(listed: bytes, named: str) -> None:
    with pytest.raises(PermanentFailure, match=named):
        parse_report("5", listed)


@pytest.mark.parametrize("report_id", ["", "../5", "a/b", "x" * 65])
def test_a_report_id_is_no_path(worker: ReportWorker, report_id: str) -> None:
    with pytest.raises(PermanentFailure, match="report_id"):
        worker.process(report_id, RUN)


def test_the_status_of_a_report_is_that_of_its_files() -> None:
    done = FileResult(key="a", name="a", status="done")
    failed = FileResult(key="b", name="b", status="failed")
    assert [status_of(found) for found in ([], [done], [done, failed], [failed])] == [
        "done",
        "done",
        "partial",
        "failed",
    ]


def test_thumbnails_of_files_with_one_name_or_an_unsafe_one_do_not_meet() -> None:
    assert thumbnail_key("5", 0, "a.png") == "reports/5/thumbnails/000-a.jpg"
    assert thumbnail_key("5", 1, "a.png") == "reports/5/thumbnails/001-a.jpg"
    assert thumbnail_key("5", 2, "../../../é \n.png") == "reports/5/thumbnails/002-file.jpg"


def test_what_s3_says_is_told_apart_by_whether_it_passes(cloud: Cloud) -> None:
    store = FileStore(client=cloud.s3, bucket=FILES)
    store.write("a", b"12345", "text/plain")
    assert store.read("a", limit=5) == b"12345"
    with pytest.raises(FileTooLarge):
        store.read("a", limit=4)
    for code, error in (("AccessDenied", FileForbidden), ("SlowDown", StoreUnavailable)):
        with pytest.raises(error):
            FileStore(client=_Refusing(code), bucket=FILES).read("a", limit=5)


class _Refusing:
    """An S3 that answers every read with one error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def get_object(self, **_: object) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": self._code, "Message": ""}}, "GetObject")
