"""One SMTP conversation: what aiosmtpd does, and where a fault breaks in."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from smtp_faults import SmtpFault, SmtpFaults

# aiosmtpd warns at every login of an attribute that it sets itself.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class Keeper(Protocol):
    """What a conversation needs of its server."""

    faults: SmtpFaults

    def check_login(self, login: LoginPassword) -> bool:
        """Tell whether user and password are right."""

    def keep(self, envelope: Envelope, user: str) -> int:
        """Take responsibility for a mail; return its number."""


class Handler:
    """The hooks of one conversation; the names are aiosmtpd's."""

    def __init__(self, server: Keeper) -> None:
        self._server = server

    async def handle_MAIL(  # noqa: N802
        self, smtp: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender."""
        refused = await misbehave(smtp, self._server.faults.pick("mail", []))
        if refused:
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, smtp: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient."""
        refused = await misbehave(smtp, self._server.faults.pick("rcpt", [address]))
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, smtp: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take the message; a drop or a hang comes after it is kept."""
        fault = self._server.faults.pick("final", envelope.rcpt_tos)
        if fault and fault.do == "reply":
            return fault.reply
        number = self._server.keep(envelope, str(session.auth_data or ""))
        await misbehave(smtp, fault)
        return f"250 2.0.0 OK queued as {number:06d}"


class Conversation(SMTP):
    """One connection."""

    def __init__(
        self, server: Keeper, context: ssl.SSLContext, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        super().__init__(
            Handler(server),
            hostname="localhost",
            ident="Sendmill test server",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=self._check,
            loop=loop,
        )

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take the message, unless a fault ends it before or in the middle."""
        recipients = self.envelope.rcpt_tos if self.envelope else []
        refused = await misbehave(self, self._server.faults.pick("data", recipients))
        if refused:
            await self.push(refused)
            return
        fault = self._server.faults.pick("body", recipients) if recipients else None
        if fault:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._reader.readuntil(b"\r\n")
            await misbehave(self, fault)
        await super().smtp_DATA(arg)

    def _check(
        self, _: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        fault = self._server.faults.pick("auth", [])
        if fault or not isinstance(data, LoginPassword) or not self._server.check_login(data):
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=data.login.decode())


async def misbehave(smtp: SMTP, fault: SmtpFault | None) -> str:
    """Return the reply to refuse with, '' to go on. A drop or a hang never returns."""
    if fault is None:
        return ""
    if fault.do == "reply":
        return fault.reply
    if fault.do == "hang":
        await asyncio.sleep(fault.seconds)
    if isinstance(smtp.transport, asyncio.Transport):
        smtp.transport.abort()
    await asyncio.sleep(3600)  # the lost connection cancels this task
    return ""
