"""CloudWatch metrics of SQS queues, and alarms that are looked at without being asked."""

from __future__ import annotations

import logging
import threading
import time
from importlib import import_module
from typing import Any

from gaps import alarms

TICK_SECONDS = 2.0
log = logging.getLogger("gaps")
cloudwatch: Any = import_module("ministack.services.cloudwatch")
responses: Any = import_module("ministack.core.responses")
sqs: Any = import_module("ministack.services.sqs")


def close() -> None:
    """Publish queue metrics and evaluate all alarms every two seconds, in a thread.

    Missing upstream: namespace AWS/SQS has no metrics at all, and alarms are evaluated only by
    PutMetricData and PutMetricAlarm. AWS publishes once a minute; tests would not wait so long.
    """
    threading.Thread(target=_run, name="queue-metrics", daemon=True).start()


def _run() -> None:
    while True:
        time.sleep(TICK_SECONDS)
        try:
            tick(time.time())
        except Exception:
            log.exception("queue_metrics_failed")


def tick(now: float) -> None:
    """Publish each queue's metrics, then evaluate the alarms of every account and region."""
    for (account, region, url), queue in sqs._queues.all_items():
        with responses.request_scope(account, region):
            _publish(url.rsplit("/", 1)[-1], list(queue["messages"]), now)
    for account, region in {key[:2] for key, _ in cloudwatch._alarms.all_items()}:
        with responses.request_scope(account, region):
            cloudwatch._evaluate_all_alarms()


def _publish(name: str, messages: list[dict[str, Any]], now: float) -> None:
    hidden = [m for m in messages if m.get("visible_at", 0) > now]
    in_flight = sum(1 for m in hidden if m.get("receive_count"))
    values = {
        "ApproximateNumberOfMessagesVisible": (len(messages) - len(hidden), "Count"),
        "ApproximateNumberOfMessagesNotVisible": (in_flight, "Count"),
        "ApproximateNumberOfMessagesDelayed": (len(hidden) - in_flight, "Count"),
        "ApproximateAgeOfOldestMessage": (
            max((now - m["sent_at"] for m in messages if "sent_at" in m), default=0.0),
            "Seconds",
        ),
    }
    for metric, (value, unit) in values.items():
        cloudwatch.record_metric("AWS/SQS", metric, value, unit, {"QueueName": name})
    alarms.trim("AWS/SQS", {"QueueName": name}, values, now)
