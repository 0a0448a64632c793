"""Many people press the button at the same moment: one campaign, one answer, one mail each.

Through the deployed stack: each request has a process of its own, and what keeps them apart are
the conditional writes of the table alone. ``FAULT=long`` has fifty at once, else there are eight:
on a small machine fifty processes take a minute to start.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from integration.harness import eventually, until_over
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

LONG = os.environ.get("FAULT") == "long"
TURNS, AT_ONCE = (5, 50) if LONG else (1, 8)
PEOPLE = 25


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one of them was told."""

    status: int
    body: dict[str, Any]
    replayed: bool


def post(stack: Stack, path: str, body: object, key: str) -> Answer:
    """Post once, with a key or without."""
    request = urllib.request.Request(
        stack.outputs["api_url"].rstrip("/") + path,
        data=json.dumps(body).encode(),
        method="POST",
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {stack.token}",
            **({"Idempotency-Key": key} if key else {}),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return _answer(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error)


def _answer(status: int, answer: Any) -> Answer:
    body = json.loads(answer.read() or b"{}")
    return Answer(status=status, body=body, replayed="Idempotent-Replayed" in answer.headers)


@pytest.fixture(scope="module", autouse=True)
def warm(stack: Stack) -> None:
    """Have as many processes of the API as there will be requests at once."""
    stack.request("GET", "/v1/account")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [
            pool.submit(stack.request, "GET", "/v1/account", timeout=300) for _ in range(AT_ONCE)
        ]
    for one in asked:
        one.result()


def all_at_once(stack: Stack, path: str, bodies: Sequence[object], key: str) -> list[Answer]:
    """Post every body in a thread of its own, at the same moment."""
    stack.request("GET", "/v1/account")  # a fresh token, if need be
    line = threading.Barrier(len(bodies))

    def one(body: object) -> Answer:
        line.wait()
        return post(stack, path, body, key)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(one, bodies))


def draft(stack: Stack, name: str, people: int = 1) -> dict[str, Any]:
    """Return the body that asks for a campaign to so many people."""
    csv = "email,name\n" + "".join(f"{name}p{n}@example.com,N\n" for n in range(people))
    path = f"/v1/contact-lists?name={name}"
    found = stack.request("POST", path, csv.encode(), content_type="text/csv")
    return {
        "name": name,
        "list_id": found["list_id"],
        "subject": "Hello",
        "body": "Dear {{name}}",
        "config": {"email_service": "ses", "from_email": "noreply@example.com"},
    }


def named(stack: Stack, name: str) -> list[str]:
    """Return the ids of the campaigns of this name."""
    found = stack.pages("/v1/campaigns?")
    return [one["campaign_id"] for one in found if one["campaign_name"] == name]


def unique(what: str, turn: int) -> str:
    return f"{what}{turn}x{time.time_ns()}"


def test_the_same_request_many_times_at_once_is_one_campaign(stack: Stack) -> None:
    for turn in range(TURNS):
        name = unique("same", turn)
        body = draft(stack, name)
        answers = all_at_once(stack, "/v1/campaigns", [body] * AT_ONCE, name)
        # who comes while the first is being done is told so, and may ask again
        assert {one.status for one in answers} <= {201, 409}
        told = {one.body["campaign_id"] for one in answers if one.status == 201}
        assert len(told) == 1
        assert sum(one.status == 201 and not one.replayed for one in answers) == 1
        later = all_at_once(stack, "/v1/campaigns", [body] * 5, name)
        assert {(one.status, one.body["campaign_id"]) for one in later} == {(201, *told)}
        assert all(one.replayed for one in later)
        assert named(stack, name) == [*told]


def test_the_same_key_with_another_body_is_refused(stack: Stack) -> None:
    for turn in range(TURNS):
        name = unique("other", turn)
        one, other = draft(stack, name), draft(stack, f"{name}b")
        answers = all_at_once(stack, "/v1/campaigns", [one, other] * (AT_ONCE // 2), name)
        told = {answer.body["campaign_id"] for answer in answers if answer.status == 201}
        assert len(told) == 1
        created = named(stack, name) + named(stack, f"{name}b")
        assert created == [*told]
        winner = bool(named(stack, name))
        losers = answers[1::2] if winner else answers[::2]
        assert {answer.status for answer in losers} == {422}


def test_many_starts_at_once_are_one_start(stack: Stack) -> None:
    for turn in range(TURNS):
        name = unique("start", turn)
        campaign = stack.request("POST", "/v1/campaigns", draft(stack, name, PEOPLE))
        path = f"/v1/campaigns/{campaign['campaign_id']}"
        answers = all_at_once(stack, f"{path}/start", [{}] * AT_ONCE, "")
        statuses = Counter(one.status for one in answers)
        print(f"\n{AT_ONCE} starts at once: {dict(statuses)}")
        # the last of them may find it complete: then there is nothing to start
        assert set(statuses) <= {202, 409}
        assert statuses[202] > 0
        over = until_over(stack, campaign["campaign_id"])
        assert (over["status"], over["states"]) == ("complete", {"accepted": PEOPLE})
        mails = eventually(
            lambda one=campaign: stack.delivered(campaign_id=one["campaign_id"]),  # type: ignore[misc]
            lambda found: len(found) >= PEOPLE,
            what="the mails",
        )
        assert Counter(mail["to"][0] for mail in mails) == {
            f"{name}p{n}@example.com": 1 for n in range(PEOPLE)
        }
