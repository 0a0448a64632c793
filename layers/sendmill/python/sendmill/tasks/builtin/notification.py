"""What a notification is, and who mails it: the processor, or an application in its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sendmill.tasks.builtin.people import Person, UserId
from sendmill.tasks.context import TaskContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Hold one mail to one person, made from a template.

    ``email`` is the address, where it is known. ``transactional`` mails also who unsubscribed (a
    password reset is no newsletter), but nobody who bounced or complained.
    """

    user_id: UserId
    subject: str
    template_name: str
    context: Mapping[str, Any] = field(default_factory=dict)
    email: str = ""
    transactional: bool = False

    def seen_by(self, person: Person) -> dict[str, Any]:
        """Return what the template sees when this person is written to."""
        about = {"user": person.as_user(), "user_id": self.user_id, "subject": self.subject}
        return {**about, **self.context}


class Sender(Protocol):
    """Mail what the built-in tasks mail."""

    def notify(self, run: TaskContext, notification: Notification) -> str:
        """Mail one person a template; return the provider's id."""

    def forward(self, run: TaskContext, *, to: str, raw: bytes, from_email: str) -> str:
        """Mail one person a whole message; return the provider's id."""


_make_sender: Callable[[], Sender] | None = None


def use_notifier(make: Callable[[], Sender] | None) -> None:
    """Have mails leave another way than by the environment's: an application's own, or a test's."""
    global _make_sender
    _make_sender = make


def chosen_sender() -> Sender | None:
    """Return what was chosen by :func:`use_notifier`, or None."""
    return _make_sender() if _make_sender is not None else None
