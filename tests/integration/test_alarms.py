"""An alarm reaches whoever subscribed to its severity, and so does a drill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from integration.harness import eventually, run
from stack import Stack

pytestmark = pytest.mark.integration


class Pager:
    """A queue that is subscribed to the alarms of one severity, as a pager would be."""

    def __init__(self, stack: Stack, severity: str) -> None:
        self._sqs = stack.client("sqs")
        self._sns = stack.client("sns")
        self.url = self._sqs.create_queue(QueueName=f"pager-{severity}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self._subscription = self._sns.subscribe(
            TopicArn=stack.outputs["alarm_topic_arns"][severity],
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        self.heard: dict[tuple[str, str], dict[str, Any]] = {}

    def listen(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return everything heard so far, by alarm and state."""
        found = self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        for message in found.get("Messages", []):
            said = json.loads(message["Body"])
            self.heard[said["AlarmName"], said["NewStateValue"]] = said
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.heard

    def close(self) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self.url)


@pytest.fixture
def pagers(stack: Stack) -> Iterator[dict[str, Pager]]:
    found = {severity: Pager(stack, severity) for severity in ("warning", "critical")}
    yield found
    for pager in found.values():
        pager.close()


def test_a_dead_letter_pages_and_is_called_off(stack: Stack, pagers: dict[str, Pager]) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["schedule_dlq_url"]
    alarm = "sendmill-local-dead-letters-schedule-critical"
    pager = pagers["critical"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        eventually(pager.listen, lambda heard: (alarm, "ALARM") in heard, seconds=30, what="page")
    finally:
        sqs.purge_queue(QueueUrl=url)
    said = pager.heard[alarm, "ALARM"]
    assert "Runbook: docs/runbooks/dead-letters.md" in said["AlarmDescription"]
    assert not any(name == alarm for name, _ in pagers["warning"].listen())


def test_a_drill_is_heard_on_both_topics(
    stack: Stack, pagers: dict[str, Pager], emulator_port: int
) -> None:
    said = run("scripts/alarm_drill.sh", port=emulator_port)
    assert "critical: fired sendmill-local-ledger-age-critical, 1 confirmed" in said
    for severity, pager in pagers.items():
        alarm = f"sendmill-local-ledger-age-{severity}"
        eventually(pager.listen, lambda heard, a=alarm: (a, "ALARM") in heard, what=severity)
        assert "drill" in pager.heard[alarm, "ALARM"]["NewStateReason"]
