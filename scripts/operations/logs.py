"""Follow the logs of the functions, all together and in order."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from operations.account import Account

POLL_SECONDS = 2
# CloudWatch shows a line some seconds after it was written, and not always in order.
OVERLAP_MS = 15_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    """Return how many seconds `10m` is; raise ValueError for what is no time."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise ValueError(f"SINCE must be a number and s, m, h or d, such as 10m (got {text!r}).")
    return int(found[1]) * UNITS[found[2]]


def groups(outputs: dict[str, Any], function: str) -> dict[str, str]:
    """Return log groups by their short names; raise ValueError for one that is not there."""
    known: dict[str, str] = outputs["log_group_names"]
    if function and function not in known:
        raise ValueError(f"FUNCTION must be one of: {' '.join(sorted(known))} (got {function!r}).")
    return {name: group for name, group in known.items() if function in ("", name)}


def tail(
    account: Account,
    wanted: dict[str, str],
    since_seconds: int,
    follow: bool,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Yield lines as they come; without ``follow`` those that are there."""
    start = int((clock() - since_seconds) * 1000)
    seen: set[str] = set()
    while True:
        batch = []
        for name, group in wanted.items():
            batch += [(event, name) for event in _events(account, group, start)]
        for event, name in sorted(batch, key=lambda pair: pair[0]["timestamp"]):
            # An emulator may number no events; two equal lines of one millisecond are then one.
            key = event.get("eventId") or f"{event['timestamp']} {name} {event['message']}"
            if key not in seen:
                seen.add(key)
                yield _line(event, name)
        if not follow:
            return
        start = max(start, int(clock() * 1000) - OVERLAP_MS)
        sleep(POLL_SECONDS)


def _events(account: Account, group: str, start: int) -> Iterator[dict[str, Any]]:
    pages = account.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, startTime=start):
        yield from page["events"]


def _line(event: dict[str, Any], name: str) -> str:
    when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return f"{when:%H:%M:%S} {name:<16} {event['message'].rstrip()}"
