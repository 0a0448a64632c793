"""The task that mails one person a whole message: ``send_email``.

Applications that write their mails themselves send it, such as Django's by
:mod:`sendmill.contrib.django.mail`: one task for each recipient, so that a refused address holds up
nobody else and a retry mails nobody twice.
"""

from __future__ import annotations

import base64
import binascii

from sendmill.errors import PermanentError
from sendmill.tasks.builtin.email import notifier
from sendmill.tasks.context import TaskContext, current_task
from sendmill.tasks.declaration import task
from sendmill.tasks.errors import PermanentFailure
from sendmill.tasks.uuid7 import new_id


@task(name="send_email", permanent=(PermanentError,))
def send_email(to: str, mime: str, from_email: str = "") -> str:
    """Mail one recipient a message; return the provider's id.

    ``mime`` is all of it as RFC 5322, in base64; ``from_email`` is the envelope's sender, where the
    provider is an SMTP server.
    """
    run = current_task() or TaskContext(task_id=new_id(), task="send_email")
    try:
        raw = base64.b64decode(mime, validate=True)
    except binascii.Error as error:
        raise PermanentFailure(f"mime must be base64: {error}") from error
    if not raw:
        raise PermanentFailure("mime must hold a message (got nothing)")
    return notifier().forward(run, to=to, raw=raw, from_email=from_email)
