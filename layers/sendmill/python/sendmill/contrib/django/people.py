"""Let the built-in tasks know Django's users, and mail by Django where Django runs them.

In the processor's Lambda, mails leave by SES or SMTP as its environment says. In a process of the
project (synchronous tasks, ``tasks_worker``, a Lambda with the project in it) there is no such
environment: there the project's own e-mail settings hold.
"""

from __future__ import annotations

import os
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils.module_loading import import_string

from sendmill.tasks.builtin.notification import Notification, use_notifier
from sendmill.tasks.builtin.people import People, Person, UserId, register_user_lookup
from sendmill.tasks.builtin.texts import TEXTS

if TYPE_CHECKING:
    from sendmill.tasks.context import TaskContext

SMTP = "django.core.mail.backends.smtp.EmailBackend"
# What the processor has and no other process: with it, mails leave by its providers.
_PROCESSORS_OWN = "KEYS_SECRET_NAME"


def connect() -> None:
    """Register the lookup of users and, outside of the processor, Django's own mail."""
    register_user_lookup(find_user)
    if _PROCESSORS_OWN not in os.environ:
        use_notifier(DjangoNotifier)


def find_user(user_id: UserId) -> Person | None:
    """Return the user with this primary key, or None."""
    try:
        user = get_user_model()._default_manager.filter(pk=user_id).first()
    except (ImproperlyConfigured, ValueError, TypeError, ValidationError):
        return None  # no users here, or an id that cannot be one
    email = getattr(user, user.get_email_field_name(), "") if user else ""
    if not email:
        return None
    names = ("first_name", "last_name", "username")
    return Person(email=email, fields={n: getattr(user, n) for n in names if hasattr(user, n)})


def direct_backend(**options: Any) -> Any:
    """Return the e-mail backend that mails leave by in this process.

    The setting ``SENDMILL_DIRECT_EMAIL_BACKEND``: the path of one, Django's for SMTP by default, or
    with ``MAILERS`` (Django 6.1) the name of a mailer.
    """
    named = getattr(settings, "SENDMILL_DIRECT_EMAIL_BACKEND", SMTP)
    if named in getattr(settings, "MAILERS", {}):
        return mail.mailers[named]
    return import_string(named)(**options)


class DjangoNotifier:
    """Send what the built-in tasks send by Django's own mail."""

    def notify(self, run: TaskContext, notification: Notification) -> str:
        """Mail one person a template of the project."""
        # Jinja2 takes its time, and a process that only sends has no use for it
        from sendmill.tasks.builtin.letters import LetterTemplates

        people = People(read=lambda name: None)
        person = people.find(notification.user_id, email=notification.email)
        seen = notification.seen_by(person)
        templates = LetterTemplates(sources=(TEXTS.get,))
        found = templates.render(notification.template_name, notification.subject, seen)
        letter = EmailMultiAlternatives(found.subject, found.text, None, [person.email])
        if found.html:
            letter.attach_alternative(found.html, "text/html")
        direct_backend().send_messages([letter])
        return ""

    def forward(self, run: TaskContext, *, to: str, raw: bytes, from_email: str) -> str:
        """Mail one person a message that is written already."""
        direct_backend().send_messages([WrittenMail(to, raw, from_email)])
        return ""


class WrittenMail(EmailMessage):
    """A mail that is written already; backends ask it for its message and its recipients."""

    def __init__(self, to: str, raw: bytes, from_email: str) -> None:
        self._parsed = message_from_bytes(raw, policy=policy.SMTP)
        sender = from_email or str(self._parsed["From"])
        super().__init__(str(self._parsed["Subject"] or ""), "", sender, [to])

    def message(self, **_: Any) -> Any:
        """Return the message as it was written."""
        return self._parsed
