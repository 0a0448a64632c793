"""The two crash points that no worker passes: a request with a key, and a restored ledger.

CP0: the API dies at any of its calls, in a request that carries an ``Idempotency-Key``. CP12: both
tables are as they were some time ago, and whoever pauses their campaigns dies at any call.
"""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from cloud import CAMPAIGNS, Cloud, Context
from operations import pauses
from operations.account import Account

from fakes import ScriptedMailer
from fault.dynamo import MemoryDynamo
from fault.yard import CAMPAIGNS as TABLE
from fault.yard import Yard
from sendmill.campaign import Status, UnknownPolicy
from sendmill.dispatch import Job, Op, job_body

LONG = os.environ.get("FAULT") == "long"
# Each of the moments of a request at which it may die, or some of them.
STRIDE = 1 if LONG else 4
EVENT = Path(__file__).parents[1] / "contract/events/api_gateway_v2.json"
FILE = "email,first_name\nada@example.com,Ada\nbob@example.com,Bob\n"
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


class Crash(BaseException):
    """The process is gone; nothing may catch this."""


# --- CP0: a request with a key ------------------------------------------------------------------


class Api:
    """The real handler, which dies before or after one of its AWS calls."""

    def __init__(self, module: ModuleType, cloud: Cloud) -> None:
        self.module, self.cloud = module, cloud
        self.calls, self.dies_at = 0, -1

    def step(self, **_: Any) -> None:
        """Count a moment, before or after a call, and die at the one that was chosen."""
        self.calls += 1
        if self.calls == self.dies_at:
            raise Crash

    def post(self, path: str, body: str, key: str, *, kind: str = "application/json") -> Any:
        """Return the answer to a request, or None when the process died."""
        event = json.loads(EVENT.read_text()) | {"rawPath": path, "body": body}
        event["headers"] |= {"Idempotency-Key": key, "content-type": kind}
        event["requestContext"]["http"] |= {"method": "POST", "path": path}
        self.calls = 0
        try:
            return self.module.handler(event, Context())
        except Crash:
            return None

    def claim_ends(self) -> None:
        """Let the time pass for which a request stays claimed."""
        for item in self.items("IDEM#"):
            if item["st"]["S"] == "doing":
                self.cloud.dynamodb.put_item(
                    TableName=CAMPAIGNS, Item={**item, "until": {"N": "1"}}
                )

    def items(self, prefix: str, sort: str = "") -> list[dict[str, Any]]:
        """Return the items of the table whose key begins so."""
        found = self.cloud.dynamodb.scan(TableName=CAMPAIGNS)["Items"]
        return [
            item
            for item in found
            if item["pk"]["S"].startswith(prefix) and item["sk"]["S"].startswith(sort)
        ]


@pytest.fixture
def api(
    cloud: Cloud,
    load_handler: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    found = Api(load_handler("api"), cloud)
    for client in (found.module.dynamodb, found.module.s3, found.module.office.queue._client):
        client.meta.events.register("before-call", found.step)
        client.meta.events.register("after-call", found.step)
    yield found
    assert session is boto3.DEFAULT_SESSION


def moments(api: Api, ask: Callable[[str], Any]) -> int:
    """Return how many moments there are in a request that nothing happens to."""
    for key in ("cold", "warm"):
        answer = ask(key)
        assert answer["statusCode"] < 300, answer["body"]
    return api.calls


def crash_and_ask_again(api: Api, ask: Callable[[str], Any], moment: int) -> dict[str, Any]:
    """Let a request die at a moment, and be sent again until it is answered; return the answer."""
    key = f"key-{moment}"
    api.dies_at = moment
    assert ask(key) is None
    api.dies_at = -1
    again = ask(key)
    if again["statusCode"] == 409:
        # whoever began it may still be at work: nobody does it beside him
        api.claim_ends()
        again = ask(key)
    assert again["statusCode"] < 300
    replayed = ask(key)
    assert replayed["body"] == again["body"]
    assert replayed["headers"]["Idempotent-Replayed"] == "true"
    answer: dict[str, Any] = json.loads(again["body"])
    return answer


def a_list(api: Api) -> str:
    """Return the id of a list of two."""
    answer = api.post("/v1/contact-lists", FILE, "", kind="text/csv")
    return str(json.loads(answer["body"])["list_id"])


def draft(list_id: str) -> str:
    """Return the body that asks for a campaign."""
    config = {"email_service": "smtp", "from_email": "noreply@example.com"}
    return json.dumps(
        {"name": "S", "list_id": list_id, "subject": "S", "body": "B", "config": config}
    )


def test_a_crash_while_a_campaign_is_created_leaves_one_that_is_answered(api: Api) -> None:
    wanted = draft(a_list(api))

    def ask(key: str) -> Any:
        return api.post("/v1/campaigns", wanted, key)

    for moment in range(1, moments(api, ask) + 1, STRIDE):
        before = {item["pk"]["S"] for item in api.items("C#", "META")}
        found = crash_and_ask_again(api, ask, moment)["campaign_id"]
        new = {item["pk"]["S"] for item in api.items("C#", "META")} - before
        assert f"C#{found}" in new
        # a crash between the draft and its answer leaves a draft that nobody was told of
        assert len(new) <= 2
        assert {item["st"]["S"] for item in api.items("C#", "META")} == {"draft"}
    assert api.cloud.received("DISPATCH") == []


def test_a_crash_while_a_campaign_is_started_starts_it_once(api: Api) -> None:
    list_id = a_list(api)

    def ask(key: str) -> Any:
        campaign_id = campaigns.setdefault(key, new())
        return api.post(f"/v1/campaigns/{campaign_id}/start", "", key)

    def new() -> str:
        dies_at, api.dies_at = api.dies_at, -1
        answer = api.post("/v1/campaigns", draft(list_id), "")
        api.dies_at = dies_at
        return str(json.loads(answer["body"])["campaign_id"])

    campaigns: dict[str, str] = {}
    count = moments(api, ask)
    assert count > 10
    for moment in range(1, count + 1, STRIDE):
        found = crash_and_ask_again(api, ask, moment)
        assert (found["campaign_id"], found["status"]) == (campaigns[f"key-{moment}"], "planning")
    jobs: Counter[str] = Counter()
    while taken := api.cloud.received("DISPATCH"):
        jobs.update((job["campaign_id"]) for job in taken if job["op"] == "check_plan")
    # nobody's job is missing; one that came twice is absorbed (test_double_start below)
    assert set(jobs) == set(campaigns.values())
    assert max(jobs.values()) <= 2


def test_double_start_is_one_start() -> None:
    mailer = ScriptedMailer()
    yard = Yard(lambda: mailer)
    yard.add(["ada@example.com", "bob@example.com"])
    for _ in range(3):
        yard.office.start("spring")
    assert len(yard.queue.jobs) == 3
    yard.work()
    yard.office.start("spring")
    yard.work()
    yard.minutes(3)
    assert sorted(mailer.to()) == ["ada@example.com", "bob@example.com"]
    assert yard.campaign().status is Status.COMPLETE


# --- CP12: a ledger that was restored -----------------------------------------------------------


class Dying:
    """A client that dies at a call, before it or after it."""

    def __init__(self, dynamo: MemoryDynamo, dies_at: int = -1) -> None:
        self.dynamo, self.dies_at, self.steps = dynamo, dies_at, 0

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            self.step()
            answer = getattr(self.dynamo, name)(**asked)
            self.step()
            return answer

        return call

    def step(self) -> None:
        """Count a moment, and die at the chosen one."""
        self.steps += 1
        if self.steps == self.dies_at:
            raise Crash


class Restored(Account):
    """An account of which only the restored table matters."""

    def __init__(self, client: Dying) -> None:
        super().__init__({"environment": "dev", "region": "us-east-1"})
        self._dynamo = client

    def client(self, service: str) -> Any:
        """Return the client of the table."""
        return self._dynamo


class Before:
    """A ledger in the middle of its work, what was mailed by then, and what was mailed after."""

    def __init__(self) -> None:
        self.mailer = ScriptedMailer()
        self.yard = yard = Yard(lambda: self.mailer)
        self.bodies: list[str] = []
        hold = {"unknown_policy": UnknownPolicy.HOLD}
        yard.add([f"full{n}@example.com" for n in range(12)], campaign_id="full", **hold)
        yard.add([f"half{n}@example.com" for n in range(40)], campaign_id="half")
        yard.add([f"soon{n}@example.com" for n in range(5)], campaign_id="soon")
        yard.add([f"late{n}@example.com" for n in range(5)], campaign_id="late")
        start_at = yard.clock() + 600
        yard.office.schedule("late", start_at=start_at, max_late_seconds=900)
        for campaign_id in ("full", "half"):
            yard.office.start(campaign_id)
        self._dispatch()
        yard.send_batches(3)
        yard.office.start("soon")  # its plan has not been checked yet
        self.moment = copy.deepcopy(yard.dynamo.tables)
        self.mailed_by_then = set(self.mailer.to())
        self.now = yard.clock()

        self._dispatch()
        yard.send()
        self.mailed_after = set(self.mailer.to()) - self.mailed_by_then

    def _dispatch(self) -> None:
        self.yard.dispatch()
        self.bodies += self.yard.queue.mails

    def restored(self) -> tuple[Yard, ScriptedMailer]:
        """Return a yard over the tables of that moment; every message ever sent comes again."""
        mailer = ScriptedMailer()
        yard = Yard(lambda: mailer, dynamo=MemoryDynamo(tables=copy.deepcopy(self.moment)))
        yard.lists = self.yard.lists
        yard.clock.now = self.now + 1800
        return yard, mailer

    def storm(self, yard: Yard) -> None:
        """Let an hour pass in which every message and every timer there was comes again."""
        names = ("full", "half", "soon", "late")
        jobs = [Job(op=op, campaign_id=one) for one in names for op in (Op.START, Op.PLAN)]
        checks = [Job(op=Op.CHECK, campaign_id=one, first=0, last=1) for one in names]
        for _ in range(3 if LONG else 1):
            yard.queue.send_jobs([job_body(job) for job in (*jobs, *checks)])
            yard.queue.send_mails(self.bodies, group="any")
            yard.work()
            yard.minutes(15)


def test_a_restored_ledger_sends_nothing_by_itself_wherever_the_pausing_died() -> None:
    before = Before()
    assert before.mailed_after
    yard, _ = before.restored()
    client = Dying(yard.dynamo)
    list(pauses.pause_all(Restored(client), TABLE))
    assert client.steps > 10
    for moment in range(1, client.steps + 1):
        yard, mailer = before.restored()
        with pytest.raises(Crash):
            list(pauses.pause_all(Restored(Dying(yard.dynamo, moment)), TABLE))
        list(pauses.pause_all(Restored(Dying(yard.dynamo)), TABLE))
        before.storm(yard)
        assert mailer.sent == []
        assert yard.campaign("half").status is Status.PAUSED
        assert yard.campaign("late").status is Status.DRAFT


def test_what_was_mailed_before_the_moment_of_the_restore_is_not_mailed_again_by_a_resume() -> None:
    before = Before()
    yard, mailer = before.restored()
    list(pauses.pause_all(Restored(Dying(yard.dynamo)), TABLE))
    yard.office.resume("half")
    before.storm(yard)
    again = set(mailer.to())
    assert not again & before.mailed_by_then
    # what the runbook says: the mails since the moment are forgotten, and a resume sends them again
    assert again == {to for to in before.mailed_after if to.startswith("half")}
    assert yard.campaign("half").status is Status.COMPLETE


def test_a_restored_ledger_that_nobody_pauses_would_mail() -> None:
    """The check above can fail: without the pause the storm does mail people again."""
    before = Before()
    yard, mailer = before.restored()
    before.storm(yard)
    assert set(mailer.to()) & before.mailed_after
