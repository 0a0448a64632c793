"""What the thin enqueuers send is what the built-in tasks take."""

from __future__ import annotations

from sendmill.tasks import process_guard_report, send_notification_email
from sendmill.tasks.registry import registry
from sendmill.tasks.testing import recorded_tasks


def test_the_names_that_applications_call_are_those_of_the_built_in_tasks() -> None:
    with recorded_tasks() as tasks:
        send_notification_email(user_id=1, subject="s", template_name="a.html", context={"n": 1})
        process_guard_report(report_id=5)
    assert [(one.name, one.kwargs) for one in tasks.sent] == [
        (
            "send_notification_email",
            {"user_id": 1, "subject": "s", "template_name": "a.html", "context": {"n": 1}},
        ),
        ("guard_report", {"report_id": 5}),
    ]
    for one in tasks.sent:
        task = registry.get(one.name)
        task.arguments((), one.kwargs)
    assert registry.get("process_guard_report") is registry.get("guard_report")
