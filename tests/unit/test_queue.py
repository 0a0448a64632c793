"""Every message is known to be on the queue, or an error says how many are not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sendmill.errors import QueueUnavailable
from sendmill.queue import QueueClient

THROTTLED = {"Code": "ThrottlingException", "SenderFault": False}
INVALID = {"Code": "InvalidMessageContents", "SenderFault": True}


class FakeSqs:
    """Takes batches as SQS does; ``script`` says of a body how often it is refused, and how."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, str]]] = []
        self.taken: list[str] = []
        self.script: dict[str, list[dict[str, Any] | None]] = {}
        self.errors: list[Exception] = []
        self.visibility: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:  # noqa: N803
        with self._lock:
            self.calls.append(Entries)
            if self.errors:
                raise self.errors.pop(0)
            answer: dict[str, list[dict[str, Any]]] = {}
            for entry in Entries:
                script = self.script.get(entry["MessageBody"])
                if not script:
                    self.taken.append(entry["MessageBody"])
                    answer.setdefault("Successful", []).append({"Id": entry["Id"]})
                    continue
                failure = script.pop(0)
                if failure is not None:
                    answer.setdefault("Failed", []).append({"Id": entry["Id"], **failure})
            return answer

    def change_message_visibility(self, **asked: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.visibility.append(asked)


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs()


@pytest.fixture
def queue(sqs: FakeSqs) -> QueueClient:
    return QueueClient(
        sqs,  # type: ignore[arg-type]
        dispatch_url="dispatch",
        email_url="email",
        sleep=lambda _: None,
    )


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (95, [10] * 9 + [5])]
)
def test_messages_go_in_batches_of_ten(
    queue: QueueClient, sqs: FakeSqs, count: int, sizes: list[int]
) -> None:
    bodies = [f"body {n}" for n in range(count)]
    queue.send_mails(bodies, group="spring")
    assert sorted((len(call) for call in sqs.calls), reverse=True) == sizes
    assert sorted(sqs.taken) == sorted(bodies)
    for call in sqs.calls:
        assert len({entry["Id"] for entry in call}) == len(call)


def test_a_batch_stays_below_what_sqs_takes_in_bytes(queue: QueueClient, sqs: FakeSqs) -> None:
    bodies = ["\u00e9" * 50_000 + str(n) for n in range(6)]
    queue.send_mails(bodies, group="spring")
    for call in sqs.calls:
        assert sum(len(entry["MessageBody"].encode()) for entry in call) <= 256 * 1024
    assert sorted(sqs.taken) == sorted(bodies)


def test_a_partial_failure_is_sent_again_alone(queue: QueueClient, sqs: FakeSqs) -> None:
    sqs.script["b"] = [THROTTLED, THROTTLED]
    queue.send_jobs(["a", "b", "c"])
    assert [[entry["MessageBody"] for entry in call] for call in sqs.calls] == [
        ["a", "b", "c"],
        ["b"],
        ["b"],
    ]
    assert sorted(sqs.taken) == ["a", "b", "c"]


def test_a_message_that_the_answer_does_not_mention_is_sent_again(
    queue: QueueClient, sqs: FakeSqs
) -> None:
    sqs.script["b"] = [None]
    queue.send_jobs(["a", "b"])
    assert sorted(sqs.taken) == ["a", "b"]


def test_a_message_that_is_never_taken_is_an_error_with_numbers(
    queue: QueueClient, sqs: FakeSqs
) -> None:
    sqs.script["b"] = [THROTTLED] * 50
    with pytest.raises(QueueUnavailable, match=r"1 of 3 messages .*ThrottlingException"):
        queue.send_jobs(["a", "b", "c"])
    assert len(sqs.calls) == 5


def test_our_own_fault_is_not_tried_again(queue: QueueClient, sqs: FakeSqs) -> None:
    sqs.script["b"] = [INVALID] * 50
    with pytest.raises(QueueUnavailable, match="1 of 2 .*InvalidMessageContents"):
        queue.send_jobs(["a", "b"])
    assert len(sqs.calls) == 1


def test_an_outage_is_waited_for(queue: QueueClient, sqs: FakeSqs) -> None:
    sqs.errors = [
        EndpointConnectionError(endpoint_url="x"),
        ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessageBatch"),
    ]
    queue.send_jobs(["a"])
    assert sqs.taken == ["a"]


def test_an_outage_without_end_is_an_error(queue: QueueClient, sqs: FakeSqs) -> None:
    sqs.errors = [EndpointConnectionError(endpoint_url="x")] * 50
    with pytest.raises(QueueUnavailable, match=r"1 of 1 .*EndpointConnectionError"):
        queue.send_jobs(["a"])


def test_an_error_in_any_of_many_batches_is_not_lost(queue: QueueClient, sqs: FakeSqs) -> None:
    sqs.script["body 57"] = [INVALID]
    with pytest.raises(QueueUnavailable):
        queue.send_mails([f"body {n}" for n in range(80)], group="spring")


@pytest.mark.parametrize(("fair", "groups"), [(True, {"spring"}), (False, {None})])
def test_only_a_fair_queue_gets_groups(sqs: FakeSqs, fair: bool, groups: set[str | None]) -> None:
    queue = QueueClient(sqs, email_url="email", fair=fair)  # type: ignore[arg-type]
    queue.send_mails(["a", "b"], group="spring")
    assert {entry.get("MessageGroupId") for entry in sqs.calls[0]} == groups


def test_a_message_is_given_back_for_a_while(queue: QueueClient, sqs: FakeSqs) -> None:
    queue.return_mail("handle", after_seconds=30)
    assert sqs.visibility == [
        {"QueueUrl": "email", "ReceiptHandle": "handle", "VisibilityTimeout": 30}
    ]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ReceiptHandleIsInvalid"}}, "ChangeMessageVisibility"),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_a_message_that_cannot_be_given_back_is_an_error_of_ours(
    queue: QueueClient, sqs: FakeSqs, error: Exception
) -> None:
    sqs.errors = [error]
    with pytest.raises(QueueUnavailable, match="returning a message"):
        queue.return_mail("handle", after_seconds=30)
