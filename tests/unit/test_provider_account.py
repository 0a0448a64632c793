"""What SES says of the account is read as it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from sendmill.errors import RetryableError, StoreUnavailable
from sendmill.provider.account import ask_account
from sendmill.rate import Account

QUOTA = {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 120.0}
HEALTHY = {
    "SendQuota": QUOTA,
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
}


@pytest.fixture
def client(offline_aws: None) -> Any:
    return boto3.client("sesv2")


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as found:
        yield found


@pytest.mark.parametrize(
    ("said", "account"),
    [
        ({}, {}),
        ({"ProductionAccessEnabled": False}, {"production": False}),
        ({"EnforcementStatus": "PROBATION"}, {"enforcement": "PROBATION"}),
        (
            {"EnforcementStatus": "SHUTDOWN", "SendingEnabled": False},
            {"enforcement": "SHUTDOWN", "stopped": "account_suspended"},
        ),
        ({"SendingEnabled": False}, {"stopped": "sending_paused"}),
        ({"SendQuota": {**QUOTA, "Max24HourSend": -1.0}}, {"daily_quota": -1.0}),
        ({"SendQuota": {**QUOTA, "MaxSendRate": 0.0}}, {"max_rate": 1.0}),
        (
            {"SendQuota": {}},
            {"max_rate": 1.0, "daily_quota": -1.0, "sent_today": 0.0},
        ),
    ],
)
def test_quota_rate_and_standing_are_read(
    client: Any, stub: Stubber, said: dict[str, Any], account: dict[str, Any]
) -> None:
    stub.add_response("get_account", {**HEALTHY, **said}, {})
    plain = {"max_rate": 14.0, "daily_quota": 50_000.0, "sent_today": 120.0}
    assert ask_account(client) == Account(**{**plain, **account})


@pytest.mark.parametrize("code", ["TooManyRequestsException", "AccessDeniedException"])
def test_an_answer_that_is_none_is_said_so(client: Any, stub: Stubber, code: str) -> None:
    stub.add_client_error("get_account", code, http_status_code=400)
    with pytest.raises(StoreUnavailable, match="asking SES for the account"):
        ask_account(client)


def test_ses_that_is_away_may_be_asked_again() -> None:
    class Away:
        def get_account(self) -> None:
            raise ConnectTimeoutError(endpoint_url="http://127.0.0.1:9")

    with pytest.raises(RetryableError, match="ConnectTimeoutError"):
        ask_account(Away())  # type: ignore[arg-type]
