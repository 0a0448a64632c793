"""EventBridge Scheduler: requests sent again make nothing twice, and inputs know their time."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

scheduler: Any = import_module("ministack.services.scheduler")
eventbridge: Any = import_module("ministack.services.eventbridge")

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


def close_context() -> None:
    """Put the schedule's ARN and the time of the tick where a target's input asks for them.

    Missing upstream: ``<aws.scheduler.schedule-arn>`` and its like reach the target as they stand,
    so that every tick of a schedule looks the same.
    """
    original = eventbridge._invoke_target

    def invoke(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any
    ) -> Any:
        given = target.get("Input")
        if "GroupName" in rule and isinstance(given, str):
            target = {**target, "Input": _with_context(given, rule, float(event["Time"]))}
        return original(target, event, rule, *rest)

    eventbridge._invoke_target = invoke


def _with_context(text: str, schedule: dict[str, Any], moment: float) -> str:
    at = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = {
        "schedule-arn": str(schedule["Arn"]),
        "scheduled-time": at,
        "execution-id": str(uuid4()),
        "attempt-number": "1",
    }
    for name, value in known.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
