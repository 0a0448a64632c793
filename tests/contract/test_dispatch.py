"""The dispatcher's contract with SQS: what it queues, and what it asks to see again."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import BUCKET, CAMPAIGNS, Cloud, Context

from fakes import make_campaign
from sendmill.campaign import Status
from sendmill.contact import Contact
from sendmill.contact_list import Accepted
from sendmill.store import CampaignStore, ListStore

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
# Powertools warns where an invocation counted nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture
def dispatch(load: Load) -> ModuleType:
    return load("dispatch")


@pytest.fixture
def campaigns(cloud: Cloud) -> CampaignStore:
    found = CampaignStore(cloud.dynamodb, CAMPAIGNS)
    found.add(make_campaign(status=Status.PLANNING, list_id="list_1", chunks=1, rows=3, expected=3))
    contacts = [
        Accepted(line=n, contact=Contact(email=f"u{n}@example.com", fields={"first_name": "Ada"}))
        for n in (2, 3, 4)
    ]
    lists = ListStore(cloud.dynamodb, CAMPAIGNS, cloud.s3, BUCKET)
    lists.write_part("list_1", 0, contacts)
    return found


def jobs(event: MakeEvent, *bodies: object) -> dict[str, Any]:
    found = event("sqs_dispatch")
    (plain,) = found["Records"]
    found["Records"] = [
        {**plain, "messageId": f"m{n}", "body": body if isinstance(body, str) else json.dumps(body)}
        for n, body in enumerate(bodies)
    ]
    return found


def test_a_campaign_is_checked_planned_and_queued(
    dispatch: ModuleType,
    event: MakeEvent,
    context: Context,
    cloud: Cloud,
    campaigns: CampaignStore,
) -> None:
    answer = dispatch.handler(event("sqs_dispatch"), context)
    assert json.dumps(answer) == '{"batchItemFailures": []}'
    for op in ("check", "plan", "chunk"):
        (job,) = cloud.received("DISPATCH")
        assert job == {"op": op, "campaign_id": "spring", "first": 0, "last": 1, "argument": ""}
        assert dispatch.handler(jobs(event, job), context) == {"batchItemFailures": []}
    # SQS may hand a job over twice
    dispatch.handler(jobs(event, job), context)
    sent = [message["contact"]["email"] for message in cloud.received("EMAIL")]
    assert set(sent) == {"u2@example.com", "u3@example.com", "u4@example.com"}
    found = campaigns.get("spring")
    assert found is not None
    assert (found.status, found.total, found.chunks_done) == (Status.RUNNING, 3, 1)


def test_jobs_of_a_batch_fail_alone_byte_for_byte(
    dispatch: ModuleType,
    event: MakeEvent,
    context: Context,
    cloud: Cloud,
    campaigns: CampaignStore,
) -> None:
    good = event("sqs_dispatch")["Records"][0]["body"]
    unknown = {"op": "plan", "campaign_id": "nobody", "first": 0, "last": 1}
    answer = dispatch.handler(jobs(event, "no json", unknown, good), context)
    assert json.dumps(answer) == (
        '{"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}'
    )
    assert len(cloud.received("DISPATCH")) == 1
