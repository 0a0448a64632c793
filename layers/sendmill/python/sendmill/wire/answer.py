"""Hold what comes back for a request, and take it out of the bytes of a connection."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
# DynamoDB answers with 16 MB of items at most; as JSON they are larger.
MAX_BODY_BYTES = 64 * 1024 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*\bchunked[ \t]*\r\n", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[ \t]*([^\r]*)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")
_UNTIL_END = -1
_IN_CHUNKS = -2


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what came back; ``head`` is the status line and the headers as they came."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value, whatever the case of its name; empty if it is not there."""
        pattern = rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r]*)"
        found = re.search(pattern, self.head, re.IGNORECASE)
        return found[1].decode("latin-1").rstrip() if found else ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Say that no answer came; ``request_was_sent`` false: not a byte of the request has left."""

    request_was_sent: bool
    detail: str


class NotHttpError(Exception):
    """What came back is no answer in HTTP/1.1."""


class AnswerReader:
    """Put one answer together from the bytes of a connection, as they come."""

    __slots__ = ("_body_at", "_buffer", "_head", "_length", "_status", "is_last")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_at = 0
        # no other answer can follow on this connection
        self.is_last = True

    def feed(self, data: bytes) -> Answer | None:
        """Return the answer once it is whole; raises NotHttpError."""
        self._buffer += data
        if not self._body_at and not self._read_head():
            return None
        whole = self._body()
        if whole is None:
            if len(self._buffer) - self._body_at > MAX_BODY_BYTES:
                raise NotHttpError("the answer is too long")
            return None
        body, end = whole
        # what nobody asked for makes the next answer doubtful
        self.is_last = len(self._buffer) != end or not _is_kept(self._head)
        return Answer(self._status, self._head, body)

    def end(self) -> Answer:
        """Return the answer that ends where the connection does; raises ConnectionError."""
        if not self._body_at or self._length != _UNTIL_END:
            raise ConnectionError("the connection was closed before the answer was whole")
        return Answer(self._status, self._head, bytes(self._buffer[self._body_at :]))

    def _read_head(self) -> bool:
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise NotHttpError("the head of the answer is too long")
                return False
            found = _STATUS.match(self._buffer)
            if not found:
                raise NotHttpError("the answer is no HTTP/1.1")
            self._status = int(found[1])
            if self._status >= 200:
                break
            del self._buffer[: end + 4]  # such as 100 Continue
        self._head = bytes(self._buffer[: end + 2])
        self._body_at = end + 4
        self._length = _body_length(self._status, self._head)
        return True

    def _body(self) -> tuple[bytes, int] | None:
        if self._length == _UNTIL_END:
            return None
        if self._length == _IN_CHUNKS:
            return _joined(self._buffer, self._body_at)
        end = self._body_at + self._length
        if len(self._buffer) < end:
            return None
        return bytes(self._buffer[self._body_at : end]), end


def _body_length(status: int, head: bytes) -> int:
    if status in (204, 304):
        return 0
    if _CHUNKED.search(head):
        return _IN_CHUNKS
    found = _LENGTH.search(head)
    return int(found[1]) if found else _UNTIL_END


def _joined(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """Return a body that came in chunks and where it ends, or None while it is not whole."""
    pieces: list[bytes] = []
    while True:
        found = _CHUNK_SIZE.match(buffer, at)
        if not found:
            if len(buffer) - at > MAX_HEAD_BYTES:
                raise NotHttpError("a chunk of the answer has no size")
            return None
        size, at = int(found[1], 16), found.end()
        if not size:
            end = buffer.find(b"\r\n\r\n", at - 2)  # behind trailers, which nobody reads
            return (b"".join(pieces), end + 4) if end >= 0 else None
        if len(buffer) < at + size + 2:
            return None
        pieces.append(bytes(buffer[at : at + size]))
        at += size + 2


def _is_kept(head: bytes) -> bool:
    found = _CONNECTION.search(head)
    said = found[1].lower() if found else b""
    if b"close" in said:
        return False
    return head.startswith(b"HTTP/1.1") or b"keep-alive" in said
