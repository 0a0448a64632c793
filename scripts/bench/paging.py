"""Page through a million recipients by the API's own function, and time its read routes.

The function's handler is called with the events of API Gateway, page after page, with a stand-in
for DynamoDB behind it that answers every page at the same price: what grows from the first page to
the last would be ours. A page slower than half again the first is asked twice more and its fastest
time counts, since a slow page stays slow and what else the machine does passes.

With ``--port N`` the read routes of the stack on that emulator are asked as well, one after the
other. It runs every function on this machine, and its Query reads and sorts a whole partition for
each page, so those times are the emulator's as much as ours, and none of AWS.

Parameters: --rows N (default 1,000,000)  --limit N (default 1000)  --port N  --asks N (default 40)
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import measure
import one
import workload

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from stack import Stack  # noqa: E402  it is found by the line above

PATH = f"/v1/campaigns/{workload.CAMPAIGN_ID}/recipients"
ROUTE = "GET /v1/campaigns/{campaign_id}/recipients"
SLOW, ASKS_OF_SLOW = 1.5, 2
READS = (
    "/v1/me",
    "/v1/campaigns",
    "/v1/contact-lists",
    "/v1/suppressions",
    "/v1/templates",
    "/v1/account",
    "/v1/tasks",
    "/v1/dead-letters",
)
# What one answer took: the clock's milliseconds, and those of this process's CPU.
Took = tuple[float, float]
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--asks", type=int, default=40)
    asked = parser.parse_args()
    with measure.sink(f"--rows={asked.rows}") as standing:
        measure.seed(standing)
        show_pages(load_api(standing.port), asked.limit)
    if asked.port:
        stack = Stack.local(asked.port)
        stack.sign_in()
        show_routes(stack, asked.asks)


def load_api(port: int) -> Handler:
    """Return the handler of the API function, which asks the stand-in on this port."""
    sink = f"http://127.0.0.1:{port}"
    os.environ |= one.settings(port) | {
        "CONTACTS_BUCKET": "contacts",
        "DISPATCH_QUEUE_URL": f"{sink}/000000000000/dispatch",
        "LOG_LEVEL": "ERROR",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    sys.path.insert(0, str(ROOT / "functions/api"))
    found: Handler = importlib.import_module("handler").handler
    return found


def show_pages(handler: Handler, limit: int) -> None:
    """Page through every row, and print how long a page took."""
    ask(handler, "", limit)  # what only the first answer of a function costs
    firsts = [ask(handler, "", limit)[0] for _ in range(20)]
    first = tuple(statistics.median(times) for times in zip(*firsts, strict=True))
    times: list[Took] = []
    cursor, seen = "", 0
    while True:
        took, page = ask(handler, cursor, limit)
        for _ in range(ASKS_OF_SLOW * (max(took[0] / first[0], took[1] / first[1]) > SLOW)):
            again, _ = ask(handler, cursor, limit)
            took = (min(took[0], again[0]), min(took[1], again[1]))
        times.append(took)
        seen += len(page["items"])
        cursor = page["cursor"]
        if not cursor:
            break
    print(f"PAGES: {seen:,} recipients in {len(times):,} answers of the API's function")
    print(f"{'milliseconds':<40}{'first':>8}{'p50':>8}{'p95':>8}{'p95/first':>11}{'slowest':>9}")
    for name, at in (("the whole answer", 0), ("of it the function's own CPU", 1)):
        row = [one[at] for one in times]
        p95 = percentile(row, 95)
        print(
            f"{name:<40}{first[at]:>8.1f}{statistics.median(row):>8.1f}{p95:>8.1f}"
            f"{p95 / first[at]:>11.2f}{max(row):>9.1f}"
        )
    print()


def ask(handler: Handler, cursor: str, limit: int) -> tuple[Took, dict[str, Any]]:
    """Return what a page took, and the page."""
    asked = event({"cursor": cursor, "limit": str(limit)})
    started, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):  # its metrics
        answer = handler(asked, CONTEXT)
    took = ((time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000)
    if answer["statusCode"] != 200:
        raise SystemExit(f"{PATH} answers {answer['statusCode']}: {answer['body']}")
    return took, json.loads(answer["body"])


CONTEXT = SimpleNamespace(
    function_name="api",
    memory_limit_in_mb=512,
    aws_request_id="bench",
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:api",
)


def event(query: dict[str, str]) -> dict[str, Any]:
    """Return the event of a request, as API Gateway makes it for an admin."""
    claims = {"sub": "bench", "client_id": "bench", "token_use": "access"}
    claims["cognito:groups"] = "[admin]"
    said = {name: value for name, value in query.items() if value}
    return {
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": PATH,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in said.items()),
        "queryStringParameters": said,
        "headers": {"accept": "application/json"},
        "requestContext": {
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
            "http": {"method": "GET", "path": PATH, "protocol": "HTTP/1.1"},
            "requestId": "bench",
            "routeKey": ROUTE,
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


def show_routes(stack: Stack, asks: int = 40) -> None:
    """Ask the read routes of a stack that is warm, and print how long an answer took."""
    print(f"{'READ ROUTES, warm, on the emulator':<64}{'p50':>8}{'p95':>8}   milliseconds")
    for path in (*READS, *of_newest(stack)):
        times = []
        for _ in range(asks + 3):
            started = time.perf_counter()
            stack.request("GET", path)
            times.append((time.perf_counter() - started) * 1000)
        warm = times[3:]
        print(f"{path:<64}{statistics.median(warm):>8.0f}{percentile(warm, 95):>8.0f}")
    print()


def of_newest(stack: Stack) -> list[str]:
    """Return the routes that read the newest campaign and its list, if there is one."""
    for one_ in stack.request("GET", "/v1/campaigns?limit=1")["items"]:
        path = f"/v1/campaigns/{one_['campaign_id']}"
        contacts = f"/v1/contact-lists/{one_['list_id']}/contacts"
        return [path, f"{path}/recipients?limit=100", f"{path}/failures", contacts]
    return []


def percentile(times: Sequence[float], share: int) -> float:
    """Return the time below which this share (percent) of the times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


if __name__ == "__main__":
    main()
