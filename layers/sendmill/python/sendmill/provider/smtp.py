"""Send over SMTP, and know at every moment how far a mail has come.

``smtplib.sendmail`` raises the same error for a connection lost at RCPT and for one lost after
the final dot; only the second is unknown. So each command is sent by itself here, and its phase
decides what a loss means. Connections are opened with TLS, signed in once, and reused for the
mails of a batch.
"""

from __future__ import annotations

import math
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parseaddr

from sendmill.mail import Mail, mime_message
from sendmill.outcome import (
    Fate,
    Outcome,
    Phase,
    accepted,
    classify_smtp_loss,
    classify_smtp_reply,
)
from sendmill.secret import SmtpServer

# Connections side by side: servers mind many, and each is reused for a share of the batch.
LANES = 4
CONNECT_SECONDS = 10
# Each reply is waited for this long, while there is time.
REPLY_SECONDS = 20
# A connection begins no mail after so long: with the replies of its last one it ends below the
# 300 s of the worker, who could write nothing of a batch in which he is killed.
LANE_SECONDS = 120
_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")


_NOT_ASKED = Outcome(fate=Fate.LATER, reason="server_too_slow", unasked=True)
_NO_TIME = Outcome(fate=Fate.LATER, reason="out_of_time", unasked=True)
# Before the body a server has taken nothing: a mail that is given up there was certainly not sent.
_MAY_BE_TAKEN = (Phase.BODY, Phase.FINAL)


class SmtpProvider:
    """Send the mails of a batch over a few connections to one server."""

    def __init__(
        self,
        server: SmtpServer,
        *,
        lanes: int = LANES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._lanes = lanes
        self._monotonic = monotonic

    def send_all(self, mails: Sequence[Mail], *, within: float = math.inf) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order, ``within`` so many seconds.

        No body is sent whose reply there may be no time for; such a mail is not sent.
        """
        end = self._monotonic() + within
        count = min(self._lanes, len(mails))
        shares = [range(lane, len(mails), count) for lane in range(count)]
        outcomes: dict[int, Outcome] = {}
        with ThreadPoolExecutor(max(1, count), thread_name_prefix="smtp") as pool:
            answers = pool.map(lambda share: self._lane(mails, share, end), shares)
            for share, found in zip(shares, answers, strict=True):
                outcomes.update(zip(share, found, strict=True))
        return [outcomes[n] for n in range(len(mails))]

    def _lane(self, mails: Sequence[Mail], share: Sequence[int], end: float) -> list[Outcome]:
        last = self._monotonic() + LANE_SECONDS
        with _Session(self._server, lambda: end - self._monotonic()) as session:
            return [
                session.send(mails[n]) if self._monotonic() < last else _NOT_ASKED for n in share
            ]


class _Session:
    """Hold one connection, opened when the first mail needs it and again after a loss.

    ``time_left`` says in how many seconds all must be over.
    """

    def __init__(self, server: SmtpServer, time_left: Callable[[], float]) -> None:
        self._server = server
        self._time_left = time_left
        self._smtp: smtplib.SMTP | None = None
        self._refusal: Outcome | None = None
        self._phase = Phase.CONNECT

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._smtp is not None:
            try:
                self._wait_at_most(REPLY_SECONDS, self._time_left())
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._smtp.close()

    def send(self, mail: Mail) -> Outcome:
        """Return the outcome of one mail; it is sent at most once."""
        if self._refusal is not None:
            # what the server refused to everybody need not be asked again
            return self._refusal
        try:
            return self._converse(mail)
        except smtplib.SMTPResponseException as error:
            self._drop()
            if self._phase in _MAY_BE_TAKEN:
                # smtplib's own word for a reply it could not read: the mail may be taken
                return classify_smtp_loss(phase=self._phase, detail=type(error).__name__)
            outcome = classify_smtp_reply(
                phase=self._phase, code=error.smtp_code, text=_text(error.smtp_error)
            )
            if outcome.fate is Fate.STOP:
                self._refusal = outcome
            return outcome
        except smtplib.SMTPNotSupportedError as error:
            self._drop()
            self._refusal = Outcome(fate=Fate.STOP, reason="smtp_no_tls_or_auth", detail=str(error))
            return self._refusal
        except ssl.SSLCertVerificationError as error:
            self._drop()
            self._refusal = Outcome(
                fate=Fate.STOP, reason="certificate_rejected", detail=error.verify_message
            )
            return self._refusal
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            if self._phase not in _MAY_BE_TAKEN and self._time_before_body() <= 0:
                return _NO_TIME
            return classify_smtp_loss(phase=self._phase, detail=type(error).__name__)

    def _converse(self, mail: Mail) -> Outcome:
        self._phase = Phase.CONNECT
        smtp = self._smtp or self._open()
        sender = parseaddr(mail.config.from_email)[1]
        data = mime_message(mail, date=formatdate(), domain=sender.rpartition("@")[2])
        for phase, command in (
            (Phase.MAIL, f"MAIL FROM:<{sender}>"),
            (Phase.RCPT, f"RCPT TO:<{mail.to}>"),
        ):
            self._phase = phase
            self._hurry(REPLY_SECONDS)
            code, text = smtp.docmd(command)
            if not 200 <= code < 300:
                return self._refused(smtp, code, text)
        self._phase = Phase.DATA
        self._hurry(REPLY_SECONDS)
        code, text = smtp.docmd("DATA")
        if code != 354:
            return self._refused(smtp, code, text)
        self._hurry(REPLY_SECONDS)
        self._phase = Phase.BODY
        self._wait_at_most(REPLY_SECONDS, self._time_left())
        smtp.send(dot_stuffed(data))
        self._phase = Phase.FINAL
        self._wait_at_most(REPLY_SECONDS, max(1.0, self._time_left()))
        code, text = smtp.getreply()
        if not 200 <= code < 300:
            return self._refused(smtp, code, text)
        return accepted(_queue_id(_text(text)) or f"{mail.rid}.{mail.attempt}")

    def _refused(self, smtp: smtplib.SMTP, code: int, text: bytes) -> Outcome:
        if code == -1:
            # how smtplib reports a connection that closed where a reply should be
            raise smtplib.SMTPServerDisconnected("no reply")
        outcome = classify_smtp_reply(phase=self._phase, code=code, text=_text(text))
        if outcome.fate is Fate.STOP:
            self._refusal = outcome
        if code == 421 or not _reset(smtp):
            self._drop()
        return outcome

    def _open(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cadata=self._server.ca_certificate or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        host, port = self._server.host, self._server.port
        timeout = self._hurry(CONNECT_SECONDS)
        smtp: smtplib.SMTP
        if self._server.tls == "implicit":
            smtp = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
        else:
            smtp = smtplib.SMTP(host, port, timeout=timeout)
        self._smtp = smtp
        self._hurry(CONNECT_SECONDS)
        smtp.ehlo_or_helo_if_needed()
        if self._server.tls == "starttls":
            self._hurry(CONNECT_SECONDS)
            smtp.starttls(context=context)
            self._hurry(CONNECT_SECONDS)
            smtp.ehlo()
        self._phase = Phase.AUTH
        self._hurry(CONNECT_SECONDS)
        smtp.login(self._server.username, self._server.password)
        return smtp

    def _hurry(self, seconds: float) -> float:
        """Wait no longer than there is time for what comes before a body; return how long.

        Raises TimeoutError when there is none.
        """
        return self._wait_at_most(seconds, self._time_before_body())

    def _time_before_body(self) -> float:
        return self._time_left() - REPLY_SECONDS

    def _wait_at_most(self, seconds: float, left: float) -> float:
        if left <= 0:
            raise TimeoutError("the worker has no more time")
        if self._smtp is not None and self._smtp.sock is not None:
            self._smtp.sock.settimeout(min(seconds, left))
        return min(seconds, left)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _reset(smtp: smtplib.SMTP) -> bool:
    """Close the transaction that a refused command left open; tell whether the line stands."""
    try:
        return smtp.rset()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def dot_stuffed(data: bytes) -> bytes:
    """Return the mail as DATA wants it: CRLF line ends only, dots doubled, and the final dot.

    A bare CR or LF in front of a dot is how mails are smuggled (CVE-2023-51764).
    """
    lines = _BARE_NEWLINE.sub(b"\r\n", data).split(b"\r\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw


def _queue_id(reply: str) -> str:
    """Return the id in a reply such as ``Ok 0102018c`` (SES) or ``queued as 4F1``."""
    words = reply.split()
    return words[-1][:100] if len(words) > 1 else ""
