"""Run the project's own commands, and wait for what they bring about."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def free_port() -> int:
    """Return a port that is free together with the one above it."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError("found no two free ports side by side")


def run(
    *command: str | Path,
    port: int,
    env: str = "local",
    emulated: bool = False,
    timeout: int = 420,
) -> str:
    """Run one of the project's commands against the emulator; show its output if it fails."""
    settings = {"ENV": env, "EMULATOR_PORT": str(port), "CI": "true"}
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings, **({"EMULATED": "1"} if emulated else {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if found.returncode:
        pytest.fail(
            f"{' '.join(map(str, command))} exited with {found.returncode}\n"
            f"{found.stdout[-4000:]}\n{found.stderr[-4000:]}"
        )
    return found.stdout


def eventually(
    look: Callable[[], T], good: Callable[[T], bool], *, seconds: float = 60, what: str
) -> T:
    """Look until it is good; fail with what was last seen."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if good(seen):
            return seen
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {seconds} s; last seen {seen!r}"[:2000])
        time.sleep(0.25)


def draft_campaign(
    stack: Stack, csv: str, *, config: dict[str, Any] | None = None, body: str = "Dear {{name}}"
) -> dict[str, Any]:
    """Import a list and create a campaign for it; return the draft."""
    found = stack.request(
        "POST", "/v1/contact-lists?name=test", csv.encode(), content_type="text/csv"
    )
    campaign: dict[str, Any] = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Test",
            "list_id": found["list_id"],
            "subject": "Hello {{name}}!",
            "body": body,
            "config": {
                "email_service": "ses",
                "from_email": "noreply@example.com",
                **(config or {}),
            },
        },
    )
    return campaign


def send_list(
    stack: Stack, csv: str, *, config: dict[str, Any] | None = None, body: str = "Dear {{name}}"
) -> dict[str, Any]:
    """Import a list, create a campaign for it and start it; return the campaign."""
    campaign = draft_campaign(stack, csv, config=config, body=body)
    started: dict[str, Any] = stack.request(
        "POST", f"/v1/campaigns/{campaign['campaign_id']}/start"
    )
    return started


def until_over(stack: Stack, campaign_id: str, *, seconds: float = 90) -> dict[str, Any]:
    """Wait until a campaign is neither planned nor running; return it."""
    return eventually(
        lambda: stack.request("GET", f"/v1/campaigns/{campaign_id}"),
        lambda campaign: campaign["status"] not in ("planning", "running"),
        seconds=seconds,
        what=f"campaign {campaign_id} over",
    )
