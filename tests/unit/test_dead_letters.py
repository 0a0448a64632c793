"""Dead letters are looked at and stay; only a redrive moves them, only a name throws them away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from cloud import Cloud

from sendmill.dead_letters import DeadLetterQueue, Move
from sendmill.errors import QueueUnavailable, StateConflict

FULL = {
    "campaign_id": "spring",
    "subject": "Hello",
    "body": "Dear",
    "config": {"from_email": "noreply@example.com"},
    "contact": {"email": "ada@example.com", "first_name": "Ada"},
}
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/sendmill-test-bulk-email-dlq"
ARN = "arn:aws:sqs:us-east-1:123456789012:sendmill-test-bulk-email-dlq"
HANDLED = "handled three times without success: the worker's log says why"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in FULL.items() if key != name}


@pytest.fixture
def url(cloud: Cloud) -> str:
    return str(cloud.sqs.create_queue(QueueName=f"letters-{id(cloud)}")["QueueUrl"])


def letters_of(cloud: Cloud, url: str, *bodies: object, **changes: Any) -> DeadLetterQueue:
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        cloud.sqs.send_message(QueueUrl=url, MessageBody=text)
    # one process has no other servers to ask
    return DeadLetterQueue(cloud.sqs, url, **{"wait_seconds": 0, **changes})


def waiting(cloud: Cloud, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@pytest.mark.parametrize(
    ("body", "campaign_id", "reason"),
    [
        ("this is not JSON", "", "body must be JSON"),
        ("[]", "", "body must be a JSON object (got list)"),
        ("", "", "body must be JSON"),
        (without("campaign_id"), "", "campaign_id must be"),
        (without("contact"), "spring", "contact must be an object (got NoneType)"),
        ({**FULL, "contact": {"email": "nobody"}}, "spring", "contact must hold a valid address"),
        ({**FULL, "contact": {"first_name": "A"}}, "spring", "contact must hold a valid address"),
        ({**FULL, "config": {"email_service": "pigeon"}}, "spring", "email_service must be one of"),
        ({**FULL, "config": {}}, "spring", "config.from_email must be an address"),
        (FULL, "spring", HANDLED),
        ({"campaign_id": "spring", "contact": FULL["contact"]}, "spring", HANDLED),
    ],
)
def test_a_letter_says_why_nobody_could_act_on_it(
    cloud: Cloud, url: str, body: object, campaign_id: str, reason: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    if not text:
        text = " "
    (letter,) = letters_of(cloud, url, text).look(10)
    assert letter.campaign_id == campaign_id
    assert reason in letter.reason


def test_a_letter_is_read_with_the_sender_that_the_worker_has(cloud: Cloud, url: str) -> None:
    letters = letters_of(cloud, url, {**FULL, "config": {}}, default_from="noreply@example.com")
    assert letters.look(1)[0].reason == HANDLED


@pytest.mark.parametrize(
    "body",
    [
        {**FULL, "contact": {"email": "ada@@example.com"}},
        {**FULL, "campaign_id": "ada@example.com"},
        {**FULL, "config": {"from_email": "ada@example.com\n"}},
        {**FULL, "config": {"email_service": "ada@example.com"}},
        {**FULL, "campaign_name": ["ada@example.com"]},
    ],
)
def test_a_reason_shows_no_address(cloud: Cloud, url: str, body: object) -> None:
    (letter,) = letters_of(cloud, url, body).look(10)
    assert letter.reason != HANDLED
    assert "example.com" not in str(letter)


def test_a_letter_that_is_no_mail_says_what_its_worker_said(cloud: Cloud, url: str) -> None:
    said = {"reason": "permanent_failure", "error": "ValueError: ada@example.com is nobody"}
    cloud.sqs.send_message(
        QueueUrl=url,
        MessageBody="{}",
        MessageAttributes={
            name: {"DataType": "String", "StringValue": text} for name, text in said.items()
        },
    )
    letters = letters_of(cloud, url, "{}", mails=False).look(10)
    reasons = sorted(letter.reason for letter in letters)
    assert reasons[0] == HANDLED
    assert reasons[1].startswith("permanent_failure: ValueError: ")
    assert "ada" not in reasons[1]


def test_looking_leaves_every_letter_where_it_is(cloud: Cloud, url: str) -> None:
    letters = letters_of(cloud, url, *[{**FULL, "n": n} for n in range(25)])
    found = letters.look(100)
    assert len({letter.message_id for letter in found}) == 25
    assert waiting(cloud, url) == 25


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
def test_no_more_are_looked_at_than_asked_for(cloud: Cloud, url: str, limit: int) -> None:
    letters = letters_of(cloud, url, *[FULL] * 12)
    assert len(letters.look(limit)) == limit


def test_an_empty_queue_holds_no_letter(cloud: Cloud, url: str) -> None:
    assert letters_of(cloud, url).look(10) == []


class Sqs:
    """Hands out the same letters whatever is hidden: a look that takes too long."""

    def __init__(self, *sent: int) -> None:
        self.letters = [
            {
                "MessageId": f"m{n}",
                "Body": json.dumps(FULL),
                "Attributes": {
                    "SentTimestamp": str(at * 1000 + 999),
                    "ApproximateReceiveCount": "4",
                },
            }
            for n, at in enumerate(sent)
        ]
        self.calls = 0

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        self.calls += 1
        assert self.calls < 100
        assert asked["MaxNumberOfMessages"] <= 10
        return {"Messages": self.letters[:10]} if self.letters else {}


def test_letters_that_come_again_end_the_look() -> None:
    sqs = Sqs(1, 2, 3)
    assert len(DeadLetterQueue(sqs, URL).look(1000)) == 3  # type: ignore[arg-type]
    assert sqs.calls == 2


def test_a_look_asks_every_server() -> None:
    class Sampled(Sqs):
        """Say what SQS says to who does not wait: the sample of its servers held nothing."""

        def receive_message(self, **asked: Any) -> dict[str, Any]:
            return super().receive_message(**asked) if asked["WaitTimeSeconds"] else {}

    assert len(DeadLetterQueue(Sampled(1, 2, 3), URL).look(1000)) == 3  # type: ignore[arg-type]


def test_letters_come_oldest_first_with_their_age() -> None:
    sqs = Sqs(1_790_000_050, 1_790_000_000, 1_790_000_100)
    queue = DeadLetterQueue(sqs, URL, clock=lambda: 1_790_000_060.5)  # type: ignore[arg-type]
    found = queue.look(3)
    assert [letter.sent_at - 1_790_000_000 for letter in found] == [0, 50, 100]
    assert [letter.age_seconds for letter in found] == [60, 10, 0]
    assert {letter.receives for letter in found} == {4}


# Redrive: SQS's own message move


@pytest.fixture
def sqs(offline_aws: None) -> Any:
    return boto3.client("sqs")


@pytest.fixture
def stub(sqs: Any) -> Iterator[Stubber]:
    with Stubber(sqs) as found:
        yield found
        found.assert_no_pending_responses()


def answers(stub: Stubber, *tasks: dict[str, Any]) -> None:
    arn(stub)
    stub.add_response("list_message_move_tasks", {"Results": list(tasks)}, {"SourceArn": ARN})


def arn(stub: Stubber) -> None:
    asked = {"QueueUrl": URL, "AttributeNames": ["QueueArn"]}
    stub.add_response("get_queue_attributes", {"Attributes": {"QueueArn": ARN}}, asked)


def test_a_redrive_moves_every_letter_back_to_where_it_came_from(sqs: Any, stub: Stubber) -> None:
    arn(stub)
    # no destination: SQS knows the source of every letter
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, {"SourceArn": ARN})
    DeadLetterQueue(sqs, URL).redrive()


def test_what_a_worker_put_aside_goes_back_to_the_queue_it_is_told(sqs: Any, stub: Stubber) -> None:
    arn(stub)
    back = {"SourceArn": ARN, "DestinationArn": ARN.replace("-dlq", "-queue")}
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, back)
    DeadLetterQueue(sqs, URL, source_url=URL.replace("-dlq", "-queue")).redrive()


def test_a_redrive_while_one_runs_is_a_conflict(sqs: Any, stub: Stubber) -> None:
    arn(stub)
    stub.add_client_error("start_message_move_task", "UnsupportedOperation")
    answers(stub, {"Status": "RUNNING"})
    with pytest.raises(StateConflict, match="is running already"):
        DeadLetterQueue(sqs, URL).redrive()


def test_a_redrive_that_fails_for_another_reason_is_said_so(sqs: Any, stub: Stubber) -> None:
    arn(stub)
    stub.add_client_error("start_message_move_task", "AccessDenied", "no")
    answers(stub, {"Status": "COMPLETED"})
    with pytest.raises(QueueUnavailable, match="start_message_move_task.*AccessDenied"):
        DeadLetterQueue(sqs, URL).redrive()


def test_the_newest_redrive_says_how_far_it_is(sqs: Any, stub: Stubber) -> None:
    newest = {
        "Status": "RUNNING",
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 10,
    }
    answers(stub, newest, {"Status": "COMPLETED"})
    assert DeadLetterQueue(sqs, URL).newest_move() == Move(status="RUNNING", moved=3, to_move=10)


def test_a_redrive_that_has_just_begun_has_no_numbers_yet(sqs: Any, stub: Stubber) -> None:
    answers(stub, {"Status": "RUNNING"})
    assert DeadLetterQueue(sqs, URL).newest_move() == Move(status="RUNNING", moved=0, to_move=0)


def test_a_queue_that_was_never_redriven_says_so(sqs: Any, stub: Stubber) -> None:
    answers(stub)
    assert DeadLetterQueue(sqs, URL).newest_move() == Move(status="NONE", moved=0, to_move=0)


# Purge


def test_a_purge_with_the_queues_name_empties_it(cloud: Cloud, url: str) -> None:
    letters = letters_of(cloud, url, FULL, FULL)
    letters.purge(confirm=url.rpartition("/")[2])
    assert waiting(cloud, url) == 0


@pytest.mark.parametrize("confirm", ["", "yes", "letters", "/"])
def test_a_purge_without_the_name_throws_nothing_away(cloud: Cloud, url: str, confirm: str) -> None:
    letters = letters_of(cloud, url, FULL)
    with pytest.raises(StateConflict, match="confirm must be the queue's name, letters-"):
        letters.purge(confirm=confirm)
    assert waiting(cloud, url) == 1


def test_a_queue_that_is_away_is_said_so() -> None:
    class Away:
        def receive_message(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    with pytest.raises(QueueUnavailable, match="receive_message: EndpointConnectionError"):
        DeadLetterQueue(Away(), URL).look(1)  # type: ignore[arg-type]
