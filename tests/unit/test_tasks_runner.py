"""What becomes of each message of a batch, and that none of it reaches the others."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes import FakeInbox
from sendmill.errors import StoreUnavailable
from sendmill.tasks import (
    Claim,
    Envelope,
    PermanentFailure,
    Retry,
    Skip,
    TaskContext,
    TaskEvent,
    correlation_id,
    current_task,
    fixed,
    listen,
    register_handler,
    steps,
    task,
    unlisten,
)
from sendmill.tasks.config import configure, override, reset
from sendmill.tasks.context import traceparent
from sendmill.tasks.envelope import write
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.signing import Keyring
from sendmill.tasks.worker.delivery import Delivery, delivery_of_event
from sendmill.tasks.worker.runner import Runner

ran: list[Any] = []
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@task(name="r.ok")
def ok(value: Any = None) -> Any:
    ran.append(value)
    return value


@task(name="r.fails", max_attempts=3, backoff=steps(30, 60, 120))
def fails() -> None:
    ran.append("fails")
    raise OSError("no disk")


@task(name="r.exits")
def exits() -> None:
    raise SystemExit(3)


@task(name="r.permanent", permanent=(ValueError,))
def permanent(kind: str = "value") -> None:
    ran.append(kind)
    raise ValueError("never") if kind == "value" else PermanentFailure("gone")


@task(name="r.picky", retry_on=(ConnectionError,))
def picky() -> None:
    raise KeyError("a defect, not the weather")


@task(name="r.later")
def later(seconds: float) -> None:
    raise Retry("busy", delay=seconds)


@task(name="r.skips")
def skips() -> None:
    raise Skip("nothing to do")


@task(name="r.slow", timeout=0.1, backoff=fixed(7))
def slow() -> None:
    time.sleep(5)


@task(name="r.long", timeout=60)
def long() -> None:
    ran.append("long")


@task(name="r.every", idempotency=None)
def every() -> None:
    ran.append("every")


@task(name="r.keyed", idempotency=lambda kwargs: f"report-{kwargs['report']}")
def keyed(report: int) -> None:
    ran.append(report)


@task(name="r.second", aliases=("r.first_name",), version=2, upgrade=lambda v, k: {"name": k["nm"]})
def second(name: str) -> None:
    ran.append(name)


@register_handler("r.context")
def about(payload: dict[str, Any], context: TaskContext) -> None:
    ran.append((context, correlation_id(), traceparent(), current_task()))


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Fresh receipts, nothing run."""
    ran.clear()
    reset()
    configure(receipts=MemoryReceipts())
    yield
    reset()


@pytest.fixture
def inbox() -> FakeInbox:
    """A queue with a dead-letter queue."""
    return FakeInbox()


def body(name: str, task_id: str = "", **kwargs: Any) -> str:
    """Return a message of ours."""
    from datetime import UTC, datetime

    made = Envelope(
        id=task_id or f"id-{name}",
        task=name,
        kwargs=kwargs,
        enqueued_at=datetime(2026, 11, 23, tzinfo=UTC),
        traceparent=TRACE,
        correlation_id="request-1",
    )
    return write(made)


def record(text: str, message_id: str = "m", receives: int = 1, queue: str = "tasks") -> Delivery:
    """Return a message as Lambda hands it over."""
    return delivery_of_event(
        {
            "messageId": message_id,
            "receiptHandle": f"handle-{message_id}",
            "body": text,
            "attributes": {
                "ApproximateReceiveCount": str(receives),
                "SentTimestamp": "1795400000000",
                "MessageGroupId": "g",
            },
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue}",
        }
    )


def run(inbox: FakeInbox, *records: Delivery, left: Callable[[], float] | None = None) -> list[str]:
    """Return the ids of the messages that must come again."""
    runner = Runner(inbox, sleep=lambda _: None)
    failed = runner.run(records, remaining=left) if left else runner.run(records)
    return [found.message_id for found in failed]


def test_each_message_of_a_batch_has_its_own_end(inbox: FakeInbox) -> None:
    left = iter([300.0] * 18 + [30.0] * 10)
    batch = [
        record(body("r.ok", "1", value="first"), "ok"),
        record("{not json", "poison"),
        record(body("r.unheard_of"), "unknown"),
        record(body("r.exits"), "exits"),
        record(body("r.fails"), "fails"),
        record(body("r.permanent"), "permanent"),
        record(body("r.later", seconds=77), "later"),
        record(body("r.skips"), "skips"),
        record(body("r.slow"), "slow"),
        record(body("r.ok", "10", value="last"), "last"),
    ]
    assert run(inbox, *batch, left=lambda: next(left)) == ["exits", "fails", "later", "slow"]
    assert {name: found["reason"] for name, found in inbox.buried.items()} == {
        "poison": "poison",
        "unknown": "unknown_task",
        "permanent": "permanent",
    }
    assert inbox.hidden["fails"] == [30]
    assert inbox.hidden["later"] == [77]
    assert inbox.hidden["slow"] == [7]
    assert ran == ["first", "fails", "value", "last"]


def test_a_task_that_would_not_end_in_time_is_not_begun(inbox: FakeInbox) -> None:
    left = [40.0]
    batch = [record(body("r.ok", "1"), "ok"), record(body("r.long"), "long")]
    assert run(inbox, *batch, left=lambda: left[0]) == ["long"]
    assert 0 <= inbox.hidden["long"][0] <= 5
    assert ran == [None]
    # it has an invocation to itself: now is the best time that it will ever have
    assert run(inbox, record(body("r.long"), "long", receives=2), left=lambda: left[0]) == []


def test_an_alarm_of_somebody_else_goes_on(inbox: FakeInbox) -> None:
    rung: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    was = signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        run(inbox, record(body("r.slow")))
        assert rung == []
        end = time.monotonic() + 30
        while not rung and time.monotonic() < end:
            time.sleep(0.05)
        assert len(rung) == 1
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *was)


def test_the_backoff_grows_by_attempt_and_the_last_attempt_is_buried(inbox: FakeInbox) -> None:
    text = body("r.fails")
    assert [run(inbox, record(text, receives=n)) for n in (1, 2, 3)] == [["m"], ["m"], []]
    assert inbox.hidden["m"] == [30, 60]
    found = inbox.buried["m"]
    assert found["reason"] == "attempts_exhausted"
    assert found["error"] == "OSError: no disk"
    assert (found["task"], found["task_id"], found["attempts"]) == ("r.fails", "id-r.fails", "3")


def test_receives_without_a_run_are_no_attempts(inbox: FakeInbox) -> None:
    # throttled and held twice before it ran at all
    assert run(inbox, record(body("r.fails"), receives=3)) == ["m"]
    assert inbox.hidden["m"] == [30]


def test_without_receipts_a_receive_is_an_attempt(inbox: FakeInbox) -> None:
    configure(receipts=None)
    assert run(inbox, record(body("r.fails"), receives=2)) == ["m"]
    assert inbox.hidden["m"] == [60]
    assert run(inbox, record(body("r.fails"), receives=3)) == []


@pytest.mark.parametrize("name", ["r.permanent", "r.picky"])
def test_what_trying_again_cannot_help_is_tried_once(inbox: FakeInbox, name: str) -> None:
    assert run(inbox, record(body(name))) == []
    assert inbox.buried["m"]["reason"] == "permanent"


def test_arguments_that_do_not_fit_are_buried(inbox: FakeInbox) -> None:
    assert run(inbox, record(body("r.keyed", report="five"))) == []
    assert inbox.buried["m"]["reason"] == "invalid_arguments"


def test_without_a_dead_letter_queue_it_is_left_to_the_redrive_policy() -> None:
    inbox = FakeInbox(has_dead_letters=False)
    assert run(inbox, record("nonsense")) == ["m"]
    assert [run(inbox, record(body("r.permanent"), receives=n)) for n in (1, 2, 3, 4, 5)] == [
        ["m"]
    ] * 5
    assert ran == ["value"] * 3


def test_a_queue_that_is_away_loses_nothing(inbox: FakeInbox) -> None:
    inbox.is_away = True
    assert run(inbox, record("nonsense", "a"), record(body("r.fails"), "b")) == ["a", "b"]
    assert run(inbox, record(body("r.permanent"), "c")) == ["c"]


def test_one_task_runs_once_however_often_it_comes(inbox: FakeInbox) -> None:
    sent_twice = [record(body("r.ok", "same"), "one"), record(body("r.ok", "same"), "two")]
    assert run(inbox, *sent_twice) == []
    assert run(inbox, record(body("r.ok", "same"), "one", receives=2)) == []
    assert run(inbox, record(body("r.ok", "same"), "redriven-with-a-new-id")) == []
    assert ran == [None]


def test_what_runs_elsewhere_comes_again_when_its_lease_has_ended(inbox: FakeInbox) -> None:
    store = MemoryReceipts()
    configure(receipts=store)
    store.claim("same", owner="another", task="r.ok", lease_seconds=40)
    assert run(inbox, record(body("r.ok", "same"))) == ["m"]
    assert 40 <= inbox.hidden["m"][0] <= 43
    assert ran == []


def test_a_redrive_runs_what_had_failed_for_good(inbox: FakeInbox) -> None:
    for receives in (1, 2, 3):
        run(inbox, record(body("r.fails"), receives=receives))
    assert run(inbox, record(body("r.fails"), "redriven")) == ["redriven"]
    assert ran == ["fails"] * 4


def test_a_task_that_kills_its_worker_ends_in_the_dead_letters(inbox: FakeInbox) -> None:
    store = MemoryReceipts()
    configure(receipts=store)
    for attempt in (1, 2, 3):
        store.claim("deadly", owner=f"killed-{attempt}", task="r.ok", lease_seconds=-1)
    assert run(inbox, record(body("r.ok", "deadly"), receives=4)) == []
    assert inbox.buried["m"]["reason"] == "worker_died"
    assert ran == []
    # moved to the dead letters by the queue itself, and redriven: it has its attempts again
    assert run(inbox, record(body("r.ok", "deadly"), "redriven")) == []
    assert ran == [None]


def test_the_key_is_the_tasks_own_or_the_senders(inbox: FakeInbox) -> None:
    run(inbox, record(body("r.keyed", "1", report=5)), record(body("r.keyed", "2", report=5)))
    run(inbox, record(body("r.keyed", "3", report=6)))
    assert ran == [5, 6]
    run(inbox, record(body("r.every", "1")), record(body("r.every", "1")))
    assert ran[2:] == ["every", "every"]


class _Away(MemoryReceipts):
    """A store that is away for some of its calls."""

    def __init__(self, *away: str, times: int = 99) -> None:
        super().__init__()
        self.away, self.times = away, times

    def _perhaps(self, name: str) -> None:
        if name in self.away and self.times > 0:
            self.times -= 1
            raise StoreUnavailable("away")

    def claim(self, key: str, *, owner: str, task: str, lease_seconds: float) -> Claim:
        found = super().claim(key, owner=owner, task=task, lease_seconds=lease_seconds)
        self._perhaps("claim")
        return found

    def complete(self, key: str, *, owner: str) -> bool:
        self._perhaps("complete")
        return super().complete(key, owner=owner)


def test_without_its_receipt_nothing_runs(inbox: FakeInbox) -> None:
    configure(receipts=_Away("claim"))
    assert run(inbox, record(body("r.ok"))) == ["m"]
    assert ran == []
    assert 5 <= inbox.hidden["m"][0] <= 10


@pytest.mark.parametrize(("receives", "least"), [(1, 5), (2, 10), (6, 160), (20, 900), (999, 900)])
def test_an_outage_of_the_receipts_is_waited_for_and_makes_no_dead_letters(
    inbox: FakeInbox, receives: int, least: int
) -> None:
    """SQS counts receives: 20 of them now take three hours, and would take three minutes."""
    configure(receipts=_Away("claim"))
    assert run(inbox, record(body("r.ok"), receives=receives)) == ["m"]
    assert least <= inbox.hidden["m"][0] <= 2 * least


def test_tasks_of_which_one_fits_into_an_invocation_part_company(inbox: FakeInbox) -> None:
    batch = [record(body("r.long", str(n)), str(n), receives=8) for n in range(50)]
    assert len(run(inbox, *batch, left=lambda: 40.0)) == 49
    waits = [seconds for (seconds,) in inbox.hidden.values()]
    assert max(waits) - min(waits) > 100
    assert max(waits) <= 640


def test_a_claim_whose_answer_was_lost_runs_at_once(inbox: FakeInbox) -> None:
    configure(receipts=_Away("claim", times=1))
    assert run(inbox, record(body("r.ok"))) == []
    assert ran == [None]


def test_work_that_is_done_is_acknowledged_though_its_receipt_was_not_written(
    inbox: FakeInbox,
) -> None:
    configure(receipts=_Away("complete"))
    assert run(inbox, record(body("r.ok"))) == []
    configure(receipts=_Away("complete", times=2))
    assert run(inbox, record(body("r.ok"))) == []
    assert run(inbox, record(body("r.ok"), receives=2)) == []
    assert ran == [None, None]


def test_in_a_fifo_queue_nothing_overtakes_what_failed(inbox: FakeInbox) -> None:
    batch = [
        record(body("r.fails"), "1", queue="tasks.fifo"),
        record(body("r.ok", "2"), "2", queue="tasks.fifo"),
    ]
    assert run(inbox, *batch) == ["1", "2"]
    assert ran == ["fails"]


def test_lanes_run_side_by_side_and_keep_the_order_of_answers(inbox: FakeInbox) -> None:
    configure(concurrency=4)
    batch = [record(body("r.ok", str(n), value=n), str(n)) for n in range(8)]
    batch[3:3] = [record(body("r.fails"), "f")]
    assert run(inbox, *batch) == ["f"]
    assert sorted(value for value in ran if value != "fails") == list(range(8))


def test_a_run_knows_who_it_is_and_carries_its_trace(inbox: FakeInbox) -> None:
    run(inbox, record(body("r.context", "me"), receives=2), left=lambda: 9.0)
    context, correlation, trace, current = ran[0]
    assert (context.task_id, context.task, context.attempt, context.queue) == (
        "me",
        "r.context",
        1,
        "tasks",
    )
    assert context.remaining() == 9.0
    assert (correlation, trace) == ("request-1", TRACE)
    assert current is context
    assert current_task() is None


def test_a_run_knows_the_key_of_its_receipt(inbox: FakeInbox) -> None:
    deduplicated = json.dumps(json.loads(body("r.context", "two")) | {"dedup": "mail-5"})
    run(inbox, record(body("r.context", "one")), record(deduplicated))
    assert [context.key for context, *_ in ran] == ["one", "r.context:mail-5"]


def test_what_surrounds_a_run_is_entered_and_left(inbox: FakeInbox) -> None:
    from contextlib import contextmanager

    @contextmanager
    def around(context: TaskContext) -> Iterator[None]:
        ran.append("in")
        try:
            yield
        finally:
            ran.append("out")

    configure(around=(around,))
    run(inbox, record(body("r.ok", value=1)), record(body("r.fails"), "f"))
    assert ran == ["in", 1, "out", "in", "fails", "out"]


def test_listeners_hear_everything_and_break_nothing(inbox: FakeInbox) -> None:
    heard: list[TaskEvent] = []

    @listen
    def broken(event: TaskEvent) -> None:
        heard.append(event)
        raise RuntimeError("a listener's defect")

    try:
        run(inbox, record(body("r.ok", value=7)), record(body("r.fails"), "f"), record("x", "p"))
    finally:
        unlisten(broken)
    assert [event.name for event in heard] == [
        "started",
        "succeeded",
        "started",
        "retried",
        "poison",
    ]
    assert heard[1].value == 7
    assert isinstance(heard[3].error, OSError)


def test_nothing_of_a_payload_is_logged(inbox: FakeInbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "sendmill.tasks")
    run(inbox, record(body("r.ok", value="ada@example.com")), record('{"ada@example.com": 1}', "p"))
    text = caplog.text + json.dumps([str(vars(found)) for found in caplog.records])
    assert "task_succeeded" in text
    assert "ada@example.com" not in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"v": 2}, "v must be 1"),
        ({"v": "1"}, "v must be 1"),
        ({"v": True}, "v must be 1"),
        ({"id": ""}, "id must be"),
        ({"task": 5}, "task must be"),
        ({"kwargs": []}, "kwargs must be dict"),
        ({"nbf": "tomorrow"}, "nbf must be an ISO time"),
    ],
)
def test_an_envelope_that_no_release_of_ours_wrote_is_poison(
    inbox: FakeInbox, change: dict[str, Any], why: str
) -> None:
    assert run(inbox, record(json.dumps(json.loads(body("r.ok")) | change))) == []
    assert why in inbox.buried["m"]["error"]


def test_unknown_keys_an_old_version_and_an_old_name_are_understood(inbox: FakeInbox) -> None:
    found = json.loads(body("r.first_name", nm="ada")) | {"from_the_future": {"x": 1}, "tv": 1}
    assert run(inbox, record(json.dumps(found))) == []
    run(inbox, record(json.dumps(found | {"tv": 2, "id": "2", "kwargs": {"name": "new"}})))
    assert ran == ["ada", "new"]


def test_what_must_not_run_yet_comes_again_then(inbox: FakeInbox) -> None:
    from datetime import UTC, datetime

    runner = Runner(inbox, clock=lambda: datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp())
    found = json.loads(body("r.ok")) | {"nbf": "2026-11-23T10:01:40Z"}
    assert runner.run([record(json.dumps(found))]) != []
    assert inbox.hidden["m"] == [100]
    assert runner.run([record(json.dumps(found | {"nbf": "2026-11-23T10:00:00Z"}))]) == []


def test_a_message_by_a_key_that_the_worker_gets_later_is_waited_for(inbox: FakeInbox) -> None:
    old, new = {"old": "0123456789abcdef-old"}, {"new": "0123456789abcdef-new"}
    signed = record(Keyring(new).sign(body("r.ok")), receives=6)
    with override(signing_keys=old):
        assert run(inbox, signed) == ["m"]
    assert (ran, inbox.buried) == ([], {})
    assert 160 <= inbox.hidden["m"][0] <= 320
    with override(signing_keys=old | new):
        assert run(inbox, signed) == []
    assert ran == [None]


def test_a_signed_message_runs_and_no_other(inbox: FakeInbox) -> None:
    keys = {"new": "0123456789abcdef-new", "old": "0123456789abcdef-old"}
    with override(signing_keys=keys):
        signed = Keyring(keys).sign(body("r.ok", "1"))
        by_the_old = Keyring({"old": keys["old"]}).sign(body("r.ok", "2"))
        assert run(inbox, record(signed), record(by_the_old)) == []
        assert ran == [None, None]
        wrong = {
            "unsigned": body("r.ok", "3"),
            "changed": signed.replace('"value":null', '"value":1').replace("r.ok", "r.on"),
            "forged": Keyring({"new": "0123456789abcdef-not"}).sign(body("r.ok", "5")),
            "appended": signed[:-1] + ',"task":"r.fails"}',
            "prefixed": '{"task":"r.fails",' + signed[1:],
            "event": json.dumps({"task": "r.ok"}),
        }
        assert run(inbox, *(record(text, name) for name, text in wrong.items())) == []
        assert set(inbox.buried) == set(wrong)
        said = {name: found["error"] for name, found in inbox.buried.items()}
        assert "comes twice" in said.pop("appended")
        assert all("BadSignature" in error for error in said.values())
    with override(signing_keys=keys, accept_unsigned=frozenset({"plain"})):
        assert run(inbox, record(json.dumps({"task": "r.ok"}), "plain")) == []
    assert len(ran) == 3
    # a worker without keys reads what signers wrote
    assert run(inbox, record(Keyring(keys).sign(body("r.ok", "9")))) == []
    assert len(ran) == 4
