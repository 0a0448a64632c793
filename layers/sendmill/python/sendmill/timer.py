"""Put a dispatch job on its queue at a time, by EventBridge Scheduler.

A one-time schedule may fire twice, and fires late after an outage: the job itself looks at the
campaign's status and times before it starts anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient


class ScheduleTimer:
    """Keep one-time schedules, one for each campaign, in one group."""

    def __init__(
        self, client: EventBridgeSchedulerClient, *, group: str, role_arn: str, queue_arn: str
    ) -> None:
        self._client = client
        self._group = group
        self._role_arn = role_arn
        self._queue_arn = queue_arn

    def at(self, when: int, name: str, body: str) -> None:
        """Have the body put on the dispatch queue at ``when``, seconds since 1970.

        The schedule's name ends in its time: one that has fired never fires again. Raises
        QueueUnavailable.
        """
        moment = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        try:
            self._client.create_schedule(
                Name=f"{name}-{when}"[-64:],
                GroupName=self._group,
                ScheduleExpression=f"at({moment})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": self._queue_arn, "RoleArn": self._role_arn, "Input": body},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise QueueUnavailable(f"scheduling: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise QueueUnavailable(f"scheduling: {type(error).__name__}") from error
