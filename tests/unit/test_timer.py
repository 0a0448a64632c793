"""A schedule fires once, at its time, with its body; asking twice is asking once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws

from sendmill.errors import QueueUnavailable
from sendmill.timer import ScheduleTimer

# 2026-09-21 14:13:20 in UTC
WHEN = 1_790_000_000
ROLE = "arn:aws:iam::123456789012:role/schedules"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:dispatch"


@pytest.fixture
def client(offline_aws: None) -> Any:
    return boto3.client("scheduler")


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as found:
        yield found
        found.assert_no_pending_responses()


def timer(client: Any) -> ScheduleTimer:
    return ScheduleTimer(client, group="campaigns", role_arn=ROLE, queue_arn=QUEUE)


def wanted(name: str) -> dict[str, Any]:
    return {
        "Name": name,
        "GroupName": "campaigns",
        "ScheduleExpression": "at(2026-09-21T14:13:20)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {"Arn": QUEUE, "RoleArn": ROLE, "Input": '{"op":"start"}'},
    }


def test_a_job_is_put_on_the_queue_at_its_time_in_utc(
    client: Any, stub: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    stub.add_response("create_schedule", {"ScheduleArn": "arn:aws:x"}, wanted(f"campaign_1-{WHEN}"))
    timer(client).at(WHEN, "campaign_1", '{"op":"start"}')


@pytest.mark.parametrize("length", [1, 53, 54, 64, 200])
def test_a_name_is_one_that_the_scheduler_takes(client: Any, stub: Stubber, length: int) -> None:
    name = f"{'c' * length}-{WHEN}"[-64:]
    assert len(name) <= 64
    stub.add_response("create_schedule", {"ScheduleArn": "arn:aws:x"}, wanted(name))
    timer(client).at(WHEN, "c" * length, '{"op":"start"}')


def test_one_that_stands_already_is_left_to_fire(client: Any, stub: Stubber) -> None:
    stub.add_client_error("create_schedule", "ConflictException")
    timer(client).at(WHEN, "campaign_1", "{}")


@pytest.mark.parametrize(
    "code",
    ["ValidationException", "ResourceNotFoundException", "ThrottlingException", "AccessDenied"],
)
def test_an_error_is_named(client: Any, stub: Stubber, code: str) -> None:
    stub.add_client_error("create_schedule", code, http_status_code=400)
    with pytest.raises(QueueUnavailable, match=f"scheduling: {code}"):
        timer(client).at(WHEN, "campaign_1", "{}")


def test_a_scheduler_that_is_away_is_named() -> None:
    class Away:
        def create_schedule(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    with pytest.raises(QueueUnavailable, match="scheduling: EndpointConnectionError"):
        timer(Away()).at(WHEN, "campaign_1", "{}")


def test_each_time_of_a_campaign_has_its_own_schedule(offline_aws: None) -> None:
    with mock_aws():
        client = boto3.client("scheduler")
        client.create_schedule_group(Name="campaigns")
        for when in (WHEN, WHEN, WHEN + 60):
            timer(client).at(when, "campaign_1", "{}")
        found = client.list_schedules(GroupName="campaigns")["Schedules"]
        assert sorted(one["Name"] for one in found) == [
            f"campaign_1-{WHEN}",
            f"campaign_1-{WHEN + 60}",
        ]
