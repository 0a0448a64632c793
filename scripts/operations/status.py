"""Is anything stuck? Queues, campaigns, alarms and the versions that work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.account import Account
from sendmill.campaign import OVER, Campaign, Status
from sendmill.progress import progress
from sendmill.store import CampaignStore

SHOWN = 20
QUIET = OVER | {Status.DRAFT}


def lines(account: Account) -> Iterator[str]:
    """Yield what `make status` prints."""
    outputs = account.outputs
    release = outputs.get("release", "unknown")
    yield f"{account.prefix} in {outputs['region']}, release {release}"
    yield ""
    yield from _queues(account)
    yield ""
    yield from _campaigns(account)
    yield ""
    yield from _alarms(account)
    yield ""
    yield from _functions(account)


def _queues(account: Account) -> Iterator[str]:
    row = "{:<24}{:>9}{:>11}{:>8}{:>9}{:>7}".format
    yield row("QUEUE", "WAITING", "IN FLIGHT", "LATER", "OLDEST", "DEAD")
    for name, url, dead in account.queues():
        here = _depth(account, url)
        age = _oldest(account, url) if url else "-"
        yield row(name, *here, age, _depth(account, dead)[0])


def _depth(account: Account, url: str) -> tuple[str, str, str]:
    if not url:
        return ("-", "-", "-")
    names = ["", "NotVisible", "Delayed"]
    asked = [f"ApproximateNumberOfMessages{name}" for name in names]
    answer = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=asked)
    waiting, flying, later = (answer["Attributes"].get(name, "0") for name in asked)
    return waiting, flying, later


def _oldest(account: Account, url: str) -> str:
    """Return the age of the oldest message as CloudWatch last knew it, in seconds."""
    now = datetime.now(UTC)
    answer = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    points = sorted(answer.get("Datapoints", []), key=lambda point: point["Timestamp"])
    return f"{points[-1]['Maximum']:.0f} s" if points else "-"


def _campaigns(account: Account) -> Iterator[str]:
    store = CampaignStore(account.client("dynamodb"), account.outputs["campaigns_table"])
    found, _ = store.list(limit=SHOWN)
    row = "{:<32}{:<22}{:>9}{:>10}{:>8}{:>9}  {}".format
    yield row("CAMPAIGN", "STATUS", "OF", "ACCEPTED", "FAILED", "UNKNOWN", "REASON")
    loud = [campaign for campaign in found if campaign.status not in QUIET]
    for campaign in loud or found[:3]:
        yield row(*_numbers(store, campaign))
    if not found:
        yield "none"


def _numbers(store: CampaignStore, campaign: Campaign) -> tuple[str, ...]:
    found = progress(campaign, store.counters(campaign.id))
    states = {str(state): count for state, count in found.states.items()}
    counts = (states.get(name, 0) for name in ("accepted", "failed", "unknown"))
    return (campaign.id, str(campaign.status), str(found.total), *map(str, counts), campaign.reason)


def _alarms(account: Account) -> Iterator[str]:
    pages = account.client("cloudwatch").get_paginator("describe_alarms")
    found: list[dict[str, Any]] = []
    for page in pages.paginate(AlarmNamePrefix=account.prefix):
        found += page["MetricAlarms"]
    states = [alarm["StateValue"] for alarm in found]
    yield f"ALARMS  {len(found)} in all, {states.count('INSUFFICIENT_DATA')} without data"
    for alarm in found:
        if alarm["StateValue"] == "ALARM":
            yield f"  ALARM {alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}"
    if "ALARM" not in states:
        yield "  none is in ALARM"


def _functions(account: Account) -> Iterator[str]:
    row = "{:<24}{:<10}{:<26}{}".format
    yield row("FUNCTION", "LIVE", "CHANGED", "CODE")
    for job, name in sorted(account.outputs["function_names"].items()):
        found = account.client("lambda").get_function_configuration(
            FunctionName=name, Qualifier="live"
        )
        changed = found["LastModified"][:19]
        yield row(job, found["Version"], changed, found["CodeSha256"][:12])
