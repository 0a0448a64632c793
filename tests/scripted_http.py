"""A server for one test that speaks raw bytes: it may close, cut, delay or babble at will."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

Script = Callable[["Caller"], object]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Caller:
    """One connection as the server has it; ``number`` counts from 1."""

    def __init__(self, server: ScriptedHttp, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number

    def read(self) -> bytes:
        """Return the next whole request, or nothing when the peer has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        while found and len(body) < int(found[1]):
            body += self.sock.recv(1 << 20)
        with self.server.lock:
            self.server.requests.append(head + b"\r\n\r\n" + body)
        return body or b"-"

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def answer(self, body: bytes = b"{}", *, status: int = 200, head: str = "") -> None:
        """Send a whole answer."""
        length = f"Content-Length: {len(body)}\r\n"
        self.write(f"HTTP/1.1 {status} X\r\n{head}{length}\r\n".encode() + body)

    def reset(self) -> None:
        """Cut the connection, so that the peer's next write fails."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def echo(caller: Caller) -> None:
    """Answer every request with its body."""
    while body := caller.read():
        caller.answer(body)


class ScriptedHttp:
    """Listen on loopback; run the script once for each connection."""

    def __init__(self, script: Script = echo, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.lock = threading.Lock()
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> ScriptedHttp:
        thread = threading.Thread(target=self._accept)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.lock:
            for sock in self._socks:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self._socks.append(sock)
                thread = threading.Thread(target=self._serve, args=(sock, self.connections))
                self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            sock: Any = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with self.lock:
                self._socks.append(sock)
            try:
                self.script(Caller(self, sock, number))
            finally:
                sock.close()
