"""Kill a worker at every step, on two emulators: nothing is lost, and nothing runs that has run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from fault import killed_tasks
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.config import reset
from sendmill.tasks.worker.local import Worker

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
VISIBILITY_SECONDS = 3
# A kill after the effect and before its receipt cannot be told from one before the effect.
RUNS = {"claim": 1, "effect": 2, "complete": 1}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A queue with its dead letters, a table of receipts, a file of effects."""

    sqs: Any
    url: str
    dead_url: str
    environment: dict[str, str]
    effects: Path

    def left(self) -> int:
        """Return how many messages are on the queue, seen or not."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def lines(self) -> list[str]:
        """Return what was done."""
        return sorted(self.effects.read_text().split()) if self.effects.exists() else []

    def dead(self) -> dict[str, str]:
        """Return the reasons of the dead letters, by task or by body."""
        found = self.sqs.receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return {
            m["MessageAttributes"].get("task", {"StringValue": m["Body"]})["StringValue"]: m[
                "MessageAttributes"
            ]["reason"]["StringValue"]
            for m in found.get("Messages", [])
        }

    def worker(self, kill_at: str) -> subprocess.Popen[bytes]:
        """Start a worker that dies at a point."""
        words = ["worker", "--until-empty", f"--visibility={VISIBILITY_SECONDS}"]
        return subprocess.Popen(
            [sys.executable, "-m", "sendmill.tasks", *words, "--modules=fault.killed_tasks"],
            env={**os.environ, **self.environment, "KILL_AT": kill_at},
        )

    def drain(self) -> None:
        """Work in this process until nothing is left."""
        worker = Worker(wait_seconds=1, visibility_seconds=30)
        end = time.monotonic() + PATIENCE_SECONDS
        while self.left():
            assert time.monotonic() < end, f"{self.left()} messages never ended"
            worker.once()


@pytest.fixture(scope="module")
def moto_port() -> Iterator[int]:
    """Another emulator, of other people."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(params=["moto", "ministack"])
def place(
    request: pytest.FixtureRequest,
    offline_aws: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Place]:
    """Make a place on an emulator, and point this process at it."""
    fixture = "moto_port" if request.param == "moto" else "emulator_port"
    endpoint = f"http://127.0.0.1:{request.getfixturevalue(fixture)}"
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    forget_clients()
    sqs: Any = boto3.client("sqs")
    name = f"kills-{os.getpid()}-{time.monotonic_ns()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    _receipts(name)
    effects = tmp_path / "effects"
    environment = {
        "USE_ASYNC_TASKS": "true",
        "AWS_SQS_QUEUE_URL": url,
        "AWS_SQS_DLQ_URL": dead_url,
        "AWS_SQS_REGION": "us-east-1",
        "SENDMILL_TASK_RECEIPTS_TABLE": name,
        "EFFECTS": str(effects),
        "PYTHONPATH": f"{ROOT}/layers/sendmill/python:{ROOT}/tests",
    }
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    reset()
    yield Place(sqs=sqs, url=url, dead_url=dead_url, environment=environment, effects=effects)
    reset()
    forget_clients()


def _receipts(name: str) -> None:
    dynamodb: Any = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.parametrize("point", RUNS)
def test_a_killed_worker_loses_nothing(place: Place, point: str) -> None:
    killed_tasks.effect.send("once")
    worker = place.worker(point)
    assert worker.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert place.left() == 1
    place.drain()
    assert place.lines() == ["once"] * RUNS[point]
    assert place.dead() == {}


def test_a_mixed_batch_ends_alike_on_every_emulator(place: Place) -> None:
    killed_tasks.effect.send("well")
    twice = killed_tasks.effect.options(task_id="the-same")
    twice.send("same")
    twice.send("same")
    killed_tasks.effect.send("breaks", breaks=True)
    place.sqs.send_message(QueueUrl=place.url, MessageBody="{not json")
    place.sqs.send_message(QueueUrl=place.url, MessageBody='{"task_name": "k.nobody"}')
    place.drain()
    assert place.lines() == ["breaks"] * 3 + ["same", "well"]
    assert place.dead() == {
        "k.effect": "attempts_exhausted",
        "k.nobody": "unknown_task",
        "{not json": "poison",
    }


def test_a_redriven_dead_letter_runs_again_and_what_has_run_does_not(place: Place) -> None:
    killed_tasks.effect.options(task_id="done").send("done")
    killed_tasks.effect.options(task_id="broken").send("broken", breaks=True)
    body = _peek(place)
    place.drain()
    assert place.lines() == ["broken"] * 3 + ["done"]
    for message in _take(place, place.dead_url):
        place.sqs.send_message(QueueUrl=place.url, MessageBody=message["Body"])
    for text in body:
        place.sqs.send_message(QueueUrl=place.url, MessageBody=text)
    place.drain()
    assert place.lines() == ["broken"] * 6 + ["done"]


def _peek(place: Place) -> list[str]:
    """Return the body of the message that will succeed, as a stray copy of it."""
    found = place.sqs.receive_message(
        QueueUrl=place.url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [m["Body"] for m in found["Messages"] if '"done"' in m["Body"]]


def _take(place: Place, url: str) -> list[Any]:
    found = place.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        place.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return list(found)
