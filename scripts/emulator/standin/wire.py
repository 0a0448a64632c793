"""A small HTTP/1.1 server on asyncio streams: keep-alive, Content-Length bodies, loopback only.

It exists because the fault programme needs the bare connection (withhold an answer, reset it
in the middle, notice that the peer has died), which frameworks hide. Not for the open network:
no TLS, no chunked requests, one request at a time on a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

log = logging.getLogger("wire")

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 60 * 1024 * 1024  # SES takes 40 MB of message, which base64 makes 54
REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; header names are lower case, `path` is percent-decoded, `target` is not."""

    method: str
    target: str
    path: str
    headers: dict[str, str]
    body: bytes

    def query(self) -> dict[str, list[str]]:
        """Parse the query string."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def json(self) -> Any:
        """Decode the body; an empty one is an empty object. Raise ValueError when malformed."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What to answer; length and connection headers are added when it is written."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: Any, *, status: int = 200) -> Response:
        """Return a response with the value as JSON."""
        return cls(status=status, body=json.dumps(value, default=str).encode())


class Connection:
    """The bare connection under a request, for answers that are withheld or cut."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def peer_port(self) -> int:
        """The port the caller speaks from."""
        peer = self._writer.get_extra_info("peername")
        return int(peer[1]) if peer else 0

    @property
    def own_port(self) -> int:
        """The port the caller speaks to."""
        own = self._writer.get_extra_info("sockname")
        return int(own[1]) if own else 0

    def abort(self) -> None:
        """Cut the connection at once; what was not yet written is lost."""
        self._writer.transport.abort()

    async def wait_closed_by_peer(self, seconds: float | None) -> bool:
        """Wait until the peer closes, or `seconds` pass (None: no limit); tell which it was."""
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
            await asyncio.wait_for(self._reader.read(1), seconds)
            return True
        return False


Handler = Callable[[Request, Connection], Awaitable[Response | None]]


async def serve(handler: Handler, *, host: str, port: int) -> asyncio.Server:
    """Listen on host and port. A handler that returns None has closed the connection itself."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _converse(handler, reader, writer)
        writer.close()

    return await asyncio.start_server(connected, host, port, limit=MAX_HEADER_BYTES, backlog=1024)


async def _converse(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    connection = Connection(reader, writer)
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = await _read_request(head, reader, writer)
        except (ValueError, asyncio.LimitOverrunError) as error:
            writer.write(_encode(Response(status=400, body=str(error).encode()), close=True))
            return
        response = await handler(request, connection)
        if response is None:
            return
        close = request.headers.get("connection", "").lower() == "close"
        writer.write(_encode(response, close=close, head_only=request.method == "HEAD"))
        await writer.drain()
        if close:
            return


async def _read_request(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"version must be HTTP/1.x (got {version!r})")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length") or 0)
    if "transfer-encoding" in headers or not 0 <= length <= MAX_BODY_BYTES:
        raise ValueError(f"body must have a Content-Length of 0 to {MAX_BODY_BYTES}")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(length) if length else b""
    path = unquote(target.partition("?")[0])
    return Request(method=method, target=target, path=path, headers=headers, body=body)


def _encode(response: Response, *, close: bool, head_only: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Other')}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        f"Connection: {'close' if close else 'keep-alive'}",
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if head_only else head + response.body
