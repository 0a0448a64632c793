"""An HTTP server in the place of SES that counts requests and answers as it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Answer = Callable[[BaseHTTPRequestHandler, Body], None]


class FakeSes:
    """An HTTP server that answers each request as it was told to."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answer: Answer = accept
        self.busy = self.most_busy = 0
        self.released = threading.Event()
        lock = threading.Lock()
        ses = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    ses.requests.append(body)
                    ses.busy += 1
                    ses.most_busy = max(ses.most_busy, ses.busy)
                try:
                    ses.answer(self, body)
                finally:
                    with lock:
                        ses.busy -= 1

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> FakeSes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self.requests.clear()
        self.answer, self.most_busy = accept, 0
        self.released = threading.Event()

    def recipients(self) -> list[str]:
        """Return who was mailed, in the order of the requests."""
        return [body["Destination"]["ToAddresses"][0] for body in self.requests]


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, code: str = "") -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Content-Type", "application/json")
    if code:
        handler.send_header("x-amzn-ErrorType", code)
    handler.end_headers()
    handler.wfile.write(body)


def accept(handler: BaseHTTPRequestHandler, _: Body) -> None:
    reply(handler, 200, b'{"MessageId": "0102018c"}')


def refuse(status: int, code: str, message: str = "") -> Answer:
    return lambda handler, _: reply(
        handler, status, json.dumps({"message": message}).encode(), code
    )


def drop(handler: BaseHTTPRequestHandler, _: Body) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(handler: BaseHTTPRequestHandler, _: Body) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def no_http(handler: BaseHTTPRequestHandler, _: Body) -> None:
    handler.close_connection = True
    handler.wfile.write(b"it's me\r\n\r\n")
