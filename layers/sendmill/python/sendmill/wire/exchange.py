"""Exchange requests with one server, side by side, over connections that are kept.

One thread, non-blocking sockets, one selector: a request costs three system calls and no switch
of threads, and nothing runs between two exchanges, so that a Lambda may be frozen there.

- A request is written once. A kept connection that does not take its first byte is replaced by a
  new one; once a byte was taken, a loss is a loss, and says so.
- A kept connection is looked at before it is used (has the server closed it?) and given up after
  IDLE_SECONDS, so that the race with a server that closes it is rare.

Left out, for the calls made here need none: redirects, compression, cookies, retries.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence

from sendmill.wire.answer import Answer, Loss, NotHttpError
from sendmill.wire.line import READ, Address, Line, Server, dial

# A connection unused for so long is not trusted: servers and firewalls drop idle ones after a
# minute or more, and a frozen Lambda does not hear of it.
IDLE_SECONDS = 20.0
# One so old is replaced, so that changes of the server's addresses are followed.
AGE_SECONDS = 300.0
ADDRESS_SECONDS = 30.0


class Wire:
    """Keep connections to one server.

    ``connect_seconds`` bound a connection with its TLS handshake, ``read_seconds`` the time from
    the first byte of a request to the last of its answer.
    """

    def __init__(
        self,
        server: Server,
        *,
        lanes: int,
        connect_seconds: float,
        read_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._lanes = lanes
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._idle: list[Line] = []
        self._active: set[Line] = set()
        self._found: dict[int, Answer | Loss] = {}
        self._soonest = 0.0
        self._addresses: list[Address] = []
        self._addresses_until = 0.0
        weakref.finalize(self, _close_all, self._idle, self._selector)

    def exchange(self, requests: Iterable[bytes]) -> list[Answer | Loss]:
        """Return what came of each request, in their order; never raises for a request.

        Each is a whole HTTP/1.1 request, taken from the iterable when one of the lanes is free.
        """
        with self._lock:
            self._found = {}
            self._soonest = float("inf")
            if self._process != os.getpid():
                self._start_afresh()
            self._drop_stale()
            source = enumerate(requests)
            try:
                self._fill(source)
                while self._active:
                    self._wait()
                    self._fill(source)
            finally:
                while self._active:
                    self._close(self._active.pop())
            return [self._found[number] for number in range(len(self._found))]

    def _start_afresh(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._process = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._idle.clear()

    def _drop_stale(self) -> None:
        """Close what is too old, what the server has closed, and what spoke out of turn."""
        if not self._idle:
            return
        stirred = {key.data for key, _ in self._selector.select(0)}
        now, wall = self._monotonic(), self._wall()
        kept = []
        for line in self._idle:
            # where a freeze stops the monotonic clock, the wall clock tells of it
            unused = max(now - line.used_at, wall - line.used_at_wall)
            trusted = unused < IDLE_SECONDS and now - line.opened_at < AGE_SECONDS
            if trusted and not (line in stirred and line.has_ended()):
                kept.append(line)
            else:
                self._close(line)
        self._idle[:] = kept

    def _fill(self, source: Iterator[tuple[int, bytes]]) -> None:
        while len(self._active) < self._lanes:
            number, request = next(source, (-1, b""))
            if number < 0:
                return
            if not self._reuse(number, request):
                deadline = self._monotonic() + self._connect_seconds
                self._open(number, request, deadline)

    def _reuse(self, number: int, request: bytes) -> bool:
        """Write the request on a kept connection; tell whether one took its first byte."""
        while self._idle:
            line = self._idle.pop()
            line.take(number, request)
            self._until(line, self._monotonic() + self._read_seconds)
            try:
                line.write()
            except OSError as error:
                self._close(line)
                if line.sent:
                    self._found[number] = Loss(True, _words(error))
                    return True
            else:
                self._watch(line)
                self._active.add(line)
                return True
        return False

    def _open(
        self,
        number: int,
        request: bytes,
        deadline: float,
        addresses: Sequence[Address] | None = None,
    ) -> None:
        try:
            line = dial(self._server, addresses or self._resolve(), now=self._monotonic())
        except OSError as error:
            self._found[number] = Loss(False, _words(error))
            return
        line.take(number, request)
        self._until(line, deadline)
        self._selector.register(line.fd, line.interest, line)
        self._active.add(line)

    def _resolve(self) -> Sequence[Address]:
        now = self._monotonic()
        if now >= self._addresses_until:
            who = self._server.proxy or self._server
            found = socket.getaddrinfo(who.host, who.port, type=socket.SOCK_STREAM)
            self._addresses = [(family, address) for family, _, _, _, address in found]
            self._addresses_until = now + ADDRESS_SECONDS
        # each connection starts at another address
        self._addresses.append(self._addresses.pop(0))
        return self._addresses

    def _wait(self) -> None:
        """Wait until a connection can go on or is overdue, and see to it."""
        for key, _ in self._selector.select(max(0.0, self._soonest - self._monotonic())):
            if key.data in self._active:
                self._advance(key.data)
            elif key.data.has_ended():
                self._idle.remove(key.data)
                self._close(key.data)
        now = self._monotonic()
        if now < self._soonest:
            return
        for line in [line for line in self._active if line.deadline <= now]:
            what = "no answer in time" if line.is_open else "no connection in time"
            self._end(line, Loss(line.sent, what))
        self._soonest = min((line.deadline for line in self._active), default=float("inf"))

    def _advance(self, line: Line) -> None:
        was_open = line.is_open
        try:
            answer = line.advance()
        except (OSError, NotHttpError) as error:
            self._active.discard(line)
            self._close(line)
            if line.others and not line.connected:
                self._open(line.number, line.request, line.deadline, line.others)
            else:
                self._found[line.number] = Loss(line.sent, _words(error))
            return
        if line.is_open and not was_open:
            self._until(line, self._monotonic() + self._read_seconds)
        if answer is None:
            self._watch(line)
        else:
            self._end(line, answer)

    def _until(self, line: Line, deadline: float) -> None:
        line.deadline = deadline
        self._soonest = min(self._soonest, deadline)

    def _watch(self, line: Line) -> None:
        if line.watched != line.interest:
            self._selector.modify(line.fd, line.interest, line)
            line.watched = line.interest

    def _end(self, line: Line, result: Answer | Loss) -> None:
        self._active.discard(line)
        self._found[line.number] = result
        if not line.is_reusable:
            self._close(line)
            return
        line.interest = READ
        self._watch(line)
        line.used_at, line.used_at_wall = self._monotonic(), self._wall()
        self._idle.append(line)

    def _close(self, line: Line) -> None:
        self._selector.unregister(line.fd)
        line.close()


def _close_all(idle: list[Line], selector: selectors.BaseSelector) -> None:
    for line in idle:
        line.close()
    selector.close()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
