"""The task that mails one person: ``send_notification_email``.

It goes through the same providers, the same header guard and the same suppression list as
campaigns. What the provider answers decides: taken is done; refused for now is tried again;
refused for ever is a dead letter; and where the answer was lost, the mail is not sent again by
itself (:mod:`.send_log`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from sendmill.errors import PermanentError
from sendmill.tasks.context import TaskContext, current_task
from sendmill.tasks.declaration import task
from sendmill.tasks.errors import PermanentFailure, Retry, Skip
from sendmill.tasks.uuid7 import new_id

if TYPE_CHECKING:
    from sendmill.campaign import Config
    from sendmill.mail import Mail
    from sendmill.outcome import Outcome
    from sendmill.tasks.builtin.people import People, UserId
    from sendmill.tasks.builtin.send_log import Standing
    from sendmill.template import Rendered

# The only one that a mail about the person's own business may pass by.
_UNSUBSCRIBED = "unsubscribed"
# RFC 3834: no vacation notices for what no person wrote.
_HEADERS = (("Auto-Submitted", "auto-generated"),)


class Mailer(Protocol):
    """Hand mails to a provider, each exactly once."""

    def send(self, config: Config, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order; never raises for a mail."""


class Templates(Protocol):
    """Know the templates."""

    def render(self, name: str, subject: str, context: Mapping[str, Any]) -> Rendered:
        """Return a mail; raises InvalidTemplate."""


class Log(Protocol):
    """Remember which mails are on their way."""

    def begin(self, task_id: str, message_id: str, *, redriven: bool) -> Standing:
        """Say that the mail is about to be sent; anything but FREE forbids it."""

    def end(self, task_id: str, standing: Standing, provider_id: str = "") -> None:
        """Say what became of the mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """Hold what a notification needs; built once for each process.

    ``suppressed`` returns why an address (by its hash) must not be mailed, or an empty string.
    """

    config: Config
    people: People
    templates: Templates
    suppressed: Callable[[str], str]
    mailer: Mailer
    log: Log
    hash_key: bytes

    def notify(
        self,
        run: TaskContext,
        *,
        user_id: UserId,
        subject: str,
        template_name: str,
        context: Mapping[str, Any],
        email: str = "",
        transactional: bool = False,
    ) -> str:
        """Mail one person; return the provider's id of the mail.

        Raises Skip for a suppressed address, Retry for what may pass, PermanentFailure otherwise.
        """
        from sendmill.contact import address_hash, normalise_address
        from sendmill.mail import check_headers

        person = self.people.find(user_id, email=email)
        address = normalise_address(person.email)
        reason = self.suppressed(address_hash(self.hash_key, address))
        if reason and not (transactional and reason == _UNSUBSCRIBED):
            raise Skip(f"suppressed: {reason}")
        seen = {"user": person.as_user(), "user_id": user_id, "subject": subject, **context}
        mail = self._mail(run, address, self.templates.render(template_name, subject, seen))
        check_headers(mail)
        return self._send(run, mail)

    def forward(self, run: TaskContext, *, to: str, raw: bytes, from_email: str) -> str:
        """Mail one person a whole message as an application wrote it; return the provider's id.

        An application's own mails are no newsletter: who unsubscribed gets them, who bounced or
        complained does not. Raises Skip, Retry and PermanentFailure as :meth:`notify` does.
        """
        from sendmill.contact import address_hash, normalise_address
        from sendmill.template import Rendered

        address = normalise_address(to)
        reason = self.suppressed(address_hash(self.hash_key, address))
        if reason and reason != _UNSUBSCRIBED:
            raise Skip(f"suppressed: {reason}")
        mail = self._mail(run, address, Rendered(subject="", text="", html=""))
        config = replace(self.config, from_email=from_email or self.config.from_email)
        return self._send(run, replace(mail, raw=raw, config=config, headers=()))

    def _mail(self, run: TaskContext, address: str, rendered: Rendered) -> Mail:
        from sendmill.contact import recipient_id
        from sendmill.mail import Mail

        # a bounce brings these back, and suppresses the address from which the second one was made
        name = "task_" + hashlib.sha256(run.task_id.encode()).hexdigest()[:32]
        return Mail(
            config=self.config,
            to=address,
            rendered=rendered,
            campaign_id=name,
            rid=recipient_id(self.hash_key, name, address),
            attempt=run.attempt,
            headers=_HEADERS,
        )

    def _send(self, run: TaskContext, mail: Mail) -> str:
        from sendmill.outcome import Fate
        from sendmill.tasks.builtin.send_log import Standing

        standing = self.log.begin(run.task_id, run.message_id, redriven=run.redriven)
        if standing is Standing.SENT:
            raise Skip("mailed already")
        if standing is not Standing.FREE:
            self.log.end(run.task_id, Standing.UNKNOWN)
            _refuse_unknown("a worker ended while the mail was being handed over")
        (outcome,) = self.mailer.send(mail.config, [mail])
        if outcome.fate is Fate.ACCEPTED:
            self.log.end(run.task_id, Standing.SENT, outcome.message_id)
            return outcome.message_id
        if outcome.fate is Fate.UNKNOWN:
            self.log.end(run.task_id, Standing.UNKNOWN)
            _refuse_unknown(outcome.reason)
        self.log.end(run.task_id, Standing.FREE)
        if outcome.fate is Fate.NEVER:
            raise PermanentFailure(f"the provider refused the mail: {outcome.reason}")
        # STOP too (a paused account, a wrong password): somebody may put it right meanwhile
        raise Retry(f"the provider did not take the mail: {outcome.reason}")


class Sender(Protocol):
    """Send what the tasks send: :class:`Notifier`, or an application's own way."""

    def notify(
        self,
        run: TaskContext,
        *,
        user_id: UserId,
        subject: str,
        template_name: str,
        context: Mapping[str, Any],
        email: str = "",
        transactional: bool = False,
    ) -> str:
        """Mail one person a template; return the provider's id."""

    def forward(self, run: TaskContext, *, to: str, raw: bytes, from_email: str) -> str:
        """Mail one person a whole message; return the provider's id."""


_make_sender: Callable[[], Sender] | None = None


def use_notifier(make: Callable[[], Sender] | None) -> None:
    """Have mails leave another way than by the environment's: an application's own, or a test's."""
    global _make_sender
    _make_sender = make


def notifier() -> Sender:
    """Return what mails; raises InvalidSettings naming what the environment lacks."""
    if _make_sender is not None:
        return _make_sender()
    from sendmill.tasks.builtin.wiring import notifier_of_the_environment

    return notifier_of_the_environment()


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
    run = current_task() or TaskContext(task_id=new_id(), task="send_notification_email")
    return notifier().notify(
        run,
        user_id=user_id,
        subject=subject,
        template_name=template_name,
        context=context or {},
        email=email,
        transactional=transactional,
    )


def _refuse_unknown(reason: str) -> NoReturn:
    raise PermanentFailure(
        f"unknown: the mail may have gone out ({reason}); it is not sent again unless this dead "
        "letter is sent back"
    )
