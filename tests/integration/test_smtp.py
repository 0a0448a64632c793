"""Mails over SMTP: a real server on loopback that demands STARTTLS and AUTH."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.harness import draft_campaign, eventually
from integration.test_queue_messages import message, put, states
from smtp_server import SmtpServer
from stack import ApiError, Stack

pytestmark = pytest.mark.integration

USER, PASSWORD = "mailer", "canary-password-8d1f"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmtpServer]:
    with SmtpServer(user=USER, password=PASSWORD, folder=tmp_path) as found:
        yield found


def secret(server: SmtpServer, password: str = PASSWORD) -> str:
    return json.dumps(
        {
            "host": "127.0.0.1",
            "port": server.port,
            "username": USER,
            "password": password,
            "ca_certificate": server.authority.read_text(),
        }
    )


def set_secret(stack: Stack, name: str, value: str) -> None:
    """Put a value into a secret; one that no test has used before, since workers keep them."""
    manager = stack.client("secretsmanager")
    with contextlib.suppress(manager.exceptions.ResourceExistsException):
        manager.create_secret(Name=name)
    manager.put_secret_value(SecretId=name, SecretString=value)


def smtp_message(campaign_id: str, email: str, secret_name: str) -> str:
    return message(campaign_id, email, email_service="smtp", aws_secret_name=secret_name)


def campaign_of(stack: Stack, campaign_id: str) -> dict[str, Any]:
    """Return a campaign, or an empty one while its first message is on its way."""
    try:
        found: dict[str, Any] = stack.request("GET", f"/v1/campaigns/{campaign_id}")
    except ApiError as error:
        assert error.status == 404
        return {"status": "", "states": {}}
    return found


def test_a_mail_over_smtp_arrives_with_credentials_from_the_secret_alone(
    stack: Stack, server: SmtpServer
) -> None:
    name = stack.outputs["mail_secret_name"]
    assert name == "email-api-credentials"
    set_secret(stack, name, secret(server))
    put(stack, *(smtp_message("campaign_smtp", f"smtp{n}@example.com", name) for n in range(8)))
    mails = eventually(lambda: server.mails, lambda found: len(found) == 8, what="8 mails")
    eventually(
        lambda: states(stack, "campaign_smtp"),
        lambda found: found == {"accepted": 8},
        what="all accepted",
    )
    assert {mail.user for mail in mails} == {USER}
    assert sorted(mail.recipients[0] for mail in mails) == [
        f"smtp{n}@example.com" for n in range(8)
    ]
    parsed = email.message_from_bytes(mails[0].data, policy=email.policy.default)
    assert parsed["Subject"] == "Hello John!"
    assert "Dear John Doe, ..." in parsed.get_content()

    # the API reads the same secret for a test send, before anybody is mailed
    campaign = draft_campaign(
        stack, "email,name\nann@example.com,Ann\n", config={"email_service": "smtp"}
    )
    at = f"/v1/campaigns/{campaign['campaign_id']}/test"
    answer = stack.request("POST", at, {"to": ["officer@example.com"]})
    assert [one["to"] for one in answer["sent"]] == ["officer@example.com"]
    assert answer["failed"] == []
    (last,) = server.mails[8:]
    assert (last.user, last.recipients) == (USER, ("officer@example.com",))
    assert email.message_from_bytes(last.data)["Subject"].startswith("[Test] ")


def test_a_wrong_password_fails_nobody_and_stops_the_campaign_with_the_reason(
    stack: Stack, server: SmtpServer
) -> None:
    name = "wrong-credentials"
    set_secret(stack, name, secret(server, password="wrong"))
    put(stack, *(smtp_message("campaign_wrong", f"w{n}@example.com", name) for n in range(5)))
    campaign = eventually(
        lambda: campaign_of(stack, "campaign_wrong"),
        lambda found: (
            found["status"] == "paused"
            and found["total"] == 5
            and not found["states"].get("sending")
        ),
        what="the campaign is paused",
    )
    assert campaign["reason"] == "credentials_rejected"
    assert sum(campaign["states"].values()) == campaign["total"] == 5
    assert set(campaign["states"]) <= {"pending", "retry"}
    assert server.mails == []

    set_secret(stack, name, secret(server))
    stack.request("POST", "/v1/campaigns/campaign_wrong/resume")
    eventually(
        lambda: states(stack, "campaign_wrong"),
        lambda found: found == {"accepted": 5},
        what="everybody mailed after the resume",
    )
    assert sorted(mail.recipients[0] for mail in server.mails) == [
        f"w{n}@example.com" for n in range(5)
    ]


def test_a_secret_that_lacks_the_password_stops_the_campaign_and_says_so(stack: Stack) -> None:
    set_secret(stack, "half-a-secret", '{"host": "127.0.0.1"}')
    put(stack, smtp_message("campaign_half", "n@example.com", "half-a-secret"))
    campaign = eventually(
        lambda: campaign_of(stack, "campaign_half"),
        lambda found: found["status"] == "paused",
        what="the campaign is paused",
    )
    assert campaign["reason"] == "secret_invalid"
