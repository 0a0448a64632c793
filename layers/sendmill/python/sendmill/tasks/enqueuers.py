"""Send the tasks that every installation has, under the names that applications call them by."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from sendmill.tasks.client import sqs_client
from sendmill.tasks.result import EnqueueResult

NOTIFICATION_EMAIL = "send_notification_email"
GUARD_REPORT = "guard_report"


def send_notification_email(
    *,
    user_id: int | str,
    subject: str,
    template_name: str,
    context: Mapping[str, Any] | None = None,
    email: str = "",
    transactional: bool = False,
    **options: Any,
) -> EnqueueResult:
    """Mail a user a template; ``options`` are those of ``sqs_client.send_task``.

    The processor needs an address. Without ``email`` it is asked for here, of the lookups that are
    registered in this process (Django registers one), and else left to the processor.
    ``transactional`` mails also who unsubscribed.
    """
    payload: dict[str, Any] = {
        "user_id": user_id,
        "subject": subject,
        "template_name": template_name,
        "context": dict(context or {}),
    }
    if address := email or _address_of(user_id):
        payload["email"] = address
    if transactional:
        payload["transactional"] = True
    return sqs_client.send_task(NOTIFICATION_EMAIL, payload, **options)


def _address_of(user_id: int | str) -> str:
    """Return the address that a lookup registered here knows; imports nothing to find out."""
    people = sys.modules.get("sendmill.tasks.builtin.people")
    return str(people.known_address(user_id)) if people is not None else ""


def process_guard_report(*, report_id: int | str, **options: Any) -> EnqueueResult:
    """Have the files of a guard report processed; ``options`` as for ``sqs_client.send_task``."""
    return sqs_client.send_task(GUARD_REPORT, {"report_id": report_id}, **options)
