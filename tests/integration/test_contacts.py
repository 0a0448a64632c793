"""Contacts, templates and erasure through the deployed stack."""

from __future__ import annotations

import json

import pytest

from integration.harness import until_over
from stack import ApiError, Stack

pytestmark = pytest.mark.integration

PEOPLE = b"email,name\n%s@example.com,First\nstays@example.com,Stays\n"


def test_a_campaign_of_a_template_reads_the_list_as_it_is_when_it_starts(stack: Stack) -> None:
    made = stack.request(
        "POST", "/v1/contact-lists?name=t", PEOPLE % b"reads", content_type="text/csv"
    )
    at = f"/v1/contact-lists/{made['list_id']}/contacts"
    template = stack.request(
        "POST",
        "/v1/templates",
        {
            "name": "Letter",
            "subject": "Hello {{ name }}",
            "body": "<p>Dear {{ name }} of {{ town }}</p>",
            "text": "Dear {{ name }} of {{ town }}",
            "defaults": {"town": "your town"},
        },
    )
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Letter",
            "list_id": made["list_id"],
            "template_id": template["template_id"],
            "config": {"from_email": "noreply@example.com"},
        },
    )
    # a draft sees what is changed before it starts
    stack.request("PATCH", f"{at}/0-2", {"fields": {"name": "Changed", "town": "Rome"}})
    stack.request("POST", at, {"email": "added@example.com", "fields": {"name": "Added"}})
    stack.request("POST", f"/v1/campaigns/{campaign['campaign_id']}/start")
    over = until_over(stack, campaign["campaign_id"])
    assert over["states"] == {"accepted": 3}
    mails = stack.delivered(campaign_id=campaign["campaign_id"])
    subjects = {mail["to"][0]: mail["subject"] for mail in mails}
    assert subjects == {
        "reads@example.com": "Hello Changed",
        "stays@example.com": "Hello Stays",
        "added@example.com": "Hello Added",
    }
    added = next(mail for mail in mails if mail["to"] == ["added@example.com"])
    assert "Dear Added of your town" in stack.mailbox("GET", f"/messages/{added['message_id']}")


def test_a_bomb_of_a_template_is_refused_and_the_api_answers_on(stack: Stack) -> None:
    bomb = {"name": "Bomb", "subject": "x", "body": "{{ a" + "==a" * 32_000 + " }}"}
    with pytest.raises(ApiError) as refused:
        stack.request("POST", "/v1/templates", bomb)
    assert refused.value.status == 400
    assert "make it simpler" in refused.value.problem["detail"]
    assert stack.request("GET", "/v1/me")["subject"]


def test_whoever_is_erased_stands_in_no_table_and_no_version_of_any_object(stack: Stack) -> None:
    made = stack.request(
        "POST", "/v1/contact-lists?name=e", PEOPLE % b"erase-me", content_type="text/csv"
    )
    stack.request(
        "PATCH", f"/v1/contact-lists/{made['list_id']}/contacts/0-3", {"fields": {"name": "S"}}
    )
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Last",
            "list_id": made["list_id"],
            "subject": "Hello",
            "body": "Dear {{ name }}",
            "config": {"from_email": "noreply@example.com"},
        },
    )
    stack.request("POST", f"/v1/campaigns/{campaign['campaign_id']}/start")
    assert until_over(stack, campaign["campaign_id"])["states"]["accepted"] == 2
    stack.request("POST", "/v1/suppressions", {"email": "erase-me@example.com"})
    body = {"email": "erase-me@example.com", "confirm": "erase-me@example.com"}
    while True:
        found = stack.request("POST", "/v1/contacts/erase", body)
        if found["complete"]:
            break
        body["cursor"] = found["cursor"]
    dynamodb, s3 = stack.client("dynamodb"), stack.client("s3")
    for table in ("campaigns_table", "recipients_table"):
        pages = dynamodb.get_paginator("scan").paginate(TableName=stack.outputs[table])
        items = [item for page in pages for item in page["Items"]]
        kept = [item for item in items if not item["pk"]["S"].startswith("IDEM#")]
        assert "erase-me@" not in json.dumps(kept)
    bucket = stack.outputs["contacts_bucket"]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    for version in (one for page in pages for one in page.get("Versions", [])):
        found = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        assert b"erase-me@" not in found["Body"].read().lower(), version["Key"]
    left = stack.request("GET", f"/v1/contact-lists/{made['list_id']}/contacts")["items"]
    assert [one["email"] for one in left] == ["stays@example.com"]
    rows = stack.pages(f"/v1/campaigns/{campaign['campaign_id']}/recipients")
    assert sorted(row["email"] for row in rows) == ["", "stays@example.com"]
    stack.request("DELETE", f"/v1/contact-lists/{made['list_id']}")
    with pytest.raises(ApiError) as refused:
        stack.request("GET", f"/v1/contact-lists/{made['list_id']}")
    assert refused.value.status == 404
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"lists/{made['list_id']}/")
    assert not listed.get("Contents")
