"""Hold one connection, and know whether a byte of its request has left."""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendmill.wire.answer import MAX_HEAD_BYTES, Answer, AnswerReader

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Address = tuple[socket.AddressFamily, object]

_CHUNK = 64 * 1024
_TUNNEL_IS_OPEN = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")
# Errors of a write of which the system has not taken a byte.
_REFUSED_WRITE = (BrokenPipeError, ConnectionResetError)
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Name the HTTP proxy in front of a server; ``authorization`` is a header's value or empty."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy(host={self.host!r}, port={self.port})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Say who is talked to; ``tls`` is the context that checks its certificate, or None."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None


class Line:
    """Take one request after the other to a server; the caller waits for ``interest``.

    ``sent`` is true once a byte of the request may have left; ``others`` are the addresses to
    try if this one cannot be connected to.
    """

    __slots__ = (
        "_opening",
        "_reader",
        "_server",
        "_sock",
        "_written",
        "connected",
        "deadline",
        "fd",
        "interest",
        "is_open",
        "number",
        "opened_at",
        "others",
        "request",
        "sent",
        "used_at",
        "used_at_wall",
        "watched",
    )

    def __init__(self, server: Server, sock: socket.socket, *, now: float) -> None:
        self._server = server
        self._sock = sock
        self.fd = sock.fileno()
        self.others: list[Address] = []
        self.opened_at = self.used_at = self.used_at_wall = now
        self.connected = self.is_open = False
        self._opening = self._open()
        self.interest = self.watched = WRITE
        self.deadline = 0.0
        self.take(0, b"")

    @property
    def is_reusable(self) -> bool:
        """Tell whether another request may follow."""
        return not self._reader.is_last

    def take(self, number: int, request: bytes) -> None:
        """Make this the next request."""
        self.number = number
        self.request = request
        self.sent = False
        self._written = 0
        self._reader = AnswerReader()

    def advance(self) -> Answer | None:
        """Go on as far as the socket lets; return the answer once it is whole.

        Raises OSError or NotHttpError when the connection is of no more use.
        """
        if not self.is_open:
            wanted = next(self._opening, 0)
            if wanted:
                self.interest = wanted
                return None
            self.is_open = True
        if self._written < len(self.request):
            self.write()
            return None
        return self._read()

    def write(self) -> None:
        """Write what is left of the request and can be written now; raises OSError."""
        self.interest = WRITE
        while self._written < len(self.request):
            try:
                taken = self._sock.send(memoryview(self.request)[self._written :])
            except BlockingIOError:
                return
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                # TLS may have written a part of its record
                self.sent = True
                self.interest = READ if isinstance(error, ssl.SSLWantReadError) else WRITE
                return
            except _REFUSED_WRITE:
                raise
            except OSError:
                self.sent = True
                raise
            self.sent = True
            self._written += taken
        self.interest = READ

    def has_ended(self) -> bool:
        """Tell whether an idle connection that stirred is of no more use.

        TLS may bring tickets for later sessions at any time; everything else is an end.
        """
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _read(self) -> Answer | None:
        self.interest = READ
        while True:
            try:
                data = self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return None
            except ssl.SSLWantWriteError:
                self.interest = WRITE
                return None
            answer = self._reader.feed(data) if data else self._reader.end()
            if answer is not None:
                return answer

    def _open(self) -> Iterator[int]:
        """Connect; yields what to wait for, and ends when a request may be written."""
        failed = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))
        self.connected = True
        if self._server.tls is None:
            return
        if self._server.proxy is not None:
            yield from self._tunnel(self._server.proxy)
        yield from self._handshake(self._server.tls)

    def _tunnel(self, proxy: Proxy) -> Iterator[int]:
        where = host_and_port(self._server.host, self._server.port)
        asked = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n"
        if proxy.authorization:
            asked += f"Proxy-Authorization: {proxy.authorization}\r\n"
        # a new connection takes a few hundred bytes at once
        self._sock.send(asked.encode("ascii") + b"\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            yield READ
            data = self._sock.recv(_CHUNK)
            said += data
            if not data or len(said) > MAX_HEAD_BYTES:
                raise ConnectionError("the proxy gave no answer")
        if not _TUNNEL_IS_OPEN.match(said):
            raise ConnectionError(f"the proxy answered {said[:30].decode('latin-1')!r}")

    def _handshake(self, context: ssl.SSLContext) -> Iterator[int]:
        secure = context.wrap_socket(
            self._sock, server_hostname=self._server.host, do_handshake_on_connect=False
        )
        self._sock = secure
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                yield READ
            except ssl.SSLWantWriteError:
                yield WRITE
            else:
                return


def dial(server: Server, addresses: Sequence[Address], *, now: float) -> Line:
    """Return a connection that is under way, at the first address that does not refuse at once.

    Raises OSError when none is left.
    """
    last = OSError(errno.EADDRNOTAVAIL, "the name has no address")
    for at, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = sock.connect_ex(address)  # type: ignore[arg-type]  # as getaddrinfo gave it
        if failed in _UNDER_WAY:
            line = Line(server, sock, now=now)
            line.others = list(addresses[at + 1 :])
            return line
        sock.close()
        last = OSError(failed, os.strerror(failed))
    raise last


def host_and_port(host: str, port: int) -> str:
    """Return both as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
