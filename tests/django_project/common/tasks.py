"""Background tasks of the project: sent to SQS if USE_ASYNC_TASKS is on, else run at once."""

from typing import Any

from sendmill.tasks import process_guard_report, register_handler, send_notification_email

__all__ = ["custom_processing", "process_guard_report", "send_notification_email"]


@register_handler("custom_processing")
def custom_processing(payload: dict[str, Any]) -> int:
    """Count what was sent; reached by ``sqs_client.send_task(task_name="custom_processing")``."""
    return len(payload["data"])
