"""The tasks that Sendmill brings along: a notification by mail, a guard report, a generated report.

Importing this registers them and loads nothing else: what they need is imported when they run.
"""

from sendmill.tasks.builtin.tasks import (
    generate_report,
    guard_report,
    send_email,
    send_notification_email,
    send_report_links,
)

__all__ = [
    "generate_report",
    "guard_report",
    "send_email",
    "send_notification_email",
    "send_report_links",
]
