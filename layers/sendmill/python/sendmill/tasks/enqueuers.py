"""Send the tasks that every installation has, under the names that applications call them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sendmill.tasks.client import sqs_client
from sendmill.tasks.result import EnqueueResult

NOTIFICATION_EMAIL = "send_notification_email"
GUARD_REPORT = "guard_report"
GENERATED_REPORT = "generate_report"


def send_notification_email(
    *,
    user_id: int | str,
    subject: str,
    template_name: str,
    context: Mapping[str, Any] | None = None,
    **options: Any,
) -> EnqueueResult:
    """Mail a user a template; ``options`` are those of ``sqs_client.send_task``."""
    payload = {
        "user_id": user_id,
        "subject": subject,
        "template_name": template_name,
        "context": dict(context or {}),
    }
    return sqs_client.send_task(NOTIFICATION_EMAIL, payload, **options)


def process_guard_report(*, report_id: int | str, **options: Any) -> EnqueueResult:
    """Have the files of a guard report processed; ``options`` as for ``sqs_client.send_task``."""
    return sqs_client.send_task(GUARD_REPORT, {"report_id": report_id}, **options)
