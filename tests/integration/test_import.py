"""A file of contacts goes straight to S3, becomes a list, and the list is mailed."""

from __future__ import annotations

import csv
import io
import json
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest

from integration.harness import eventually, until_over
from stack import ApiError, Stack

pytestmark = pytest.mark.integration

PATH = "/v1/contact-lists/imports"
ROWS = 1200
DATA = (
    "Kontakt;Vorname;Notiz\r\n"
    + "".join(f"import{n}@example.com;Zo\u00eb {n};x\r\n" for n in range(ROWS))
    + 'nobody;"Bob\r\nBcc: eve@example.com";y\r\n'
    + "IMPORT7@example.com;Ada;z\r\n"
).encode("utf-16")


def put(ticket: dict[str, Any], data: bytes) -> int:
    """Send a file where the ticket says, as a program without a token does."""
    request = urllib.request.Request(
        ticket["upload"]["url"],
        data=data,
        method=ticket["upload"]["method"],
        headers={"Content-Type": "text/csv"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def until_imported(stack: Stack, import_id: str) -> dict[str, Any]:
    return eventually(
        lambda: stack.request("GET", f"{PATH}/{import_id}"),
        lambda found: found["status"] in ("done", "failed"),
        seconds=120,
        what="the import over",
    )


def test_an_upload_becomes_a_list_that_is_mailed(stack: Stack) -> None:
    made = stack.request("POST", PATH, {"name": "Members", "size": len(DATA)})
    at = f"{PATH}/{made['import_id']}"
    assert stack.request("GET", at)["status"] == "awaiting_upload"
    assert put(made, DATA + b"more") == 403  # not the bytes that were announced
    assert put(made, DATA) == 200
    preview = stack.request("GET", f"{at}/preview")
    assert (preview["delimiter"], preview["encoding"]) == (";", "utf-16-le")
    assert preview["suggested_mapping"]["Kontakt"] == "email"
    mapping = {"Kontakt": "email", "Vorname": "first_name", "Notiz": None}
    stack.request("POST", f"{at}/start", {"mapping": mapping})
    over = until_imported(stack, made["import_id"])
    assert (over["status"], over["rows"], over["accepted"]) == ("done", ROWS + 2, ROWS)
    assert over["rejected"] == {"invalid": 1, "duplicate": 1}
    assert over["bytes_read"] == len(DATA)

    text = stack.request("GET", f"/v1/contact-lists/{made['list_id']}/rejected")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0] for row in rows] == ["line", f"{ROWS + 2}", f"{ROWS + 4}"]
    assert rows[2][1] == "address is the same as in line 9"

    more = b"email,first_name\nimport5@example.com,again\nlater@example.com,Later\n"
    added = stack.request("POST", PATH, {"list_id": made["list_id"], "size": len(more)})
    assert put(added, more) == 200
    stack.request("POST", f"{PATH}/{added['import_id']}/start", {})
    assert until_imported(stack, added["import_id"])["accepted"] == 1
    text = stack.request("GET", f"/v1/contact-lists/{made['list_id']}/rejected")
    assert text.splitlines() == ["line,reason", "2,address is in the list already"]

    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "To imported members",
            "list_id": made["list_id"],
            "subject": "Hello {{first_name}}",
            "body": "Dear {{first_name}}",
            "config": {"from_email": "noreply@example.com"},
        },
    )
    stack.request("POST", f"/v1/campaigns/{campaign['campaign_id']}/start")
    sent = until_over(stack, campaign["campaign_id"], seconds=180)
    assert (sent["status"], sent["states"]) == ("complete", {"accepted": ROWS + 1})
    assert sum(sent["states"].values()) + sum(sent["rejected"].values()) == sent["rows"]
    mails = Counter(mail["to"][0] for mail in stack.delivered(campaign_id=campaign["campaign_id"]))
    expected = ["later@example.com", *(f"import{n}@example.com" for n in range(ROWS))]
    assert mails == Counter(expected)


def test_nothing_is_left_of_an_upload_and_no_log_named_anybody(stack: Stack) -> None:
    data = b"email\nleft@example.com\nnobody\n"
    made = stack.request("POST", PATH, {"name": "x", "size": len(data), "all_or_nothing": True})
    assert put(made, data) == 200
    stack.request("POST", f"{PATH}/{made['import_id']}/start", {})
    assert until_imported(stack, made["import_id"])["status"] == "failed"
    bucket = stack.outputs["contacts_bucket"]

    def left() -> list[Any]:
        found = stack.client("s3").list_object_versions(
            Bucket=bucket, Prefix=f"uploads/{made['import_id']}/"
        )
        return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]

    # the import is marked before its upload is deleted
    eventually(left, lambda found: not found, seconds=60, what="the upload deleted")
    with pytest.raises(ApiError) as refused:
        stack.request("GET", f"/v1/contact-lists/{made['list_id']}")
    assert refused.value.status == 404
    group = stack.outputs["log_group_names"]["import_contacts"]
    events = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [json.loads(one["message"]) for one in events if one["message"].startswith("{")]
    assert "import_run" in {line.get("message") for line in lines}
    assert "left@example.com" not in json.dumps(lines)
