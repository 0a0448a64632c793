"""Mail one person: what ``send_notification_email`` and ``send_email`` do.

It goes through the same providers, the same header guard and the same suppression list as
campaigns. What the provider answers decides: taken is done; refused for now is tried again;
refused for ever is a dead letter; and where the answer was lost, the mail is not sent again by
itself (:mod:`.send_log`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

from sendmill.campaign import Config
from sendmill.contact import address_hash, normalise_address, recipient_id
from sendmill.mail import Mail, check_headers
from sendmill.outcome import Fate, Outcome
from sendmill.tasks.builtin.notification import Notification
from sendmill.tasks.builtin.people import People
from sendmill.tasks.builtin.send_log import Standing
from sendmill.tasks.context import TaskContext
from sendmill.tasks.errors import PermanentFailure, Retry, Skip
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

    def key_of(self, run: TaskContext) -> str:
        """Return the key under which the mail of a run is remembered."""

    def begin(self, key: str, message_id: str, *, redriven: bool) -> Standing:
        """Say that the mail is about to be sent; anything but FREE forbids it."""

    def end(self, key: str, standing: Standing, provider_id: str = "") -> Standing:
        """Say what became of the mail; return what stands then."""


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

    def notify(self, run: TaskContext, notification: Notification) -> str:
        """Mail one person; return the provider's id of the mail.

        Raises Skip for a suppressed address, Retry for what may pass, PermanentFailure otherwise.
        """
        person = self.people.find(notification.user_id, email=notification.email)
        address = normalise_address(person.email)
        reason = self.suppressed(address_hash(self.hash_key, address))
        if reason and not (notification.transactional and reason == _UNSUBSCRIBED):
            raise Skip(f"suppressed: {reason}")
        rendered = self.templates.render(
            notification.template_name, notification.subject, notification.seen_by(person)
        )
        mail = self._mail(run, address, rendered)
        check_headers(mail)
        return self._send(run, mail)

    def forward(self, run: TaskContext, *, to: str, raw: bytes, from_email: str) -> str:
        """Mail one person a whole message as an application wrote it; return the provider's id.

        An application's own mails are no newsletter: who unsubscribed gets them, who bounced or
        complained does not. Raises Skip, Retry and PermanentFailure as :meth:`notify` does.
        """
        address = normalise_address(to)
        reason = self.suppressed(address_hash(self.hash_key, address))
        if reason and reason != _UNSUBSCRIBED:
            raise Skip(f"suppressed: {reason}")
        mail = self._mail(run, address, Rendered(subject="", text="", html=""))
        config = replace(self.config, from_email=from_email or self.config.from_email)
        return self._send(run, replace(mail, raw=raw, config=config, headers=()))

    def _mail(self, run: TaskContext, address: str, rendered: Rendered) -> Mail:
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
        key = self.log.key_of(run)
        standing = self.log.begin(key, run.message_id, redriven=run.redriven)
        if standing is not Standing.FREE:
            self._leave(key, standing)
        (outcome,) = self.mailer.send(mail.config, [mail])
        if outcome.fate is Fate.ACCEPTED:
            self.log.end(key, Standing.SENT, outcome.message_id)
            return outcome.message_id
        if outcome.fate is Fate.UNKNOWN:
            self.log.end(key, Standing.UNKNOWN)
            _refuse_unknown(outcome.reason)
        self.log.end(key, Standing.FREE)
        if outcome.fate is Fate.NEVER:
            raise PermanentFailure(f"the provider refused the mail: {outcome.reason}")
        # STOP too (a paused account, a wrong password): somebody may put it right meanwhile
        raise Retry(f"the provider did not take the mail: {outcome.reason}")

    def _leave(self, key: str, standing: Standing) -> NoReturn:
        """Leave a mail that somebody else has begun; what he wrote meanwhile counts."""
        if standing is Standing.SENDING:
            standing = self.log.end(key, Standing.UNKNOWN)
        if standing is Standing.SENT:
            raise Skip("mailed already")
        if standing is Standing.FREE:
            raise Retry("another worker's mail was refused just now")
        _refuse_unknown("a worker ended while the mail was being handed over")


def _refuse_unknown(reason: str) -> NoReturn:
    raise PermanentFailure(
        f"unknown: the mail may have gone out ({reason}); it is not sent again unless this dead "
        "letter is sent back"
    )
