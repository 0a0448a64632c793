"""Generated reports: the formats that were asked for, and links made when they are mailed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from cloud import FILES, Cloud
from unit.test_task_files import Sent

from sendmill.tasks.builtin.file_store import FileStore
from sendmill.tasks.builtin.reports import Order, ReportWriter, check_order
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry

RUN = TaskContext(task_id="t1", task="generate_report")
ROWS = [{"name": "Ada", "hours": 8}]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def writer(cloud: Cloud, sent: Sent) -> ReportWriter:
    store = FileStore(client=cloud.s3, bucket=FILES)
    return ReportWriter(files=store, send=sent, now=lambda: "2026-11-23T05:00:00Z")


def order(**changes: Any) -> Order:
    return Order(
        **{"title": "Hours / November", "formats": ("csv", "html", "pdf"), "rows": ROWS, **changes}
    )


def test_each_format_is_a_file_and_each_reader_a_task(
    writer: ReportWriter, cloud: Cloud, sent: Sent
) -> None:
    keys = writer.write(order(notify=[{"email": "ada@example.com"}, {"user_id": 7}]), RUN)
    assert [key.rpartition("/")[2] for key in keys] == [
        "hours-november.csv",
        "hours-november.html",
        "hours-november.pdf",
    ]
    found = [cloud.s3.get_object(Bucket=FILES, Key=key) for key in keys]
    assert [one["ContentType"].partition(";")[0] for one in found] == [
        "text/csv",
        "text/html",
        "application/pdf",
    ]
    assert b"Ada,8" in found[0]["Body"].read()
    assert [(name, task_id) for name, task_id, _ in sent.tasks] == [
        ("send_report_links", "t1-reader-0"),
        ("send_report_links", "t1-reader-1"),
    ]
    assert sent.tasks[0][2] == {
        "user_id": "reader",
        "email": "ada@example.com",
        "title": "Hours / November",
        "rows": 1,
        "keys": keys,
    }


def test_a_report_that_runs_again_writes_the_same_files(writer: ReportWriter, cloud: Cloud) -> None:
    first, second = (writer.write(order(), RUN) for _ in range(2))
    assert first == second
    assert "t1" not in first[0]


def test_the_rows_may_stand_in_a_file(writer: ReportWriter, cloud: Cloud) -> None:
    waiting = order(rows=None, source="reports/hours.csv", formats=["csv"])
    with pytest.raises(Retry, match="no reports/hours.csv yet"):
        writer.write(waiting, RUN)
    cloud.s3.put_object(Bucket=FILES, Key="reports/hours.csv", Body=b"name\nBob\n")
    (key,) = writer.write(waiting, RUN)
    assert b"Bob" in cloud.s3.get_object(Bucket=FILES, Key=key)["Body"].read()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"formats": ["xlsx"]}, "csv, html, pdf"),
        ({"formats": []}, "csv, html, pdf"),
        ({"rows": None}, "rows or a source"),
        ({"source": "a.csv"}, "rows or a source"),
        ({"notify": [{"email": "a@example.com"}] * 21}, "at most 20"),
        ({"notify": ["a@example.com"]}, "list of objects"),
    ],
)
def test_an_order_that_nobody_can_carry_out_says_why(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(PermanentFailure, match=named):
        check_order(order(**changes))


def test_a_link_names_its_file_and_dies_when_it_is_said_to(cloud: Cloud) -> None:
    link = FileStore(client=cloud.s3, bucket=FILES).link(
        "exports/a/ü.csv", seconds=300, name="ü.csv"
    )
    asked = parse_qs(urlparse(link).query)
    assert (asked.get("X-Amz-Expires") or asked["Expires"]) != []
    assert asked["response-content-disposition"] == ["attachment; filename*=UTF-8''%C3%BC.csv"]
