"""A task is read as it was written, whatever its arguments; large ones travel by claim check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloud import Cloud
from hypothesis import given
from hypothesis import strategies as st

from sendmill.tasks import (
    BadSignature,
    DelayTooLong,
    Envelope,
    InvalidEnvelope,
    PayloadTooLarge,
    TaskConfigError,
    UnknownQueue,
    UnknownSigningKey,
    sqs_client,
    task,
)
from sendmill.tasks.claimcheck import check_in, check_out
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.config import TaskConfig, configure, current, reset
from sendmill.tasks.envelope import read, write
from sendmill.tasks.payload import dumps, loads
from sendmill.tasks.schedule import queue_arn, schedule_name
from sendmill.tasks.signing import Keyring
from sendmill.tasks.testing import MemoryTransport, recorded_tasks
from sendmill.tasks.transports.sqs import region_of
from sendmill.tasks.uuid7 import derived_id, new_id
from sendmill.tasks.worker.local import Worker

got: list[str] = []
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MOMENTS = st.datetimes(
    min_value=datetime(2000, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
).map(lambda found: found.replace(microsecond=found.microsecond // 1000 * 1000))
ENVELOPES = st.builds(
    Envelope,
    id=st.text("0123456789abcdef-", min_size=1, max_size=36),
    task=st.text("abc._", min_size=1, max_size=30),
    kwargs=st.dictionaries(TEXT, JSON, max_size=4),
    args=st.lists(JSON, max_size=3).map(tuple),
    version=st.integers(1, 9),
    enqueued_at=MOMENTS,
    not_before=st.none() | MOMENTS,
    dedup=TEXT,
    group=TEXT,
    correlation_id=TEXT,
)
KEYS = {"k1": "0123456789abcdef"}


@task(name="v.keep")
def keep(text: str) -> None:
    got.append(text)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Nothing configured, nothing run."""
    got.clear()
    forget_clients()
    reset()
    yield
    reset()
    forget_clients()


@given(ENVELOPES)
def test_what_is_written_is_read(envelope: Envelope) -> None:
    text = write(envelope)
    assert read(text) == envelope
    assert read(Keyring(KEYS).verify(Keyring(KEYS).sign(text))) == envelope
    # SQS takes what XML 1.0 takes
    assert not set(text) & {*map(chr, range(0x20)), "\ufffe", "\uffff"}


@given(ENVELOPES, st.data())
def test_one_changed_byte_breaks_the_signature(envelope: Envelope, data: st.DataObject) -> None:
    signed = Keyring(KEYS).sign(write(envelope))
    at = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != signed[at]))
    with pytest.raises((BadSignature, UnknownSigningKey)):
        Keyring(KEYS).verify(signed[:at] + other + signed[at + 1 :])


@given(st.text(max_size=200))
def test_any_text_is_an_envelope_or_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidEnvelope):
        read(text)


@given(JSON)
def test_json_comes_back_exactly(value: Any) -> None:
    back = loads(dumps(value))
    assert back == value
    assert json.dumps(back) == json.dumps(value)  # True is not 1, 1.0 is not 1


def test_ids_sort_by_time_and_are_never_the_same() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert [found[:13] for found in made] == sorted(found[:13] for found in made)
    assert {found[14] for found in made} == {"7"}
    assert {found[19] for found in made} <= set("89ab")
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert derived_id("a")[14] == "8"


def test_large_arguments_wait_in_s3_and_small_ones_do_not(cloud: Cloud) -> None:
    configure(
        use_async=True,
        queues={"default": cloud.environment["EMAIL_QUEUE_URL"]},
        claim_check_bucket="contacts",
        claim_check_bytes=1000,
    )
    keep.send("small")
    sent = keep.options(task_id="large-one").send("x" * 300_000)
    assert [e["Key"] for e in cloud.s3.list_objects_v2(Bucket="contacts")["Contents"]] == [
        "tasks/large-one.json"
    ]
    assert sent.mode == "queued"
    Worker(wait_seconds=0).run(until_empty=True)
    assert sorted(map(len, got)) == [5, 300_000]


def test_without_a_bucket_too_large_is_refused_at_the_call() -> None:
    with recorded_tasks() as tasks, pytest.raises(PayloadTooLarge, match="262144 fit"):
        keep.send("x" * 300_000)
    assert tasks.sent == []


def test_a_claim_check_opens_our_bucket_and_nothing_that_was_changed(cloud: Cloud) -> None:
    config = TaskConfig(claim_check_bucket="contacts")
    plain = Envelope(
        id="a", task="t", kwargs={"x": 1}, enqueued_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    checked = read(write(check_in(plain, config)))
    assert checked.kwargs == {}
    assert check_out(checked, config).kwargs == {"x": 1}
    for other in (TaskConfig(), TaskConfig(claim_check_bucket="elsewhere")):
        with pytest.raises(InvalidEnvelope, match="ref must be below"):
            check_out(checked, other)
    cloud.s3.put_object(Bucket="contacts", Key="tasks/a.json", Body=b"{}")
    with pytest.raises(InvalidEnvelope, match="sha256"):
        check_out(checked, config)
    cloud.s3.delete_object(Bucket="contacts", Key="tasks/a.json")
    with pytest.raises(InvalidEnvelope, match="gone"):
        check_out(checked, config)


def test_the_environment_says_where_tasks_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "USE_ASYNC_TASKS": "True",
        "AWS_SQS_QUEUE_URL": "https://sqs.us-east-2.amazonaws.com/1/tasks",
        "AWS_SQS_REGION": "us-east-2",
        "AWS_SQS_DLQ_URL": "https://sqs.us-east-2.amazonaws.com/1/dead",
        "DEFAULT_FROM_EMAIL": "noreply@example.com",
        "SENDMILL_TASK_QUEUES": "mail=https://m, files=https://f",
        "SENDMILL_TASK_ROUTES": '{"guard_report": "files"}',
        "SENDMILL_TASK_MODULES": "a.b,c",
    }.items():
        monkeypatch.setenv(name, value)
    reset()
    found = current()
    assert found.use_async
    assert found.region == "us-east-2"
    assert found.queue_url("default").endswith("/1/tasks")
    assert found.queue_url("mail") == "https://m"
    assert found.queue_of("guard_report") == "files"
    assert found.queue_of("other") == "default"
    assert found.dead_letter_queues == {"default": "https://sqs.us-east-2.amazonaws.com/1/dead"}
    assert found.modules == ("a.b", "c")
    assert found.default_from_email == "noreply@example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USE_ASYNC_TASKS", "perhaps"),
        ("SENDMILL_TASK_QUEUES", "mail"),
        ("SENDMILL_TASK_QUEUES", "{"),
        ("SENDMILL_TASK_CONCURRENCY", "many"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    reset()
    with pytest.raises(TaskConfigError, match=name):
        current()


def test_async_without_a_queue_and_a_setting_that_is_none_are_refused() -> None:
    configure(use_async=True)
    with pytest.raises(TaskConfigError, match="AWS_SQS_QUEUE_URL"):
        keep.send("x")
    with pytest.raises(TaskConfigError, match="quues"):
        configure(quues={})
    with pytest.raises(TaskConfigError, match="16 characters"):
        configure(signing_keys={"k": "short"}, transport=MemoryTransport())
        keep.send("x")


def test_queues_by_name_by_route_and_a_queue_that_is_none() -> None:
    with recorded_tasks(routes={"v.keep": "mail"}) as tasks:
        keep.send("x")
        keep.options(queue="files").send("x")
    assert [found.queue for found in tasks.sent] == ["mail", "files"]
    configure(use_async=True, queues={"default": "https://q"})
    with pytest.raises(UnknownQueue, match="configured: default"):
        keep.options(queue="files").send("x")


def test_a_delay_is_whole_seconds_rounded_up_and_at_most_a_quarter_of_an_hour() -> None:
    with recorded_tasks() as tasks:
        sqs_client.send_task("v.keep", {"text": "x"}, delay_seconds=29.2)
        keep.options(run_at=datetime.now(UTC) - timedelta(hours=1)).send("late, so now")
        with pytest.raises(DelayTooLong, match="scheduler_role_arn"):
            keep.options(delay_seconds=901).send("x")
    assert [found.delay_seconds for found in tasks.sent] == [30, 0]
    assert "nbf" in tasks.sent[1].found


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"),
        ("https://us-east-2.queue.amazonaws.com/1/q", "us-east-2"),
        ("http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q", "eu-west-1"),
        ("http://127.0.0.1:4566/000000000000/q", ""),
    ],
)
def test_the_region_stands_in_the_url(url: str, region: str) -> None:
    assert region_of(url) == region


def test_the_partition_of_a_queue_is_its_roles() -> None:
    url = "https://sqs.us-gov-west-1.amazonaws.com/123456789012/tasks"
    assert queue_arn(url, "arn:aws-us-gov:iam::123456789012:role/scheduler") == (
        "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:tasks"
    )


def test_two_tasks_never_share_the_name_of_a_schedule() -> None:
    assert schedule_name("0198-a_b.c") == "task-0198-a_b.c"
    wrong = ["x" * 60, f"{'x' * 60}y", "order:5", "order/5", "", "Frühling"]
    names = [schedule_name(task_id) for task_id in wrong]
    assert len(set(names)) == len(wrong)
    assert all(re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", name) for name in names)


def test_a_transaction_decides_when_it_is_sent() -> None:
    held: list[Any] = []

    def hook(send: Any) -> bool:
        held.append(send)
        return True

    with recorded_tasks(on_commit=hook) as tasks:
        sent = keep.send("x")
        assert (sent.mode, tasks.sent) == ("on_commit", [])
        # what can never be sent is refused before the commit, not after it
        with pytest.raises(PayloadTooLarge):
            keep.send("x" * 300_000)
        assert len(held) == 1
        held[0]()
        assert [found.task_id for found in tasks.sent] == [sent.task_id]
        assert keep.options(on_commit=False).send("y").mode == "queued"
        many = sqs_client.send_many([{"task_name": "v.keep", "payload": {"text": "z"}}] * 3)
        assert {found.mode for found in many} == {"on_commit"}
        assert len(held) == 2
        held[1]()
        assert [found.task_id for found in tasks.sent[2:]] == [found.task_id for found in many]
    with recorded_tasks(on_commit=lambda send: False):
        assert keep.send("no transaction is open").mode == "queued"
    with recorded_tasks(), pytest.raises(TaskConfigError, match="on_commit"):
        keep.options(on_commit=True).send("x")
