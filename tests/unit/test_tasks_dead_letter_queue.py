"""Dead letters are seen, sent back under their own id, or thrown away; the doctor counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cloud import REGION, Cloud

from sendmill.errors import NotFound, QueueUnavailable
from sendmill.tasks.__main__ import main
from sendmill.tasks.clients import client, forget_clients
from sendmill.tasks.config import TaskConfig, override
from sendmill.tasks.dead_letter_queue import DeadLetterQueue
from sendmill.tasks.doctor import examine
from sendmill.tasks.errors import UnknownQueue


@pytest.fixture
def queues(cloud: Cloud) -> Iterator[TaskConfig]:
    forget_clients()
    made = {name: cloud.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("t", "t-dlq")}
    settings = {"queues": {"default": made["t"]}, "region": REGION, "use_async": True}
    with override(**settings, dead_letter_queues={"default": made["t-dlq"]}) as found:
        yield found
    forget_clients()


def bury(cloud: Cloud, config: TaskConfig, task_id: str, **attributes: str) -> None:
    body = json.dumps({"v": 1, "id": task_id, "task": "resize", "kwargs": {}})
    said = {name: {"DataType": "String", "StringValue": v} for name, v in attributes.items()}
    url = config.dead_letter_queues["default"]
    cloud.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=said)


def count(cloud: Cloud, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_a_look_shows_who_and_why_and_takes_nothing(cloud: Cloud, queues: TaskConfig) -> None:
    bury(cloud, queues, "b", reason="permanent", error="no", failed_at="2026-11-23T02:00:00Z")
    bury(cloud, queues, "a", failed_at="2026-11-23T01:00:00Z")
    letters = DeadLetterQueue(queues, wait_seconds=0)
    for _ in range(2):  # a second look sees the same: the first hid nothing
        found = [(one.task_id, one.task, one.reason, one.error) for one in letters.look()]
        assert found == [
            ("a", "resize", "received_too_often", ""),
            ("b", "resize", "permanent", "no"),
        ]
    assert letters.find("b").body.startswith('{"v": 1, "id": "b"')


def test_a_look_asks_every_server(cloud: Cloud, queues: TaskConfig) -> None:
    """Who does not wait is told of some servers alone, and of no letter where there is one."""
    asked: list[int] = []
    sqs = client("sqs", REGION)
    sqs.meta.events.register(
        "provide-client-params.sqs.ReceiveMessage",
        lambda params, **_: asked.append(params["WaitTimeSeconds"]),
    )
    bury(cloud, queues, "a")
    assert len(DeadLetterQueue(queues).look(limit=1)) == 1
    assert asked == [1]


def test_one_letter_is_sent_back_and_the_others_stay(cloud: Cloud, queues: TaskConfig) -> None:
    for task_id in ("a", "b", "c"):
        bury(cloud, queues, task_id)
    letters = DeadLetterQueue(queues, wait_seconds=0)
    assert letters.redrive("b") == 1
    (message,) = cloud.sqs.receive_message(QueueUrl=queues.queues["default"])["Messages"]
    assert json.loads(message["Body"])["id"] == "b"
    assert {one.task_id for one in letters.look()} == {"a", "c"}
    assert letters.redrive() == 2
    assert letters.look() == []
    for lost in (lambda: letters.redrive("b"), lambda: letters.find("b")):
        with pytest.raises(NotFound):
            lost()


def test_a_queue_without_one_or_away_is_said(cloud: Cloud, queues: TaskConfig) -> None:
    with pytest.raises(UnknownQueue, match="known: default"):
        DeadLetterQueue(queues, "mail")
    cloud.sqs.delete_queue(QueueUrl=queues.dead_letter_queues["default"])
    with pytest.raises(QueueUnavailable):
        DeadLetterQueue(queues).look()


def test_the_verbs_of_the_command(
    cloud: Cloud, queues: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(cloud, queues, "a", reason="permanent", error="no")
    assert main(["dlq", "list"]) == 0
    assert "\ta\tresize\tpermanent\tno" in capsys.readouterr().out
    assert main(["dlq", "redrive"]) == 2
    assert main(["dlq", "redrive", "--yes"]) == 0
    assert count(cloud, queues.queues["default"]) == 1
    bury(cloud, queues, "b")
    assert main(["dlq", "purge", "--yes"]) == 0
    assert count(cloud, queues.dead_letter_queues["default"]) == 0
    # without a redrive policy a message that crashes its worker comes for ever
    assert main(["doctor"]) == 1
    assert "no redrive policy" in capsys.readouterr().out


def test_the_doctor_asks_for_what_is_not_configured() -> None:
    found = [(one.level, one.text.partition(":")[0]) for one in examine(TaskConfig())]
    assert ("error", "no queue is configured") in found
    assert ("warning", "USE_ASYNC_TASKS is off") in found
    assert ("warning", "no shared receipts") in found
