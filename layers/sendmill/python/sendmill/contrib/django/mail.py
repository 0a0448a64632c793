"""An e-mail backend: every mail of ``django.core.mail`` becomes tasks, one for each recipient.

``send_mail`` returns when the mail is on the queue (in a transaction: at commit), and the task
processor mails it. With ``USE_ASYNC_TASKS = False`` it is sent at once.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any

from django import VERSION
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.encoding import punycode

from sendmill.contrib.django import conf, people
from sendmill.tasks.client import sqs_client
from sendmill.tasks.runtime import runtime

logger = logging.getLogger("sendmill.tasks")
# The task of the processor that takes a whole message.
TASK = "send_email"


class EmailBackend(BaseEmailBackend):
    """Send mails as tasks.

    ``fail_silently`` keeps quiet about a queue that did not take a mail, as Django's SMTP backend
    keeps quiet about a server; a wrong header or a mail that is too large is always raised. A mail
    counts as sent when every recipient's task was taken. With synchronous tasks the mail leaves by
    ``SENDMILL_DIRECT_EMAIL_BACKEND`` (:mod:`.people`).
    """

    def __init__(
        self,
        fail_silently: bool = False,
        queue: str = "",
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        # whoever calls send_mail(auth_user=...) means an SMTP server: here it changes nothing
        super().__init__(**kwargs)
        self.fail_silently = fail_silently
        self.queue = queue

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send mails and return how many were taken."""
        conf.apply()
        if runtime().is_synchronous:
            direct = people.direct_backend(fail_silently=self.fail_silently)
            return int(direct.send_messages(email_messages) or 0)
        return sum(self._send(message) for message in email_messages or ())

    def _send(self, message: EmailMessage) -> bool:
        payloads = payloads_of(message)
        items = [
            {"task_name": TASK, "payload": payload, "queue": self.queue or None}
            for payload in payloads
        ]
        failed = [sent.error for sent in sqs_client.send_many(items) if sent.error is not None]
        if failed and not self.fail_silently:
            raise failed[0]
        for error in failed:
            logger.warning("mail_not_sent %s", error)
        return bool(payloads) and not failed


def payloads_of(message: EmailMessage) -> list[dict[str, str]]:
    """Return a mail as the processor takes it, once for each recipient; raises ValueError.

    All of it is written here, so that what is wrong is raised here. Blind copies are recipients,
    and in no header.
    """
    recipients = dict.fromkeys(bare_address(address) for address in message.recipients())
    if not recipients:
        return []
    sender = bare_address(message.from_email)
    mime = base64.b64encode(_as_bytes(message)).decode()
    return [{"to": to, "mime": mime, "from_email": sender} for to in recipients]


def bare_address(text: object) -> str:
    """Return the address alone, its domain in ASCII; raises ValueError."""
    written = str(text)
    if any(character in written for character in "\r\n\x00"):
        raise ValueError(f"an address must not contain a line break or NUL (got {written!r})")
    address = parseaddr(written)[1]
    local, at, domain = address.rpartition("@")
    if not address or (at and not local):
        raise ValueError(f"{written!r} is no address")
    if domain.isascii():
        return address
    return f"{local}{at}{punycode(domain)}"


def _as_bytes(message: EmailMessage) -> bytes:
    if VERSION >= (6, 0):
        return bytes(message.message(policy=SMTP).as_bytes())
    return bytes(message.message().as_bytes(linesep="\r\n"))
