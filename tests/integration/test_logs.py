"""After everything else has run: no address and no secret stands in any log line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from integration.harness import ROOT, send_list, until_over
from integration.test_smtp import PASSWORD
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.order_last]

ADDRESS = re.compile(r"[\w.+-]+@example\.com")


def log_lines(stack: Stack, group: str) -> list[str]:
    """Return every line of a log group."""
    lines: list[str] = []
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    for page in pages:
        lines += [event["message"] for event in page["events"]]
    return lines


def test_no_address_and_no_secret_is_in_any_log_line(stack: Stack, emulator_port: int) -> None:
    canary = "canary.4711@example.com"
    campaign = send_list(stack, f"email,name\n{canary},Canary\nnot an address,Bad\n")
    until_over(stack, campaign["campaign_id"])
    keys = json.loads(
        stack.client("secretsmanager").get_secret_value(SecretId=stack.outputs["keys_secret_name"])[
            "SecretString"
        ]
    )
    secrets = [PASSWORD, keys["hash"], *keys["keys"].values(), stack.token]
    groups: dict[str, Any] = stack.outputs["log_group_names"]
    lines = [line for group in groups.values() for line in log_lines(stack, group)]
    # the check can fail only if there is something to look at
    assert any("batch_handled" in line for line in lines)
    assert any(campaign["campaign_id"] in line for line in lines)

    assert [line for line in lines if ADDRESS.search(line)] == []

    # the emulator's own words name the user whom the tests create, and no secret either
    for file in (ROOT / f"build/emulator-{emulator_port}").glob("*.log"):
        lines += Path(file).read_text(errors="replace").splitlines()
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
