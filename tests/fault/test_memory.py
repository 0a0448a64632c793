"""A worker that runs out of memory is gone in the middle of its batch, and its messages come again.

The worker is the real handler in a process of its own, with moto's server and a stand-in for SES
around it. Lambda's memory limit is played from outside, as the kernel does it: whoever holds more
is killed, without a word.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloud import CAMPAIGNS, RECIPIENTS, make_cloud
from fake_ses import FakeSes
from moto.server import ThreadedMotoServer

from sendmill.queue import QueueClient
from sendmill.rate import Account
from sendmill.store import CampaignStore, RecipientStore
from sendmill.sweep import Stream, Sweeper

LONG = os.environ.get("FAULT") == "long"
WORKER = Path(__file__).parent / "limited_worker.py"
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
VISIBILITY_SECONDS = 2
PATIENCE_SECONDS = 90
# The e-mail worker's memory, and what a warm-up leaves room for.
LAMBDA_BYTES = 512_000_000
# As many as a request of SQS takes, of which each holds 40 KB.
MANY = 10 if LONG else 5
POISON = "this is not JSON"
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


def resident(pid: int) -> int:
    """Return how much memory a process holds, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


@dataclass
class Worker:
    """A worker's process, and the limit it lives under."""

    process: subprocess.Popen[str]
    limit: int = LAMBDA_BYTES
    peak: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Kill it as soon as it holds more than it may."""
        while not self._ended.is_set():
            try:
                held = resident(self.process.pid)
            except (OSError, IndexError, ValueError):
                return
            self.peak = max(self.peak, held)
            if held > self.limit:
                self.process.kill()
                return
            time.sleep(0.001)

    def end(self) -> int:
        """End it; return how it ended by itself, if it had."""
        found = self.process.poll()
        self._ended.set()
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()
        return found or 0


class Place:
    """A queue with its dead letters, tables, SES, and workers."""

    def __init__(self, ses: FakeSes) -> None:
        self.ses = ses
        cloud = make_cloud()
        self.sqs = cloud.sqs
        self.url = cloud.environment["EMAIL_QUEUE_URL"]
        self.dead_url = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead_url, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 3}
        self.sqs.set_queue_attributes(
            QueueUrl=self.url,
            Attributes={
                "VisibilityTimeout": str(VISIBILITY_SECONDS),
                "RedrivePolicy": json.dumps(redrive),
            },
        )
        self.environment = {**cloud.environment, "AWS_ENDPOINT_URL_SESV2": ses.url}
        self.book = CampaignStore(cloud.dynamodb, CAMPAIGNS)
        self.rows = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)

    def start(self) -> Worker:
        """Start a worker and wait until its imports are done."""
        process = subprocess.Popen(
            [sys.executable, str(WORKER), self.url, "10"],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return Worker(process)

    def put(self, *bodies: str) -> None:
        """Put bodies on the queue at once."""
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        assert len(answer["Successful"]) == len(bodies)

    def states(self, *campaigns: str) -> Counter[str]:
        """Return the states of everybody in these campaigns, counted one by one."""
        found: Counter[str] = Counter()
        for campaign_id in campaigns:
            found.update(self.rows.count_states(campaign_id))
        return Counter({state: count for state, count in found.items() if count})

    def mailed(self, prefix: str) -> list[str]:
        """Return to whom SES was asked to send, of those whose address begins so."""
        return [to for to in self.ses.recipients() if to.startswith(prefix)]

    def dead(self) -> list[str]:
        """Return the bodies of the dead letters."""
        answer = self.sqs.receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in answer.get("Messages", [])]

    def sweep(self) -> None:
        """Put on the queue who is due, as the sweep does every minute."""
        Sweeper(
            ledger=self.rows,
            book=self.book,
            queues=QueueClient(
                self.sqs,
                dispatch_url=self.environment["DISPATCH_QUEUE_URL"],
                email_url=self.url,
            ),
            stream=Stream,
            account=Account,
            clock=lambda: int(time.time()),
        ).sweep(owner="test")


@pytest.fixture
def place(offline_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("cloud._client", _client)
    with FakeSes() as ses:
        yield Place(ses)
    reset = urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=10).close()  # servers in one process share what they keep
    server.stop()


def _client(service: str) -> Any:
    return boto3.session.Session().client(service)  # type: ignore[call-overload]


def body(campaign_id: str, person: str, *, fat: bool = False) -> str:
    """Return a message; a fat one renders to the largest mail that there may be."""
    field_ = "\N{GRINNING FACE}" * 10_000 if fat else "Ada"
    return json.dumps(
        {
            "campaign_id": campaign_id,
            "subject": "Hello",
            "body": "<p>" + "{{a}}" * (198 if fat else 1),
            "contact": {"email": f"{person}@example.com", "a": field_},
            "config": {"email_service": "ses", "from_email": "noreply@example.com"},
        },
        ensure_ascii=False,
    )


def until(look: Any, *, what: str) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def thin_bytes(place: Place) -> int:
    """Return what a worker holds that has sent a small mail."""
    worker = place.start()
    place.put(body("warm", "warm"))
    until(lambda: place.states("warm") == {"accepted": 1}, what="a small mail")
    held = resident(worker.process.pid)
    worker.end()
    return held


@pytest.mark.timeout(600)
def test_a_worker_out_of_memory_loses_nobody_and_mails_nobody_twice(
    place: Place, thin_bytes: int
) -> None:
    for turn in range(10 if LONG else 1):
        thin, fat = f"thin{turn}", f"fat{turn}"
        bodies = [body(thin, f"t{turn}p{n}") for n in range(8)]
        place.put(*bodies[:4], POISON, body(fat, f"t{turn}fat", fat=True), *bodies[4:])
        small = place.start()
        small.limit = thin_bytes + 10_000_000
        small.watch()
        assert small.process.wait(10) == -signal.SIGKILL
        small.end()
        # in the middle of the batch: its rows stand, and nobody was mailed
        assert place.states(thin, fat).total() == 9
        assert place.mailed(f"t{turn}") == []

        worker = place.start()
        until(
            lambda names=(thin, fat): place.states(*names) == {"accepted": 9}, what="nine are done"
        )
        until(lambda wanted=turn + 1: len(place.dead()) == wanted, what="a dead letter")
        worker.end()
        assert set(place.dead()) == {POISON}
        found = place.mailed(f"t{turn}")
        assert len(found) == len(set(found)) == 9


@pytest.mark.timeout(600)
def test_the_largest_mails_there_may_be_fit_into_a_worker_ten_at_a_time(place: Place) -> None:
    place.put(*(body("large", f"p{n}", fat=True) for n in range(MANY)))
    worker = place.start()
    watching = threading.Thread(target=worker.watch, daemon=True)
    watching.start()

    def done() -> bool:
        place.sweep()
        return place.states("large") == {"accepted": MANY}

    until(done, what="all are mailed")
    assert worker.end() == 0
    watching.join(10)
    print(f"\n{MANY} of the largest mails: peak {worker.peak / 1e6:.0f} MB")
    assert worker.peak < LAMBDA_BYTES * 0.9
    assert len(place.mailed("p")) == MANY
