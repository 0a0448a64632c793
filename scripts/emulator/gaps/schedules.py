"""EventBridge Scheduler: a request that is sent again makes nothing twice."""

from __future__ import annotations

from importlib import import_module
from typing import Any

scheduler: Any = import_module("ministack.services.scheduler")

NAME = "ClientToken"


def close() -> None:
    """Answer CreateSchedule that carries the ClientToken of the existing schedule with its ARN.

    Missing upstream: the token is ignored, so a client whose first answer was lost and who asks
    again, as every AWS SDK does by itself, is refused with a ConflictException.
    """
    original = scheduler._create_schedule

    def create(name: str, body: dict[str, Any]) -> Any:
        key = f"{body.get('GroupName', 'default')}/{name}"
        found = scheduler._schedules.get(key)
        token = body.get(NAME)
        if found is not None and token and found.get(NAME) == token:
            return scheduler._json_resp(200, {"ScheduleArn": found["Arn"]})
        answer = original(name, body)
        if answer[0] == 200:
            scheduler._schedules[key][NAME] = token
        return answer

    scheduler._create_schedule = create
