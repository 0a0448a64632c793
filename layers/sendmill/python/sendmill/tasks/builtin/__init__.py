"""The tasks that Sendmill brings along: a notification by mail, a guard report, a generated report.

Importing this registers them and loads nothing else: what they need is imported when they run.
"""

from sendmill.tasks.builtin.email import send_notification_email
from sendmill.tasks.builtin.files import guard_report
from sendmill.tasks.builtin.raw_email import send_email
from sendmill.tasks.builtin.reports import generate_report, send_report_links

__all__ = [
    "generate_report",
    "guard_report",
    "send_email",
    "send_notification_email",
    "send_report_links",
]
