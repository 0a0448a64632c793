"""Leaving a list with one click, from the mail's own headers, through the real API."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from integration.harness import eventually, send_list, until_over
from stack import ApiError, Stack

pytestmark = pytest.mark.integration
ONE_CLICK = b"List-Unsubscribe=One-Click"
URLENCODED = ("application/x-www-form-urlencoded", ONE_CLICK)
MULTIPART = (
    "multipart/form-data; boundary=AaB03x",
    b'--AaB03x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--AaB03x--\r\n",
)
# What an API Gateway hands over in base64, since it holds a byte that is no text.
BINARY = ("application/octet-stream", b"\xff\xfe" + ONE_CLICK)


def headers(mail: dict[str, Any]) -> dict[str, str]:
    return {one["name"].lower(): one["value"] for one in mail["headers"]}


def link(mail: dict[str, Any]) -> str:
    """Return the path of the link in a mail's header."""
    (found,) = re.findall(r"<(\S+)>", headers(mail)["list-unsubscribe"])
    return urlsplit(found).path


def mailed(stack: Stack, addresses: list[str], *, body: str = "Dear {{name}}") -> list[Any]:
    """Send a campaign to these; return the mails."""
    rows = "".join(f"{address},A\n" for address in addresses)
    campaign_id = send_list(stack, f"email,name\n{rows}", body=body)["campaign_id"]
    assert until_over(stack, campaign_id)["states"] == {"accepted": len(addresses)}
    return stack.delivered(campaign_id=campaign_id)


def reasons(stack: Stack, addresses: list[str]) -> dict[str, str]:
    """Send another campaign to these; return why each was left out, if so."""
    rows = "".join(f"{address},A\n" for address in addresses)
    campaign_id = send_list(stack, f"email,name\n{rows}")["campaign_id"]
    until_over(stack, campaign_id)
    found = stack.pages(f"/v1/campaigns/{campaign_id}/recipients")
    return {row["email"]: row["reason"] for row in found}


def post(stack: Stack, path: str, form: tuple[str, bytes] = URLENCODED) -> Any:
    kind, data = form
    return stack.request("POST", path, data, content_type=kind, token="")


def test_every_mail_carries_what_mailbox_providers_want(stack: Stack) -> None:
    (mail,) = mailed(stack, ["wanted@example.com"], body="Leave: {{ unsubscribe_url }}")
    found = headers(mail)
    assert found["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert found["list-id"] == "<noreply.example.com>"
    assert found["auto-submitted"] == "auto-generated"
    assert found["precedence"] == "bulk"
    assert mail["tags"]["ses:feedback-id-a"] == mail["tags"]["campaign_id"]
    (shown,) = (
        one
        for one in stack.mailbox("GET", "/messages?to=wanted@example.com&bodies=1")["messages"]
        if one["message_id"] == mail["message_id"]
    )
    assert f"<{shown['text'].strip().removeprefix('Leave: ')}>" == found["list-unsubscribe"]


@pytest.mark.parametrize(
    ("name", "form"), [("urlencoded", URLENCODED), ("multipart", MULTIPART), ("binary", BINARY)]
)
def test_one_click_unsubscribes_at_once(stack: Stack, name: str, form: tuple[str, bytes]) -> None:
    address = f"{name}@example.com"
    (mail,) = mailed(stack, [address])
    page = post(stack, link(mail), form)
    assert "You are unsubscribed" in page
    assert reasons(stack, [address]) == {address: "unsubscribed"}
    assert "You are unsubscribed" in post(stack, link(mail), form)


def test_looking_at_the_link_changes_nothing(stack: Stack) -> None:
    (mail,) = mailed(stack, ["looker@example.com"])
    for _ in range(3):
        assert '<form method="post">' in stack.request("GET", link(mail), token="")
    stack.request("HEAD", link(mail), token="")
    assert reasons(stack, ["looker@example.com"]) == {"looker@example.com": ""}


def test_a_forged_link_changes_nothing_and_tells_nothing(stack: Stack) -> None:
    (mail,) = mailed(stack, ["target@example.com"])
    path, _, token = link(mail).rpartition("/")
    answers = set()
    for forged in (f"{path}/{token[:-1]}", f"{path}/k1.forged", f"/u/x/{'a' * 26}/{token}"):
        with pytest.raises(ApiError) as refused:
            post(stack, forged)
        answers.add((refused.value.status, str(refused.value.problem)))
    assert len(answers) == 1
    assert reasons(stack, ["target@example.com"]) == {"target@example.com": ""}


def test_who_leaves_while_the_mail_is_queued_is_not_mailed(stack: Stack) -> None:
    (mail,) = mailed(stack, ["queued@example.com"])
    campaign_id = "queued_before_leaving"
    message = {
        "campaign_id": campaign_id,
        "subject": "Hello",
        "body": "Hello",
        "contact": {"email": "queued@example.com"},
        "config": {"from_email": "noreply@example.com"},
    }
    # on the queue now, seen by a worker in ten seconds
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["email_queue_url"],
        MessageBody=json.dumps(message),
        DelaySeconds=10,
    )
    post(stack, link(mail))
    rows = eventually(
        lambda: _recipients(stack, campaign_id), lambda rows: bool(rows), what="a row, settled"
    )
    assert [(row["state"], row["reason"]) for row in rows] == [("suppressed", "unsubscribed")]
    assert stack.delivered(campaign_id=campaign_id) == []


def _recipients(stack: Stack, campaign_id: str) -> list[dict[str, Any]]:
    """Return the rows of a campaign that may not be there yet, once they are settled."""
    try:
        rows = stack.pages(f"/v1/campaigns/{campaign_id}/recipients")
    except ApiError as error:
        assert error.status == 404
        return []
    return [row for row in rows if row["state"] not in ("pending", "sending")]


def test_the_list_is_imported_exported_and_lifted(stack: Stack) -> None:
    found = stack.request(
        "POST",
        "/v1/suppressions",
        b"email,reason\n=formula@example.com,\nlifted@example.com,bounced\nnobody,\n",
        content_type="text/csv",
    )
    assert (found["accepted"], found["rejected"]) == (2, 1)
    exported = stack.request("GET", "/v1/suppressions/export")
    rows = {row["email"]: row["reason"] for row in csv.DictReader(io.StringIO(exported))}
    assert rows["'=formula@example.com"] == "imported"
    assert rows["lifted@example.com"] == "bounced"
    assert reasons(stack, ["lifted@example.com"]) == {"lifted@example.com": "bounced"}
    (entry,) = (
        one for one in stack.pages("/v1/suppressions") if one["email"] == "lifted@example.com"
    )
    stack.request("DELETE", f"/v1/suppressions/{entry['address_hash']}")
    assert reasons(stack, ["lifted@example.com"]) == {"lifted@example.com": ""}
