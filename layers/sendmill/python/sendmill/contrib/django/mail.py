"""An e-mail backend: every mail of ``django.core.mail`` becomes a task of its own.

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

from sendmill.contrib.django import conf
from sendmill.errors import PermanentError
from sendmill.tasks.client import sqs_client
from sendmill.tasks.errors import EnqueueError

logger = logging.getLogger("sendmill.tasks")
# The task of the processor that takes a whole message; its payload is from_email, recipients, mime.
TASK = "send_email"


class EmailBackend(BaseEmailBackend):
    """Send mails as tasks.

    ``fail_silently`` keeps quiet about a queue that did not take a mail, as Django's SMTP backend
    keeps quiet about a server; a wrong header or a mail that is too large is always raised.
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
        return sum(self._send(message) for message in email_messages or ())

    def _send(self, message: EmailMessage) -> bool:
        recipients = message.recipients()
        if not recipients:
            return False
        payload = payload_of(message, recipients)
        try:
            sqs_client.send_task(task_name=TASK, payload=payload, queue=self.queue or None)
        except (EnqueueError, PermanentError) as error:
            if not (self.fail_silently and isinstance(error, EnqueueError)):
                raise
            logger.warning("mail_not_sent %s", error)
            return False
        return True


def payload_of(message: EmailMessage, recipients: Sequence[str]) -> dict[str, Any]:
    """Return a mail as the processor takes it: who gets it, and all of it as RFC 5322.

    Blind copies are among the recipients and in no header. Raises ValueError.
    """
    return {
        "from_email": bare_address(message.from_email),
        "recipients": [bare_address(address) for address in recipients],
        "mime": base64.b64encode(_as_bytes(message)).decode(),
    }


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
