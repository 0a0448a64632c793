"""When SQS is refused, hangs or loses its answer: what the caller gets, how soon, and how often."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloud import Context
from scripted_http import Caller, ScriptedHttp

from fakes import Clock, SharedReceipts
from sendmill.errors import StoreUnavailable
from sendmill.tasks import (
    EnqueueRejected,
    EnqueueUncertain,
    EnqueueUnreachable,
    TaskEvent,
    lambda_handler,
    listen,
    send_many,
    sqs_client,
    task,
    unlisten,
)
from sendmill.tasks.breaker import Breaker
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.config import TaskConfig, configure, override, reset
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.transports import Outgoing, sqs
from sendmill.tasks.transports.sqs import SqsTransport

effects: list[str] = []
HANGS_SECONDS = 60
# Between what a busy machine takes for a call that is refused and the read timeout of one that
# hangs: here it is the kind of failure that decides, not the load of the machine.
AT_ONCE = 1.5
SHIPPED = sqs._AT_ONCE


@task(name="f.mail", sync_fallback=True)
def mail(to: str, *, breaks: bool = False) -> str:
    effects.append(to)
    if breaks:
        raise OSError("no mail today")
    return f"mailed {to}"


@task(name="f.report")
def report(number: int) -> None:
    effects.append(str(number))


@task(name="f.often", sync_fallback=True, idempotency=None)
def often() -> None:
    effects.append("often")


class Queue:
    """An SQS that stores what it is sent and answers, or does something else instead."""

    def __init__(self, behave: str) -> None:
        self.behave = behave
        self.stored: list[str] = []
        self.released = threading.Event()
        self.server = ScriptedHttp(self.script)

    def script(self, caller: Caller) -> None:
        while request := caller.read():
            asked = json.loads(request)
            if self.behave == "hangs":
                self.released.wait(HANGS_SECONDS)
                return
            status, _, code = self.behave.partition(" ")
            if status.isdigit():
                body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"})
                caller.answer(body.encode(), status=int(status))
                continue
            entries = asked.get("Entries") or [asked]
            self.stored += [e["MessageBody"] for e in entries if "MessageBody" in e]
            if self.behave == "closes":
                caller.reset()
                return
            if self.behave == "stores and hangs":
                self.released.wait(HANGS_SECONDS)
                return
            caller.answer(self.answer(asked))

    def answer(self, asked: dict[str, Any]) -> bytes:
        taken = [
            {"Id": e["Id"], "MessageId": f"m{e['Id']}", "MD5OfMessageBody": ""}
            for e in asked.get("Entries", [])
        ]
        if self.behave == "some" and taken:
            failed = {"Id": taken.pop()["Id"], "Code": "InternalError", "SenderFault": False}
            return json.dumps({"Successful": taken, "Failed": [failed]}).encode()
        return json.dumps({"Successful": taken} if taken else {"MessageId": "m1"}).encode()

    def drain(self) -> list[str]:
        """Have the worker handle what is stored, twice over; return what must come again."""
        records = [
            {
                "messageId": str(n),
                "receiptHandle": "h",
                "body": body,
                "eventSourceARN": "a:b:c:d:e:q",
            }
            for n, body in enumerate([*self.stored, *self.stored])
        ]
        answer = lambda_handler({"Records": records}, Context())
        return [found["itemIdentifier"] for found in answer["batchItemFailures"]]


@pytest.fixture(autouse=True)
def settings(offline_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing run, nothing configured, no client of another test."""
    monkeypatch.setattr(sqs, "_AT_ONCE", AT_ONCE)
    effects.clear()
    forget_clients()
    reset()
    yield
    reset()
    forget_clients()


@pytest.fixture
def queue() -> Iterator[Callable[[str], Queue]]:
    """From a behaviour to a queue of that behaviour, to which tasks are sent."""
    made: list[Queue] = []

    def make(behave: str) -> Queue:
        found = Queue(behave)
        found.server.__enter__()
        made.append(found)
        _send_to(found.server.port)
        return found

    yield make
    for found in made:
        found.released.set()
        found.server.__exit__(None, None, None)


def _send_to(port: int, **changes: Any) -> None:
    url = f"http://127.0.0.1:{port}/000000000000/q"
    configure(
        use_async=True,
        queues={"default": url},
        region="us-east-1",
        receipts=SharedReceipts(),
        **changes,
    )


@pytest.fixture(autouse=True)
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Send SQS's calls to a port: the SDK of today takes the queue's URL for a name alone."""
    return lambda port: monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{port}")


Make = Callable[[str], Queue]
Point = Callable[[int], None]


def timed(call: Callable[[], Any]) -> Any:
    """Return what a call returns; it must not wait for a queue that hangs."""
    begun = time.monotonic()
    try:
        return call()
    finally:
        assert time.monotonic() - begun < HANGS_SECONDS / 2


def refused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_refused_it_runs_here_at_once_where_the_task_allows_it(endpoint: Point) -> None:
    port = refused_port()
    endpoint(port)
    _send_to(port)
    sent = timed(lambda: mail.send("ada"))
    assert (sent.mode, sent.value, sent.error) == ("fallback_sync", "mailed ada", None)
    with pytest.raises(EnqueueUnreachable) as raised:
        timed(lambda: report.options(task_id="r1").send(1))
    assert raised.value.task_id == "r1"
    assert effects == ["ada"]


def test_all_the_waits_together_stay_below_the_promised_three_seconds() -> None:
    waits = TaskConfig()
    assert SHIPPED + waits.connect_timeout + waits.read_timeout < 3


@pytest.mark.parametrize(("seconds", "asked"), [(SHIPPED, 2), (SHIPPED + 0.1, 1)])
def test_what_failed_at_once_alone_is_tried_again(
    queue: Make, endpoint: Point, monkeypatch: pytest.MonkeyPatch, seconds: float, asked: int
) -> None:
    monkeypatch.setattr(sqs, "_AT_ONCE", SHIPPED)
    found = queue("closes")
    endpoint(found.server.port)
    times = iter((0.0, seconds))
    transport = SqsTransport(
        lambda _: "http://127.0.0.1/000000000000/q", region="us-east-1", clock=lambda: next(times)
    )
    with pytest.raises(EnqueueUncertain):
        transport.send(Outgoing(body="{}", queue="default", task_id="t", task="f.mail"))
    assert len(found.server.requests) == asked


@pytest.mark.parametrize("behave", ["hangs", "closes", "stores and hangs"])
def test_maybe_sent_it_runs_once_here_or_there(queue: Make, endpoint: Point, behave: str) -> None:
    found = queue(behave)
    endpoint(found.server.port)
    sent = timed(lambda: mail.send("ada"))
    assert (sent.mode, sent.value) == ("fallback_sync", "mailed ada")
    assert found.drain() == []
    assert effects == ["ada"]


def test_maybe_sent_and_failed_here_it_runs_there(queue: Make, endpoint: Point) -> None:
    found = queue("closes")
    endpoint(found.server.port)
    sent = mail.send("ada", breaks=True)
    assert isinstance(sent.error, OSError)
    found.behave = "answers"  # the worker's backoff is asked for over the same door
    assert len(found.drain()) == len(found.stored) * 2
    assert len(effects) == 1 + 4  # once here, and each delivery is a first attempt there


@pytest.mark.parametrize("name", ["f.report", "f.often"])
def test_maybe_sent_without_a_way_to_claim_it_is_said(
    queue: Make, endpoint: Point, name: str
) -> None:
    found = queue("closes")
    endpoint(found.server.port)
    payload = {"number": 1} if name == "f.report" else {}
    with pytest.raises(EnqueueUncertain) as raised:
        timed(lambda: sqs_client.send_task(name, payload, task_id="known"))
    assert raised.value.task_id == "known"
    assert effects == []
    # what may not run twice is not sent twice either
    assert len(found.stored) == (2 if name == "f.report" else 1)


@pytest.mark.parametrize(
    ("changes", "mode", "ran"),
    [
        ({"on_uncertain": "raise"}, "raises", 0),
        ({"on_uncertain": "run"}, "fallback_sync", 1),
        ({"on_uncertain": "assume_sent"}, "queued", 0),
        ({"receipts": None}, "raises", 0),
        ({"receipts": MemoryReceipts()}, "raises", 0),
        ({"receipts": None, "on_uncertain": "run"}, "fallback_sync", 1),
    ],
)
def test_what_is_done_when_nobody_knows_is_a_choice(
    queue: Make, endpoint: Point, changes: dict[str, Any], mode: str, ran: int
) -> None:
    endpoint(queue("closes").server.port)
    configure(**changes)
    if mode == "raises":
        with pytest.raises(EnqueueUncertain):
            mail.send("ada")
    else:
        assert mail.send("ada").mode == mode
    assert len(effects) == ran


def test_maybe_sent_and_running_there_it_does_not_run_here(queue: Make, endpoint: Point) -> None:
    endpoint(queue("closes").server.port)
    store = SharedReceipts()
    configure(receipts=store)
    store.claim("mine", owner="worker", task="f.mail", lease_seconds=60)
    assert mail.options(task_id="mine").send("ada").mode == "queued"
    assert effects == []


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 890), (10, 890), (3600, 3590)])
def test_maybe_sent_it_is_held_for_as_long_as_it_may_run_here(
    queue: Make, endpoint: Point, timeout: float | None, seconds: int
) -> None:
    clock = Clock()
    store = SharedReceipts(clock=clock)

    @task(name="f.takes_long", sync_fallback=True, timeout=timeout)
    def takes_long() -> str:
        clock.advance(seconds)
        return store.claim("mine", owner="worker", task="f.takes_long", lease_seconds=60).state

    endpoint(queue("closes").server.port)
    configure(receipts=store)
    assert takes_long.options(task_id="mine").send().value == "held"
    assert store.claim("mine", owner="worker", task="", lease_seconds=60).state == "completed"


def test_maybe_sent_and_the_receipts_away_nothing_runs(queue: Make, endpoint: Point) -> None:
    class Away(SharedReceipts):
        def claim(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("away")

    endpoint(queue("closes").server.port)
    configure(receipts=Away())
    with pytest.raises(EnqueueUncertain):
        mail.send("ada")
    assert effects == []


def test_refused_by_sqs_is_raised_and_never_hidden(queue: Make, endpoint: Point) -> None:
    found = queue("403 AccessDenied")
    endpoint(found.server.port)
    for _ in range(5):
        with pytest.raises(EnqueueRejected, match="AccessDenied"):
            mail.send("ada")
    assert len(found.server.requests) == 5
    with override(fallback_on_rejected=True):
        assert mail.send("ada").mode == "fallback_sync"


@pytest.mark.parametrize(
    "behave", ["403 RequestThrottled", "400 ThrottlingException", "503 ThrottlingException"]
)
def test_a_queue_that_throttles_certainly_did_not_take_it(
    queue: Make, endpoint: Point, behave: str
) -> None:
    endpoint(queue(behave).server.port)
    configure(receipts=None)
    assert mail.send("ada").mode == "fallback_sync"


@pytest.mark.parametrize("behave", ["500 InternalFailure", "503 ServiceUnavailable"])
def test_an_error_of_the_server_leaves_it_open(queue: Make, endpoint: Point, behave: str) -> None:
    endpoint(queue(behave).server.port)
    configure(receipts=None)
    for send in (lambda: mail.send("ada"), lambda: report.send(1)):
        with pytest.raises(EnqueueUncertain):
            send()
    assert effects == []


@pytest.mark.parametrize("option", ["delay_seconds", "run_at"])
def test_nothing_that_is_delayed_runs_early(endpoint: Point, option: str) -> None:
    # not when the tests are collected, which may be long before
    later = {"delay_seconds": 60, "run_at": datetime.now(UTC) + timedelta(minutes=5)}
    options: dict[str, Any] = {option: later[option]}
    port = refused_port()
    endpoint(port)
    _send_to(port)
    with pytest.raises(EnqueueUnreachable):
        mail.options(**options).send("ada")
    assert effects == []


def test_the_outbox_keeps_what_must_not_run_here(endpoint: Point) -> None:
    kept: dict[str, Any] = {}

    class Outbox:
        def put(self, body: str, **about: Any) -> None:
            kept[about["task_id"]] = (json.loads(body), about)

    port = refused_port()
    endpoint(port)
    _send_to(port, outbox=Outbox())
    sent = report.send(7)
    assert sent.mode == "outbox"
    assert isinstance(sent.error, EnqueueUnreachable)
    body, about = kept[sent.task_id]
    assert (body["task"], body["kwargs"], about["queue"]) == ("f.report", {"number": 7}, "default")
    # what was tried here in vain is not forgotten either
    assert mail.send("ada", breaks=True).mode == "outbox"
    assert len(kept) == 2


def test_the_breaker_spares_the_caller_the_wait(queue: Make, endpoint: Point) -> None:
    found = queue("hangs")
    endpoint(found.server.port)
    configure(breaker_failures=2, breaker_cooldown=60, read_timeout=0.3)
    heard: list[str] = []

    def hear(event: TaskEvent) -> None:
        heard.append(event.name)

    listen(hear)
    try:
        for _ in range(2):
            assert mail.send("ada").mode == "fallback_sync"
        asked = len(found.server.requests)
        assert mail.send("ada").mode == "fallback_sync"
    finally:
        unlisten(hear)
    assert len(found.server.requests) == asked
    assert heard.count("breaker_opened") == 1
    assert heard.count("fallback") == 3


def test_a_breaker_opens_lets_one_through_and_closes() -> None:
    clock = Clock()
    found = Breaker(failures=2, cooldown=30, clock=clock)
    assert [found.failed(), found.allows(), found.failed()] == [False, True, True]
    assert not found.allows()
    clock.advance(30)
    # half open: one is let through, the others wait for what becomes of it
    assert [found.allows(), found.allows()] == [True, False]
    assert found.failed() is False
    assert not found.allows()
    clock.advance(30)
    assert found.allows()
    found.succeeded()
    assert [found.allows(), found.allows(), found.is_open] == [True, True, False]


def test_many_are_accounted_for_one_by_one(queue: Make, endpoint: Point) -> None:
    found = queue("some")
    endpoint(found.server.port)
    items = [{"task_name": "f.report", "payload": {"number": n}} for n in range(12)]
    results = send_many(items)
    assert [n for n, result in enumerate(results) if result.error] == [9, 11]
    assert len(found.server.requests) == 2
    mails = send_many([{"task_name": "f.mail", "payload": {"to": "ada"}}] * 2)
    assert [result.mode for result in mails] == ["queued", "fallback_sync"]


def test_many_do_not_wait_once_for_each_batch(queue: Make, endpoint: Point) -> None:
    found = queue("hangs")
    endpoint(found.server.port)
    items = [{"task_name": "f.report", "payload": {"number": n}} for n in range(100)]
    results = timed(lambda: send_many(items))
    assert len(found.server.requests) == 1
    kinds = [type(result.error) for result in results]
    assert kinds == [EnqueueUncertain] * 10 + [EnqueueUnreachable] * 90


def test_a_hundred_tasks_in_two_threads_make_one_client(
    queue: Make, endpoint: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    endpoint(queue("answers").server.port)
    made: list[str] = []
    make: Any = boto3.client

    def counting(service: str, **settings: Any) -> Any:
        made.append(service)
        time.sleep(0.05)
        return make(service, **settings)

    monkeypatch.setattr(boto3, "client", counting)
    declared = [task(name=f"f.many{n}")(lambda: None) for n in range(100)]
    assert made == []
    threads = [
        threading.Thread(target=lambda half=half: [t.send() for t in half])
        for half in (declared[:50], declared[50:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["sqs"]
