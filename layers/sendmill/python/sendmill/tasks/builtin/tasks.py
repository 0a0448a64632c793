"""The tasks that Sendmill brings along, as messages name them.

What they do stands in ``email``, ``files`` and ``reports`` of this package. An application that
only sends imports this module too, so the workers, and boto3 with them, are imported inside the
functions: when a task runs.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sendmill.errors import PermanentError
from sendmill.tasks.builtin.notification import Notification, Sender, chosen_sender
from sendmill.tasks.context import TaskContext, current_task
from sendmill.tasks.declaration import task
from sendmill.tasks.errors import PermanentFailure
from sendmill.tasks.uuid7 import new_id


@task(name="send_notification_email", sync_fallback=True, permanent=(PermanentError,))
def send_notification_email(
    *,
    user_id: int | str,
    subject: str,
    template_name: str,
    context: dict[str, Any] | None = None,
    email: str = "",
    transactional: bool = False,
) -> str:
    """Mail one user a rendered template; return the provider's id.

    ``email`` is the address, where the sender knows it. ``transactional`` mails also who
    unsubscribed (a password reset is no newsletter), but nobody who bounced or complained.
    """
    notification = Notification(
        user_id=user_id,
        subject=subject,
        template_name=template_name,
        context=context or {},
        email=email,
        transactional=transactional,
    )
    return _sender().notify(_run("send_notification_email"), notification)


@task(name="send_email", permanent=(PermanentError,))
def send_email(to: str, mime: str, from_email: str = "") -> str:
    """Mail one recipient a message that an application wrote; return the provider's id.

    ``mime`` is all of it as RFC 5322, in base64; ``from_email`` is the envelope's sender, where the
    provider is an SMTP server. One task for each recipient: a refused address holds up nobody else,
    and a retry mails nobody twice.
    """
    try:
        raw = base64.b64decode(mime, validate=True)
    except binascii.Error as error:
        raise PermanentFailure(f"mime must be base64: {error}") from error
    if not raw:
        raise PermanentFailure("mime must hold a message (got nothing)")
    return _sender().forward(_run("send_email"), to=to, raw=raw, from_email=from_email)


@task(
    name="guard_report",
    aliases=("process_guard_report",),
    permanent=(PermanentError,),
)
def guard_report(*, report_id: int | str) -> str:
    """Check the files of a report, make thumbnails, write the result, tell the supervisors."""
    from sendmill.tasks.builtin.wiring import report_worker

    return report_worker().process(str(report_id), _run("guard_report"))


@task(name="generate_report", permanent=(PermanentError,))
def generate_report(
    *,
    title: str,
    formats: list[str] | None = None,
    rows: list[Any] | None = None,
    source: str = "",
    columns: list[str] | None = None,
    notify: list[Any] | None = None,
) -> list[str]:
    """Write rows, or a JSON or CSV file of the bucket, in the formats named; return the keys.

    ``formats`` are some of csv, html, pdf (all by default); ``notify`` holds objects with
    ``user_id`` or ``email``, each of whom is mailed links.
    """
    from sendmill.tasks.builtin.reports import FORMATS, Order
    from sendmill.tasks.builtin.wiring import report_writer

    order = Order(
        title=title,
        formats=FORMATS if formats is None else formats,
        rows=rows,
        source=source,
        columns=columns or (),
        notify=notify or (),
    )
    return report_writer().write(order, _run("generate_report"))


@task(name="send_report_links", permanent=(PermanentError,))
def send_report_links(
    *, user_id: int | str, title: str, rows: int, keys: list[str], email: str = ""
) -> str:
    """Mail one reader links to generated reports; return the provider's id."""
    from sendmill.tasks.builtin.wiring import link_mailer

    run = _run("send_report_links")
    return link_mailer().mail(run, user_id=user_id, email=email, title=title, rows=rows, keys=keys)


def _run(name: str) -> TaskContext:
    """Return the run that this is; a plain call is a run of its own."""
    return current_task() or TaskContext(task_id=new_id(), task=name)


def _sender() -> Sender:
    """Return what mails; a project that mails by its own backend needs no settings of AWS."""
    if (chosen := chosen_sender()) is not None:
        return chosen
    from sendmill.tasks.builtin.wiring import notifier_of_the_environment

    return notifier_of_the_environment()
