"""A campaign leaves the API, crosses real SQS and Lambda, and arrives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from integration.harness import ROOT, eventually, run, send_list, until_over
from stack import ApiError, Stack

pytestmark = pytest.mark.integration


def test_every_row_of_the_file_is_accounted_for(stack: Stack) -> None:
    contacts = (ROOT / "scripts/demo/contacts.csv").read_bytes()
    found = stack.request("POST", "/v1/contact-lists?name=demo", contacts, content_type="text/csv")
    assert [row["line"] for row in found["rejected_rows"]] == [42, 89, 135, 192, 235, 303, 358, 413]
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Monthly Newsletter",
            "list_id": found["list_id"],
            "subject": "Hello {{first_name}}!",
            "body": "<p>Dear {{first_name}} of {{company}}</p>",
            "config": {"from_email": "noreply@example.com"},
        },
    )
    campaign_id = campaign["campaign_id"]
    stack.request("POST", f"/v1/campaigns/{campaign_id}/start")
    over = until_over(stack, campaign_id)

    assert over["status"] == "complete"
    assert over["states"] == {"accepted": 492}
    assert sum(over["states"].values()) + sum(over["rejected"].values()) == over["rows"] == 500
    mails = Counter(mail["to"][0] for mail in stack.delivered(campaign_id=campaign_id))
    recipients = stack.pages(f"/v1/campaigns/{campaign_id}/recipients?state=accepted")
    assert mails == Counter(row["email"] for row in recipients)
    assert set(mails.values()) == {1}


def test_starting_twice_mails_once(stack: Stack) -> None:
    campaign = send_list(stack, "email,name\nann@example.com,Ann\nbob@example.com,Bob\n")
    stack.request("POST", f"/v1/campaigns/{campaign['campaign_id']}/start")
    over = until_over(stack, campaign["campaign_id"])
    assert over["states"] == {"accepted": 2}
    assert len(stack.delivered(campaign_id=campaign["campaign_id"])) == 2


def test_a_row_that_lacks_a_field_refuses_the_campaign_by_its_line_and_mails_nobody(
    stack: Stack,
) -> None:
    rows = "".join(f"row{n}@example.com,N{n},{'' if n == 700 else 'x'}\n" for n in range(1200))
    body = "Dear {{ name }} {% if nick == '' %}{{ missing }}{% endif %}"
    campaign = send_list(stack, f"email,name,nick\n{rows}", body=body)
    over = until_over(stack, campaign["campaign_id"])
    assert over["status"] == "refused"
    assert over["reason"] == "line 702 of the list: body: 'missing' is undefined"
    assert stack.delivered(campaign_id=campaign["campaign_id"]) == []
    assert stack.pages(f"/v1/campaigns/{campaign['campaign_id']}/recipients") == []


def test_pause_keeps_the_rest_waiting_and_resume_sends_it_once(mailbox: Stack) -> None:
    # four local workers with ten mails each in flight: 20 mails a second, however fast the machine
    mailbox.mailbox("PUT", "/faults", [{"action": "latency_ms", "milliseconds": 2000}])
    rows = "".join(f"pause{n}@example.com,P{n}\n" for n in range(300))
    campaign_id = send_list(mailbox, f"email,name\n{rows}")["campaign_id"]
    eventually(
        lambda: mailbox.request("GET", f"/v1/campaigns/{campaign_id}")["states"],
        lambda states: states.get("accepted", 0) >= 10,
        what="some mails accepted",
    )
    paused = mailbox.request("POST", f"/v1/campaigns/{campaign_id}/pause")
    assert paused["status"] == "paused"
    mailbox.mailbox("DELETE", "/faults")
    settled = eventually(
        lambda: mailbox.request("GET", f"/v1/campaigns/{campaign_id}")["states"],
        lambda states: not states.get("sending"),
        what="nothing being sent",
    )
    assert settled.get("pending", 0) > 0
    resumed = mailbox.request("POST", f"/v1/campaigns/{campaign_id}/resume")
    assert resumed["status"] == "running"
    over = until_over(mailbox, campaign_id)
    assert over["states"] == {"accepted": 300}
    mails = Counter(mail["to"][0] for mail in mailbox.delivered(campaign_id=campaign_id))
    assert len(mails) == 300
    assert set(mails.values()) == {1}


def test_what_is_wrong_is_named(stack: Stack) -> None:
    with pytest.raises(ApiError) as refused:
        stack.request("GET", "/v1/campaigns/campaign_none")
    assert refused.value.status == 404
    with pytest.raises(ApiError) as refused:
        stack.request("POST", "/v1/contact-lists", b"name\nAnn\n", content_type="text/csv")
    assert refused.value.problem["detail"] == "line 1: one column must be named email (got name)"
    with pytest.raises(ApiError) as refused:
        stack.request("POST", "/v1/campaigns", {"name": "x", "subject": "s"})
    assert refused.value.status == 400
    assert refused.value.problem["detail"].startswith("body must be a template")


def test_a_second_deploy_changes_nothing(stack: Stack, emulator_port: int) -> None:
    run("scripts/build.sh", "local", port=emulator_port)
    assert "No changes." in run("scripts/terraform.sh", "plan", port=emulator_port)


def test_the_demo_list_is_the_one_that_is_shipped() -> None:
    rows = Path(ROOT / "scripts/demo/contacts.csv").read_text(encoding="utf-8")
    assert "Bcc: everybody@example.com" in rows
