"""Delay for longer than the 15 minutes of SQS, by a one-time schedule of EventBridge Scheduler."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from sendmill.tasks.clients import client
from sendmill.tasks.config import TaskConfig
from sendmill.tasks.transports.sqs import region_of, translated

LONGEST_DELAY = 900
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,59}\Z")
# As long as Scheduler itself tries: a queue that is away for an hour must not cost a task.
_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}


def schedule(body: str, *, task_id: str, queue: str, at: datetime, config: TaskConfig) -> None:
    """Have a message put on a queue at a time; raises EnqueueError.

    The schedule is named by the task, so a second call for the same task changes nothing.
    """
    url, role_arn = config.queue_url(queue), config.scheduler_role_arn
    target: dict[str, Any] = {
        "Arn": queue_arn(url, role_arn),
        "RoleArn": role_arn,
        "Input": body,
        "RetryPolicy": _RETRIES,
    }
    if config.scheduler_dlq_url:
        target["DeadLetterConfig"] = {"Arn": queue_arn(config.scheduler_dlq_url, role_arn)}
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _scheduler(region_of(url)).create_schedule(
            Name=schedule_name(task_id),
            GroupName=config.scheduler_group,
            ScheduleExpression=f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=target,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise translated(error, task_id) from error
    except BotoCoreError as error:
        raise translated(error, task_id) from error


def schedule_name(task_id: str) -> str:
    """Return the name of a task's schedule: its id, or a digest of one that is no such name."""
    if _NAME.match(task_id):
        return f"task-{task_id}"
    return f"task-{hashlib.sha256(task_id.encode()).hexdigest()[:59]}"


def queue_arn(url: str, role_arn: str) -> str:
    """Return the ARN of a queue: its partition is the role's, the rest stands in its URL."""
    partition = role_arn.split(":")[1] if role_arn.count(":") >= 5 else "aws"
    account, name = url.rstrip("/").split("/")[-2:]
    region = region_of(url) or str(_scheduler("").meta.region_name)
    return f"arn:{partition}:sqs:{region}:{account}:{name}"


def _scheduler(region: str) -> Any:
    return client("scheduler", region, connect_timeout=0.8, read_timeout=1.8, attempts=1)
