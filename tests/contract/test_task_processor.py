"""The task processor's contract with SQS, S3 and Scheduler: what runs, what returns, what dies."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from cloud import FILES, TASKS, Cloud, Context
from fake_ses import FakeSes, accept, drop, refuse
from scripted_smtp import ScriptedServer

from sendmill.tasks import TaskEvent, config, listen, registry, sqs_client, unlisten
from sendmill.tasks.builtin import wiring
from sendmill.tasks.clients import forget_clients
from sendmill.tasks.dead_letter_queue import DeadLetterQueue

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
# What somebody puts into functions/task_processor/task_handlers.py.
OWN_HANDLERS = """
from sendmill.tasks import register_handler

done = []

@register_handler("custom_processing", max_attempts=3)
def custom_processing(payload):
    done.append(payload)
"""
WELCOME = "<p>Hello {{ name }}</p>"


@pytest.fixture
def processor(load: Load, cloud: Cloud) -> Iterator[ModuleType]:
    cloud.s3.put_object(Bucket=FILES, Key="templates/emails/welcome.html", Body=WELCOME.encode())
    config.reset()
    wiring.forget()
    found = load("task_processor")
    yield found
    unlisten(found.count)
    config.reset()
    wiring.forget()


class Deliver:
    """Put bodies on the queue, have the function woken with them, say which of them are kept.

    Real messages, so that hiding one is refused if its handle is wrong.
    """

    def __init__(self, processor: ModuleType, cloud: Cloud, plain: dict[str, Any]) -> None:
        self._processor, self._sqs, self._plain = processor, cloud.sqs, plain
        self._url = cloud.environment["AWS_SQS_QUEUE_URL"]
        self._handles: list[str] = []

    def __call__(self, *bodies: str) -> int:
        for body in bodies:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)
        return self.again()

    def again(self) -> int:
        """Deliver what is visible; return how many messages are kept."""
        records = [self._record(message) for message in self._received()]
        if not records:
            return 0
        answer = self._processor.handler({"Records": records}, Context())
        kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._handles = [one["receiptHandle"] for one in records if one["messageId"] in kept]
        for one in records:
            if one["messageId"] not in kept:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=one["receiptHandle"])
        return len(kept)

    def show(self) -> None:
        """Let the time pass for which messages are hidden."""
        for handle in self._handles:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0
            )

    def _received(self) -> list[Any]:
        found: list[Any] = []
        asked = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": 10,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        while part := self._sqs.receive_message(**asked).get("Messages"):
            found += part
        return found

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._plain,
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": message.get("MessageAttributes", {}),
        }


@pytest.fixture
def deliver(processor: ModuleType, cloud: Cloud, event: MakeEvent) -> Deliver:
    return Deliver(processor, cloud, event("sqs_tasks")["Records"][0])


def dead_letters(cloud: Cloud) -> list[tuple[str, dict[str, str]]]:
    found = cloud.sqs.receive_message(
        QueueUrl=cloud.environment["AWS_SQS_DLQ_URL"],
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
    ).get("Messages", [])
    return [
        (
            letter["Body"],
            {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()},
        )
        for letter in found
    ]


def body(event: MakeEvent, task_id: str = "", **kwargs: Any) -> str:
    found = json.loads(event("sqs_tasks")["Records"][0]["body"])
    found["id"] = task_id or found["id"]
    found["kwargs"] |= kwargs
    return json.dumps(found)


def test_a_notification_is_mailed_through_ses_with_what_brings_its_events_back(
    deliver: Deliver, event: MakeEvent, ses: FakeSes
) -> None:
    assert deliver(body(event)) == 0
    (mail,) = ses.requests
    assert mail["Destination"] == {"ToAddresses": ["john@example.com"]}
    assert mail["FromEmailAddress"] == "default@example.com"
    simple = mail["Content"]["Simple"]
    assert simple["Subject"]["Data"] == "Welcome!"
    assert simple["Body"]["Html"]["Data"] == "<p>Hello John</p>"
    assert simple["Body"]["Text"]["Data"] == "Hello John\n"
    assert mail["ConfigurationSetName"] == "sendmill-test"
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    assert tags["campaign_id"].startswith("task_")
    assert len(tags["recipient_id"]) == 26


def test_the_same_task_in_two_messages_is_one_mail(
    deliver: Deliver, event: MakeEvent, ses: FakeSes
) -> None:
    assert deliver(body(event), body(event)) == 0
    assert deliver(body(event)) == 0
    assert len(ses.requests) == 1


def test_what_cannot_run_lies_in_the_dead_letter_queue_with_the_reason_and_its_neighbours_ran(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    bodies = [
        body(event, "a", email="a@example.com"),
        "no json",
        body(event, "b", template_name="emails/none.html"),
        '{"task_name": "nobody_knows_me", "payload": {}}',
        '{"task_name": "send_notification_email", "payload": {"user_id": 1}}',
        body(event, "c", email="c@example.com"),
        "[" * 100_000,
        json.dumps({"v": 9, "id": "x", "task": "t"}),
    ]
    assert deliver(*bodies) == 0
    assert sorted(ses.recipients()) == ["a@example.com", "c@example.com"]
    reasons = {found: said["reason"] for found, said in dead_letters(cloud)}
    assert sorted(reasons) == sorted(set(bodies) - {bodies[0], bodies[5]})
    assert reasons[bodies[2]] == "permanent"
    assert reasons[bodies[3]] == "unknown_task"
    assert reasons[bodies[4]] == "invalid_arguments"


def test_a_task_that_fails_comes_back_after_its_pause_and_dies_at_the_third_attempt(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    ses.answer = refuse(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
    pauses: list[int] = []

    def note(found: TaskEvent) -> None:
        if found.name == "retried":
            pauses.append(found.fields["seconds"])

    listen(note)
    try:
        assert deliver(body(event, "tried")) == 1
        assert deliver.again() == 0, "it is hidden"
        deliver.show()
        assert deliver.again() == 1
        deliver.show()
        assert deliver.again() == 0
    finally:
        unlisten(note)
    assert [27 <= pauses[0] <= 30, 54 <= pauses[1] <= 60] == [True, True]
    ((letter, said),) = dead_letters(cloud)
    assert json.loads(letter)["id"] == "tried"
    assert said["reason"] == "attempts_exhausted"
    assert said["attempts"] == "3"
    assert "throttled" in said["error"]
    assert len(ses.requests) == 3


def test_a_lost_answer_of_ses_is_a_dead_letter_and_not_a_second_mail(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    ses.answer = drop
    assert deliver(body(event, "lost")) == 0
    ((_, said),) = dead_letters(cloud)
    assert (said["reason"], "may have gone out" in said["error"]) == ("permanent", True)
    assert len(ses.requests) == 1


def test_a_lost_mail_leaves_again_when_a_person_sends_its_dead_letter_back_and_not_before(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    ses.answer = drop
    deliver(body(event, "lost"))
    ses.answer = accept
    # its sender sends it again, under the same id
    assert deliver(body(event, "lost")) == 0
    assert len(ses.requests) == 1
    assert DeadLetterQueue(config.current()).redrive() == 2
    assert deliver.again() == 0
    assert len(ses.requests) == 2
    assert dead_letters(cloud) == []


def test_over_smtp_a_mail_is_taken_or_lost_like_any_other(
    deliver: Deliver,
    event: MakeEvent,
    ses: FakeSes,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDMILL_TASK_EMAIL_SERVICE", "smtp")
    # the second mail's connection breaks after the final dot
    with ScriptedServer(FINAL=["250 taken", "drop"]) as scripted:
        server = {"host": "127.0.0.1", "port": scripted.address.port, "tls": "none"}
        cloud.secrets.put_secret_value(
            SecretId="mail", SecretString=json.dumps({**server, "username": "u", "password": "p"})
        )
        assert deliver(body(event, "taken"), body(event, "lost")) == 0
        assert deliver(body(event, "lost")) == 0
    assert len(scripted.bodies) == 2
    assert b"X-Sendmill-Campaign: task_" in scripted.bodies[0]
    assert b"Auto-Submitted: auto-generated" in scripted.bodies[0]
    assert [said["task_id"] for _, said in dead_letters(cloud)] == ["lost", "lost"]
    assert ses.requests == []


def test_a_body_of_scheduler_runs_once_for_each_of_its_times(
    deliver: Deliver, cloud: Cloud
) -> None:
    tick = {
        "task": "generate_report",
        "kwargs": {"title": "Daily", "formats": ["csv"], "rows": [{"a": 1}]},
        "schedule": "arn:aws:scheduler:us-east-1:123456789012:schedule/sendmill-dev-tasks/daily",
        "scheduled": "2026-11-23T03:00:00Z",
    }
    tomorrow = {**tick, "scheduled": "2026-11-24T03:00:00Z"}
    assert deliver(json.dumps(tick), json.dumps(tick), json.dumps(tomorrow)) == 0
    made = cloud.s3.list_objects_v2(Bucket=FILES, Prefix="exports/")["Contents"]
    assert len(made) == 2


def test_an_event_of_s3_runs_the_task_of_its_place_and_its_test_event_is_acknowledged(
    deliver: Deliver, event: MakeEvent, cloud: Cloud
) -> None:
    seen: list[str] = []
    from sendmill.tasks import task

    @task(name="contract.uploaded")
    def uploaded(bucket: str, key: str) -> None:
        seen.append(f"{bucket}/{key}")

    config.configure(s3_routes={"files/reports/": "contract.uploaded"})
    try:
        bodies = [
            json.dumps(event("s3_notification")),
            '{"Service": "Amazon S3", "Event": "s3:TestEvent"}',
        ]
        assert deliver(*bodies) == 0
    finally:
        registry.registry.forget("contract.uploaded")
    assert seen == ["files/reports/5/report.json"]
    assert dead_letters(cloud) == []


def test_no_line_of_the_log_holds_an_address_and_each_says_which_task(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, log: io.StringIO
) -> None:
    ses.answer = refuse(400, "MessageRejected", "Address is on a list: john@example.com")
    deliver(body(event, "refused"), body(event, "suppressed", email="no address"))
    text = log.getvalue()
    assert "@example.com" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    dead = [line for line in lines if line["message"].startswith("task_dead")]
    assert {line["task_id"] for line in dead} == {"refused", "suppressed"}


def test_the_table_says_what_became_of_each(
    deliver: Deliver, event: MakeEvent, ses: FakeSes, cloud: Cloud
) -> None:
    import time

    from sendmill.tasks.receipts.recent import RecentTasks

    deliver(body(event, "good"), body(event, "bad", template_name="none.html"))
    found = RecentTasks(cloud.dynamodb, TASKS).list(now=time.time())
    assert {(one.task_id, one.task, one.status, one.attempts) for one in found} == {
        ("good", "send_notification_email", "succeeded", 1),
        ("bad", "send_notification_email", "dead", 1),
    }


def test_a_handler_of_ones_own_is_written_registered_and_called(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, cloud: Cloud
) -> None:
    own = ModuleType("task_handlers")
    exec(OWN_HANDLERS, own.__dict__)
    monkeypatch.setitem(sys.modules, "task_handlers", own)
    try:
        deliver = request.getfixturevalue("deliver")
        config.configure(use_async=True)
        forget_clients()
        sent = sqs_client.send_task(task_name="custom_processing", payload={"data": "example"})
        assert (sent.mode, deliver.again()) == ("queued", 0)
        assert own.done == [{"data": "example"}]
    finally:
        registry.registry.forget("custom_processing")
