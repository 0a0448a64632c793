"""Policies, converters, the pytest fixture and the command do what they say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypedDict

import pydantic
import pytest
from cloud import Cloud

from sendmill.tasks import (
    InvalidTaskCall,
    TaskConfigError,
    exponential,
    fixed,
    process_guard_report,
    propagating,
    register_handler,
    send_notification_email,
    sqs_client,
    steps,
    task,
)
from sendmill.tasks.__main__ import main as tasks_main
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.config import configure, reset
from sendmill.tasks.errors import __doc__ as tree
from sendmill.tasks.testing import MemoryTransport, recorded_tasks
from sendmill.tasks.testing.pytest_plugin import sendmill_tasks  # noqa: F401  the fixture
from sendmill.tasks.worker.local import Worker

got: list[Any] = []


class Colour(Enum):
    """An annotation that is no JSON."""

    RED = "red"


@dataclass
class Place:
    """A dataclass in a dataclass."""

    day: date
    colour: Colour = Colour.RED


@dataclass
class Visit:
    """What a handler gets."""

    place: Place
    note: str | None = None


class Row(TypedDict):
    """A dictionary whose values are converted."""

    day: date
    count: int


class Order(pydantic.BaseModel):
    """A model of pydantic."""

    number: int
    due: date


@register_handler("x.visit", schema=Visit)
def visit(found: Visit) -> None:
    got.append(found)


@register_handler("x.order", schema=Order)
def order(found: Order, context: Any) -> None:
    got.append((found, context.task))


@task(name="x.rows")
def rows(
    found: list[Row], when: time, wait: timedelta, *rest: int, by: dict[str, date] | None = None
) -> None:
    got.append((found, when, wait, rest, by))


@task(name="x.fails")
def fails() -> None:
    got.append("tried")
    raise OSError


async def _answer() -> int:
    return 42


@task(name="x.async")
async def in_a_loop() -> int:
    return await _answer()


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Nothing configured, nothing run."""
    got.clear()
    reset()
    yield
    reset()


def test_a_backoff_grows_to_its_cap_and_spreads() -> None:
    plain = exponential(30, cap=900, jitter=0)
    assert [plain(n) for n in (1, 2, 3, 6, 1000)] == [30, 60, 120, 900, 900]
    spread = exponential(100, jitter=0.5)
    assert all(50 <= spread(1) <= 100 for _ in range(200))
    assert [fixed(7)(n) for n in (1, 9)] == [7, 7]
    assert [steps(1, 5)(n) for n in (1, 2, 3)] == [1, 5, 5]


@pytest.mark.parametrize(
    "make",
    [
        lambda: exponential(-1),
        lambda: exponential(1, jitter=2),
        lambda: steps(),
        lambda: task(name="x.bad", max_attempts=0)(lambda: None),
        lambda: task(name="x.bad", timeout=0)(lambda: None),
        lambda: task(name="x.bad", timeout=50_000)(lambda: None),
        lambda: task(name="x.bad", version=0)(lambda: None),
        lambda: task(name="x.rows")(lambda: None),
        lambda: configure(concurrency=0),
        lambda: configure(on_uncertain="hope"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(make: Any) -> None:
    with pytest.raises(TaskConfigError):
        make()


def test_a_schema_is_checked_here_and_made_there() -> None:
    with recorded_tasks() as tasks:
        visit.send({"place": {"day": "2026-11-23"}})
        visit.send(Visit(Place(date(2026, 1, 1)), "note"))
        order.send(Order(number=5, due=date(2026, 1, 2)))
        order.send(number=6, due="2026-01-03")
        for wrong in ({"place": {"day": "soon"}}, {"place": 5}, {"palce": {}}, {}):
            with pytest.raises(InvalidTaskCall, match=r"x\.visit"):
                visit.send(wrong)
        with pytest.raises(InvalidTaskCall, match=r"x\.order"):
            order.send(number="many", due="2026-01-03")
        assert tasks.sent[1].kwargs["place"] == {"day": "2026-01-01", "colour": "red"}
        tasks.run_all()
    assert got == [
        Visit(Place(date(2026, 11, 23))),
        Visit(Place(date(2026, 1, 1)), "note"),
        (Order(number=5, due=date(2026, 1, 2)), "x.order"),
        (Order(number=6, due=date(2026, 1, 3)), "x.order"),
    ]


def test_annotations_convert_inside_lists_and_dictionaries(sendmill_tasks: MemoryTransport) -> None:  # noqa: F811
    day = date(2026, 11, 23)
    rows.send([{"day": day, "count": 1}], time(5), timedelta(minutes=1), 7, 8, by={"a": day})
    sendmill_tasks.run_all()
    assert got == [([{"day": day, "count": 1}], time(5), timedelta(minutes=1), (7, 8), {"a": day})]


def test_the_fixture_keeps_runs_and_buries(sendmill_tasks: MemoryTransport) -> None:  # noqa: F811
    with propagating(correlation_id="request-7"):
        fails.options(queue="mail").send()
    (sent,) = sendmill_tasks.sent
    assert (sent.name, sent.queue, sent.args, sent.kwargs) == ("x.fails", "mail", [], {})
    assert sent.found["trace"]["cid"] == "request-7"
    assert sendmill_tasks.run_all() == 3
    ((dead, reason),) = sendmill_tasks.dead
    assert (dead.task_id, reason["reason"]) == (sent.task_id, "attempts_exhausted")
    sendmill_tasks.clear()
    assert (sendmill_tasks.sent, sendmill_tasks.waiting, sendmill_tasks.dead) == ([], [], [])


async def _from_a_coroutine() -> Any:
    return in_a_loop.send().value, (await in_a_loop.asend()).value


def test_a_coroutine_is_a_task_too_also_for_a_coroutine() -> None:
    assert in_a_loop.send().value == 42
    assert asyncio.run(_from_a_coroutine()) == (42, 42)


def test_what_runs_a_blocking_call_is_a_setting() -> None:
    called: list[Any] = []

    async def in_thread(call: Any, *args: Any) -> Any:
        called.append(call)
        return call(*args)

    configure(in_thread=in_thread)
    asyncio.run(in_a_loop.asend())
    assert len(called) == 1


def test_the_names_that_applications_know(sendmill_tasks: MemoryTransport) -> None:  # noqa: F811
    send_notification_email(
        user_id=123,
        subject="Welcome!",
        template_name="emails/welcome.html",
        context={"name": "John"},
        delay_seconds=5,
    )
    process_guard_report(report_id=456)
    assert [(sent.name, sent.kwargs, sent.delay_seconds) for sent in sendmill_tasks.sent] == [
        (
            "send_notification_email",
            {
                "user_id": 123,
                "subject": "Welcome!",
                "template_name": "emails/welcome.html",
                "context": {"name": "John"},
            },
            5,
        ),
        ("guard_report", {"report_id": 456}, 0),
    ]


def test_a_worker_never_sends_to_its_own_queue(cloud: Cloud) -> None:
    forget_clients()
    url, dead = (cloud.environment[f"{name}_QUEUE_URL"] for name in ("EMAIL", "DISPATCH"))
    configure(use_async=True, queues={"default": url}, dead_letter_queues={"default": dead})
    fails.send()
    calls: list[tuple[str, dict[str, Any]]] = []

    def remember(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.name, params))

    from sendmill.tasks.clients import client

    sqs = client("sqs", "us-east-1", read_timeout=25)
    sqs.meta.events.register("provide-client-params.sqs.*", remember)
    worker = Worker(wait_seconds=0)
    for _ in range(3):
        assert worker.once() == 1
        # what the backoff hid: let it come again now
        for name, params in calls:
            if name == "ChangeMessageVisibility" and params["VisibilityTimeout"]:
                sqs.change_message_visibility(**{**params, "VisibilityTimeout": 0})
        calls[:] = [call for call in calls if call[0] not in ("ChangeMessageVisibility",)]
    assert got == ["tried"] * 3
    sent = [params for name, params in calls if name == "SendMessage"]
    assert [params["QueueUrl"] for params in sent] == [dead]
    attributes = {k: v["StringValue"] for k, v in sent[0]["MessageAttributes"].items()}
    assert attributes["reason"] == "attempts_exhausted"
    assert attributes["task"] == "x.fails"
    assert worker.once() == 0
    forget_clients()


@pytest.mark.parametrize(("refusals", "left"), [(1, 0), (2, 1)])
def test_a_message_that_sqs_did_not_delete_is_deleted_again_or_said(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, refusals: int, left: int
) -> None:
    from sendmill.tasks.clients import client

    forget_clients()
    url = cloud.environment["EMAIL_QUEUE_URL"]
    configure(use_async=True, queues={"default": url})
    asked: list[int] = []

    def keep_the_last(params: dict[str, Any], **_: Any) -> None:
        asked.append(len(params["Entries"]))
        if len(asked) <= refusals:
            params["Entries"][-1] = {**params["Entries"][-1], "ReceiptHandle": "of no message"}

    sqs = client("sqs", "us-east-1", read_timeout=25)
    sqs.meta.events.register("provide-client-params.sqs.DeleteMessageBatch", keep_the_last)
    for number in range(2):
        in_a_loop.options(task_id=f"loop-{number}").send()
    assert Worker(wait_seconds=0).once() == 2
    forget_clients()
    assert asked == [2, 1]
    assert caplog.text.count("task_not_deleted") == left
    count = "ApproximateNumberOfMessagesNotVisible"
    found = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[count])
    assert int(found["Attributes"][count]) == left


def test_every_error_is_drawn_and_derives_as_drawn() -> None:
    from sendmill import errors as base
    from sendmill.tasks import errors

    for name, found in vars(errors).items():
        if isinstance(found, type) and found.__module__ == errors.__name__:
            assert name in (tree or "")
            assert issubclass(found, base.SendmillError) or name == "Skip"


def test_dead_letters_are_listed_and_sent_back(cloud: Cloud, capsys: Any) -> None:
    forget_clients()
    url, dead = (cloud.environment[f"{name}_QUEUE_URL"] for name in ("EMAIL", "DISPATCH"))
    configure(use_async=True, queues={"default": url}, dead_letter_queues={"default": dead})
    sent = sqs_client.send_task("x.nobody", {})
    Worker(wait_seconds=0).once()
    assert tasks_main(["dlq", "list"]) == 0
    assert f"{sent.task_id}\tx.nobody\tunknown_task" in capsys.readouterr().out
    assert tasks_main(["dlq", "redrive"]) == 2
    assert tasks_main(["dlq", "purge", "some-id"]) == 2
    assert tasks_main(["dlq", "redrive", sent.task_id]) == 0
    assert "1 sent back" in capsys.readouterr().out
    assert Worker(wait_seconds=0).once() == 1
    assert tasks_main(["dlq", "purge", "--yes"]) == 0
    assert tasks_main(["dlq", "list"]) == 0
    assert "x.nobody" not in capsys.readouterr().out
    forget_clients()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command with this file's tasks, synchronously."""
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-m", "sendmill.tasks", *words],
        env={"PYTHONPATH": f"{root}/layers/sendmill/python:{root}/tests/unit:{root}/tests"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_lists_and_sends() -> None:
    listed = command("list", "--modules", "test_tasks_tools")
    assert "x.async\tattempts=3\ttimeout=None" in listed.stdout
    sent = command("send", "x.async", "--modules", "test_tasks_tools")
    assert sent.stdout.split("\t")[1] == "sync"
    unknown = command("send", "x.nobody", "{}")
    assert (unknown.returncode, "UnknownTask" in unknown.stderr) == (1, True)
    assert command("send", "x.async", "{", "--modules", "test_tasks_tools").returncode == 2
