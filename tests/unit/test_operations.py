"""What an operator asks of a deployed environment is answered, without anybody's address."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cloud import CAMPAIGNS, REGION, Cloud
from operations import halt, letters, logs, pauses
from operations.account import Account

from fakes import make_campaign
from sendmill.campaign import Status
from sendmill.outcome import QUOTA_REASON
from sendmill.store import CampaignStore

ADDRESS = "somebody@example.org"


class Cloudy(Account):
    """An account whose clients are given."""

    def __init__(self, outputs: dict[str, Any], **clients: Any) -> None:
        super().__init__({"environment": "dev", "region": REGION, **outputs})
        self.clients = clients

    def client(self, service: str) -> Any:
        return self.clients[service]


# --- After a restore ------------------------------------------------------------------------------


@pytest.fixture
def store(cloud: Cloud) -> CampaignStore:
    found = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    for status in Status:
        found.add(replace(make_campaign(status=status), id=f"of_{status}"))
    return found


def statuses(store: CampaignStore) -> dict[str, Status]:
    found, _ = store.list(limit=100)
    return {campaign.id: campaign.status for campaign in found}


def test_nothing_in_a_restored_ledger_sends_by_itself(cloud: Cloud, store: CampaignStore) -> None:
    before = statuses(store)
    account = Cloudy({"campaigns_table": "another"}, dynamodb=cloud.dynamodb)

    told = list(pauses.pause_all(account, CAMPAIGNS))

    after = statuses(store)
    changed = {name: status for name, status in after.items() if status != before[name]}
    assert changed == {
        "of_running": Status.PAUSED,
        "of_planning": Status.PAUSED,
        "of_scheduled": Status.DRAFT,
    }
    assert told[-1].startswith("3 campaigns stopped in campaigns")
    assert {found.reason for name in changed if (found := store.get(name))} == {pauses.REASON}


def test_a_restored_campaign_that_waits_for_quota_waits_for_a_person(cloud: Cloud) -> None:
    store = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    for reason in (QUOTA_REASON, "paused by a person"):
        waiting = replace(make_campaign(status=Status.PAUSED), reason=reason)
        store.add(replace(waiting, id=f"for_{reason[:5]}"))
    account = Cloudy({"campaigns_table": CAMPAIGNS}, dynamodb=cloud.dynamodb)

    assert list(pauses.pause_all(account))[-1].startswith("1 campaigns stopped")
    reasons = {found.id: (found.status, found.reason) for found in store.list(limit=9)[0]}
    assert reasons == {
        "for_daily": (Status.PAUSED, pauses.REASON),
        "for_pause": (Status.PAUSED, "paused by a person"),
    }


def test_pausing_all_twice_changes_nothing(cloud: Cloud, store: CampaignStore) -> None:
    account = Cloudy({"campaigns_table": CAMPAIGNS}, dynamodb=cloud.dynamodb)
    list(pauses.pause_all(account))
    first = statuses(store)

    assert list(pauses.pause_all(account))[-1].startswith("0 campaigns stopped")
    assert statuses(store) == first


def test_every_page_of_campaigns_is_paused(cloud: Cloud) -> None:
    store = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    for number in range(120):
        store.add(replace(make_campaign(status=Status.RUNNING), id=f"campaign_{number}"))
    account = Cloudy({"campaigns_table": CAMPAIGNS}, dynamodb=cloud.dynamodb)

    assert list(pauses.pause_all(account))[-1].startswith("120 campaigns stopped")
    assert store.get("campaign_119") is not None
    assert all(found.status is Status.PAUSED for found in store.list(limit=200)[0])


# --- Stopping -------------------------------------------------------------------------------------


class Functions:
    """Answers as Lambda does: mappings belong to the alias."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def get_paginator(self, _: str) -> Functions:
        return self

    def paginate(self, *, FunctionName: str) -> list[dict[str, Any]]:  # noqa: N803
        arn = "arn:aws:sqs:us-east-1:111111111111:sendmill-dev-bulk-email"
        mappings = [{"UUID": "m1", "EventSourceArn": arn}] if FunctionName == "w:live" else []
        return [{"EventSourceMappings": mappings}]

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        self.calls.append(("mapping", UUID, str(Enabled)))

    def put_function_concurrency(
        self,
        *,
        FunctionName: str,  # noqa: N803
        ReservedConcurrentExecutions: int,  # noqa: N803
    ) -> None:
        self.calls.append(("concurrency", FunctionName, str(ReservedConcurrentExecutions)))


def test_halt_turns_mappings_off_and_throttles_nobody_who_reads_a_queue() -> None:
    functions = Functions()
    names = {"email_worker": "w", "sweep": "s", "api": "a"}
    told = list(halt.halt(Cloudy({"function_names": names}, **{"lambda": functions})))

    assert functions.calls == [("mapping", "m1", "False"), ("concurrency", "s", "0")]
    assert "email_worker: takes nothing from sendmill-dev-bulk-email" in told


# --- Dead letters ---------------------------------------------------------------------------------


def test_dead_letters_are_told_without_an_address(cloud: Cloud) -> None:
    queues = {name: cloud.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "none")}
    body = {"campaign_id": "campaign_1", "contact": {"email": ADDRESS}, "subject": "{{"}
    cloud.sqs.send_message(QueueUrl=queues["dead"], MessageBody=json.dumps(body))
    account = Cloudy(
        {
            "email_queue_url": "unused",
            "email_dlq_url": queues["dead"],
            "task_dlq_urls": {"default": queues["none"]},
        },
        sqs=cloud.sqs,
    )

    told = "\n".join(letters.lines(account))

    assert "email: 1" in told
    assert "campaign_1" in told
    assert "nothing in: task default" in told
    assert ADDRESS not in told


# --- Logs -----------------------------------------------------------------------------------------

GROUPS = {"log_group_names": {"api": "/aws/lambda/a", "sweep": "/aws/lambda/s"}}


class Lines:
    """Answers as CloudWatch Logs does: what has come since, some of it again."""

    def __init__(self) -> None:
        self.asked = 0

    def get_paginator(self, _: str) -> Lines:
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> Any:  # noqa: N803
        self.asked += 1
        name = logGroupName[-1]
        time = 1000 if name == "s" else 2000
        yield {"events": [{"eventId": name, "timestamp": time, "message": f"of {name}\n"}]}


def test_logs_of_all_functions_come_in_order_and_once() -> None:
    account = Cloudy({}, logs=Lines())
    tail = logs.tail(account, logs.groups(GROUPS, ""), 60, True, sleep=lambda _: None)
    assert [next(tail), next(tail)] == [
        "00:00:01 sweep            of s",
        "00:00:02 api              of a",
    ]
    still = logs.tail(account, logs.groups(GROUPS, "api"), 60, False)
    assert [line.split()[1] for line in still] == ["api"]


@pytest.mark.parametrize("text", ["10", "m", "10 m", "-5m", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SINCE must be a number and s, m, h or d"):
        logs.seconds(text)


def test_a_function_that_is_not_there_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"FUNCTION must be one of: api sweep \(got 'apy'\)"):
        logs.groups(GROUPS, "apy")
    assert logs.seconds("2h") == 7200
