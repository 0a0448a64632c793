"""Fire one alarm of each severity on purpose, and see whether anybody would hear it.

Usage:        scripts/alarm_drill.py < outputs.json     (make alarm-drill ENV=...)
Environment:  AWS credentials; ALARM, the name of another alarm to fire (default: the ledger's age)

Standard input is what ``make output`` prints. An alarm set by hand runs its actions as a real one
does, and is itself again within a minute. Exits 1 when an action failed or a topic has no
subscriber.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import boto3

REASON = "Fire drill: somebody ran `make alarm-drill`. Nothing is wrong."
DEFAULT = "ledger-age"
PATIENCE_SECONDS = 60.0


def chosen(alarms: Mapping[str, Mapping[str, str]], wanted: str) -> dict[str, str]:
    """Return the alarm to fire for each severity; raises ValueError for an unknown name."""
    if wanted and wanted not in alarms:
        raise ValueError(f"ALARM must be one of {', '.join(sorted(alarms))} (got {wanted!r})")
    return {
        alarm["severity"]: name
        for name, alarm in sorted(alarms.items())
        if name == wanted or (not wanted and alarm["runbook"] == DEFAULT)
    }


def subscribers(sns: Any, topic: str) -> int:
    """Return how many confirmed subscribers a topic has."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    arns = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
    return sum(arn.startswith("arn:") for arn in arns)


def failure(cloudwatch: Any, alarm: str, since: float) -> str | None:
    """Return what went wrong with the alarm's action, '' if nothing did, None if it has not run."""
    history = cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")
    for item in history["AlarmHistoryItems"]:
        if item["Timestamp"].timestamp() >= since - 1:
            words = str(item["HistorySummary"])
            return "" if words.startswith("Successfully") else words
    return None


def fire(cloudwatch: Any, alarm: str, patience: float) -> str | None:
    """Set the alarm off, wait for its action, and put the alarm back."""
    since = time.time()
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=REASON)
    found = None
    while found is None and time.time() < since + patience:
        found = failure(cloudwatch, alarm, since)
        time.sleep(1 if found is None else 0)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason=REASON)
    return found


def drill(outputs: Mapping[str, Any], *, wanted: str, emulated: bool) -> list[str]:
    """Fire the alarms; return a sentence for everything that is not as it should be."""
    session: Any = boto3.session.Session(region_name=outputs["region"])
    cloudwatch, sns = session.client("cloudwatch"), session.client("sns")
    problems = []
    for severity, alarm in chosen(outputs["alarms"], wanted).items():
        count = subscribers(sns, outputs["alarm_topic_arns"][severity])
        if not count:
            problems.append(f"{severity}: nobody subscribed to its topic, so nobody would hear it")
        # an emulator keeps no history of actions
        result = fire(cloudwatch, alarm, 0.0 if emulated else PATIENCE_SECONDS)
        if result or (result is None and not emulated):
            problems.append(f"{severity}: {alarm} fired, but {result or 'its action did not run'}")
        print(f"{severity}: fired {alarm}, {count} confirmed subscribers")
    return problems


def main() -> None:
    """Read the outputs, fire, and say what is wrong."""
    emulated = "AWS_ENDPOINT_URL" in os.environ
    try:
        problems = drill(
            json.load(sys.stdin), wanted=os.environ.get("ALARM", ""), emulated=emulated
        )
    except ValueError as error:
        problems = [str(error)]
    sys.exit("\n".join(f"alarm-drill: {problem}" for problem in problems) or 0)


if __name__ == "__main__":
    main()
