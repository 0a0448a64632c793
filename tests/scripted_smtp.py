"""An SMTP server of sockets that follows a script, for what real servers do only on bad days."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sendmill.secret import SmtpServer

PASSWORD = "a password"
PLAIN = SmtpServer(host="127.0.0.1", port=0, username="sender", password=PASSWORD, tls="none")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ScriptedServer:
    """Speak SMTP by a script: what to answer at a step, or ``drop``.

    ``script`` maps a step (greeting, EHLO, AUTH, MAIL, RCPT, DATA, BODY, FINAL) to its answers,
    one a mail; after the last one the answer is the usual one.
    """

    def __init__(self, offers: Sequence[str] = ("AUTH PLAIN",), **script: list[str]) -> None:
        self.script = script
        self.offers = offers
        self.commands: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = replace(PLAIN, port=self._socket.getsockname()[1])
        self._threads = [threading.Thread(target=self._serve)]

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._converse, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, step: str, usual: str) -> bytes:
        scripted = self.script.get(step)
        answer = scripted.pop(0) if scripted else usual
        if answer == "drop":
            raise ConnectionAbortedError
        return answer.encode() + b"\r\n"

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(self._answer("greeting", "220 here"))
                for line in lines:
                    command = line.decode().strip()
                    self.commands.append(command)
                    verb = command.upper()[:4]
                    connection.sendall(self._answer(verb, self._usual(verb)))
                    if verb == "DATA" and "DATA" not in self.script:
                        self._take_body(lines)
                        connection.sendall(self._answer("FINAL", "250 OK queued as 4F1"))
            except OSError:
                return

    def _take_body(self, lines: Iterable[bytes]) -> None:
        body = b""
        if self.script.get("BODY"):
            self.script["BODY"].pop(0)
            raise ConnectionAbortedError
        for line in lines:
            if line == b".\r\n":
                break
            body += line
        self.bodies.append(body)

    def _usual(self, verb: str) -> str:
        return {
            "EHLO": "\r\n".join(["250-here", *(f"250-{one}" for one in self.offers), "250 HELP"]),
            "AUTH": "235 welcome",
            "DATA": "354 go on",
            "QUIT": "221 bye",
        }.get(verb, "250 OK")
