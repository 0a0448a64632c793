"""A real SMTP server for tests and the demo: STARTTLS and AUTH required, faults on demand.

    SMTP_USER=u SMTP_PASSWORD=p python smtp_server.py --port 2525 --control-port 2526 --folder DIR

prints `SMTP ready on 127.0.0.1:2525 trust DIR/ca.pem` and serves until SIGTERM. The control side
speaks JSON: GET/DELETE /_smtp/messages, GET /_smtp/stats, PUT/DELETE /_smtp/faults (see
`smtp_faults`). Tests use the class instead:

    with SmtpServer(user="u", password="p", folder=tmp_path) as server:
        ... server.port, server.authority, server.mails, server.faults.replace([...])
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import os
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import Envelope, LoginPassword

from smtp_certificate import make_certificates
from smtp_conversation import Conversation
from smtp_faults import SmtpFaults
from standin.wire import Connection, Request, Response, serve

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """A mail the server took responsibility for."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    user: str
    received_at: float


class SmtpServer:
    """Listen on loopback in a thread, or in a running loop by `serve`."""

    def __init__(self, *, user: str, password: str, folder: Path, port: int = 0) -> None:
        self.faults = SmtpFaults()
        self.mails: list[ReceivedMail] = []
        self.connections = 0
        self.per_recipient: Counter[str] = Counter()
        self.port = port
        self._credentials = (user.encode(), password.encode())
        self._folder = folder
        self._certificates = make_certificates(folder)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def authority(self) -> Path:
        """The PEM file a client must trust."""
        return self._certificates.authority

    async def serve(self) -> asyncio.Server:
        """Start in the running loop; `port` is the real one afterwards."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificates.chain, self._certificates.key)
        loop = asyncio.get_running_loop()

        def conversation() -> Conversation:
            self.connections += 1
            return Conversation(self, context, loop)

        server = await loop.create_server(conversation, HOST, self.port)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    def __enter__(self) -> SmtpServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready.set,), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise TimeoutError("SMTP server not ready after 10 s")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def set_password(self, password: str) -> None:
        """Take another password from now on, and the old one no longer."""
        self._credentials = (self._credentials[0], password.encode())

    def check_login(self, login: LoginPassword) -> bool:
        """Tell whether user and password are right."""
        user, password = self._credentials
        # Both are compared, so the time taken tells nothing.
        return hmac.compare_digest(login.login, user) & hmac.compare_digest(
            login.password, password
        )

    def keep(self, envelope: Envelope, user: str) -> int:
        """Store a mail in the list and in the folder; return its number."""
        mail = ReceivedMail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            data=bytes(envelope.original_content or b""),
            user=user,
            received_at=time.time(),
        )
        self.mails.append(mail)
        self.per_recipient.update(address.lower() for address in mail.recipients)
        (self._folder / f"{len(self.mails):06d}.eml").write_bytes(mail.data)
        return len(self.mails)

    def clear(self) -> None:
        """Forget mails and counts; faults stay."""
        self.mails.clear()
        self.per_recipient.clear()
        self.connections = 0

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "connections": self.connections,
            "mails": len(self.mails),
            "per_recipient": dict(self.per_recipient),
        }

    def _run(self, ready: Callable[[], None]) -> None:
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(self.serve())
        ready()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


def control(server: SmtpServer) -> Callable[[Request, Connection], Any]:
    """Return the handler of the control side."""

    async def handle(request: Request, _: Connection) -> Response:
        call = (request.method, request.path)
        try:
            if call == ("PUT", "/_smtp/faults"):
                server.faults.replace(request.json())
            elif call == ("DELETE", "/_smtp/faults"):
                server.faults.rules = []
            elif call == ("DELETE", "/_smtp/messages"):
                server.clear()
            elif call == ("GET", "/_smtp/messages"):
                mails = [{**asdict(m), "data": m.data.decode("latin-1")} for m in server.mails]
                return Response.of_json({"count": len(mails), "messages": mails})
            elif call in (("GET", "/_smtp/stats"), ("GET", "/_smtp/health")):
                return Response.of_json(server.stats())
            else:
                return Response.of_json({"message": f"no such call: {call}"}, status=404)
        except (ValueError, TypeError) as error:
            return Response.of_json({"message": str(error)}, status=400)
        return Response(status=204)

    return handle


async def run(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    server = SmtpServer(
        user=os.environ["SMTP_USER"],
        password=os.environ["SMTP_PASSWORD"],
        folder=arguments.folder,
        port=arguments.port,
    )
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await server.serve()
    await serve(control(server), host=HOST, port=arguments.control_port)
    print(f"SMTP ready on {HOST}:{server.port} trust {server.authority}", flush=True)
    await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="SMTP server on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
