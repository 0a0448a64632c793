"""A request leaves once; what became of it is said truly, however the server behaves."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_http import Caller, Script, ScriptedHttp, echo

from sendmill.wire import Answer, Loss, Wire
from sendmill.wire.exchange import AGE_SECONDS, IDLE_SECONDS
from sendmill.wire.line import Proxy, Server
from smtp_certificate import Certificates, make_certificates


class Time:
    """Clocks that a test moves; they start at the real ones."""

    def __init__(self) -> None:
        self.slept = self.stood = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.slept

    def wall(self) -> float:
        return time.time() + self.slept + self.stood


def wire(server: ScriptedHttp, *, host: str = "127.0.0.1", **changes: Any) -> Wire:
    known: dict[str, Any] = {"lanes": 4, "connect_seconds": 2.0, "read_seconds": 2.0}
    place = {key: changes.pop(key) for key in ("tls", "proxy") if key in changes}
    return Wire(Server(host=host, port=server.port, **place), **{**known, **changes})


def request(body: bytes = b"hello") -> bytes:
    return b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def bodies(found: list[Answer | Loss]) -> list[bytes]:
    for one in found:
        assert isinstance(one, Answer), one
    return [one.body for one in found if isinstance(one, Answer)]


def loss(found: list[Answer | Loss]) -> Loss:
    (one,) = found
    assert isinstance(one, Loss), one
    return one


def test_answers_come_in_the_order_of_the_requests_over_few_connections() -> None:
    with ScriptedHttp() as server:
        asked = [b"%d" % n for n in range(50)]
        assert bodies(wire(server).exchange(request(body) for body in asked)) == asked
        assert server.connections <= 4
        assert len(server.requests) == 50


def test_requests_are_in_flight_side_by_side() -> None:
    together = threading.Barrier(4)

    def wait_for_all(caller: Caller) -> None:
        while body := caller.read():
            together.wait(5)
            caller.answer(body)

    with ScriptedHttp(wait_for_all) as server:
        asked = [b"%d" % n for n in range(8)]
        assert bodies(wire(server).exchange([request(body) for body in asked])) == asked


def test_a_connection_is_kept_from_one_exchange_to_the_next() -> None:
    with ScriptedHttp() as server:
        found = wire(server)
        for _ in range(3):
            found.exchange([request()])
        assert server.connections == 1


def test_nothing_to_send_is_no_exchange() -> None:
    with ScriptedHttp() as server:
        assert wire(server).exchange([]) == []
        assert server.connections == 0


def one_answer_then(end: Script) -> Script:
    """Answer the first request of the first connection, then do something else; echo on others."""

    def script(caller: Caller) -> None:
        if caller.number > 1:
            echo(caller)
            return
        caller.answer(caller.read())
        end(caller)

    return script


def settle() -> None:
    """Let what the server did reach this side."""
    time.sleep(0.05)


@pytest.mark.parametrize(
    "end",
    [
        lambda caller: caller.sock.close(),
        lambda caller: caller.reset(),
        lambda caller: caller.answer(b"unasked"),
    ],
    ids=["closed", "reset", "babbling"],
)
def test_a_kept_connection_that_has_ended_is_not_used(end: Script) -> None:
    with ScriptedHttp(one_answer_then(end)) as server:
        found = wire(server)
        found.exchange([request(b"1")])
        settle()
        assert bodies(found.exchange([request(b"2")])) == [b"2"]
        assert server.connections == 2
        assert [one[-1:] for one in server.requests] == [b"1", b"2"]


def test_kept_connections_that_end_meanwhile_do_not_disturb_a_wait() -> None:
    """Until they are closed here too, the system reports them again and again."""
    looks = 0

    def counting() -> float:
        nonlocal looks
        looks += 1
        return time.monotonic()

    held = threading.Event()
    others: list[Caller] = []

    def script(caller: Caller) -> None:
        others.append(caller)
        while body := caller.read():
            if body == b"slow":
                for other in others:
                    if other is not caller:
                        other.sock.shutdown(socket.SHUT_RDWR)
                held.wait(0.3)
            caller.answer(body)

    with ScriptedHttp(script) as server:
        found = wire(server, lanes=6, monotonic=counting)
        assert len(found.exchange([request()] * 6)) == 6
        before = looks
        assert bodies(found.exchange([request(b"slow")])) == [b"slow"]
        assert looks - before < 50
        assert bodies(found.exchange([request(b"after")] * 6)) == [b"after"] * 6


def test_a_kept_connection_that_takes_no_byte_is_replaced() -> None:
    """The server resets it after it was looked at, before anything is written."""
    gone = threading.Event()
    go = threading.Event()

    def end(caller: Caller) -> None:
        go.wait(5)
        caller.reset()
        gone.set()

    def late_request() -> Iterator[bytes]:
        go.set()
        gone.wait(5)
        settle()
        yield request(b"2")

    with ScriptedHttp(one_answer_then(end)) as server:
        found = wire(server)
        found.exchange([request(b"1")])
        assert bodies(found.exchange(late_request())) == [b"2"]
        assert [one[-1:] for one in server.requests] == [b"1", b"2"]


def test_a_kept_connection_that_took_a_byte_and_ended_is_a_loss() -> None:
    """The same race, but the connection takes the request: nobody knows who has read it."""
    gone = threading.Event()
    go = threading.Event()

    def end(caller: Caller) -> None:
        go.wait(5)
        caller.sock.shutdown(socket.SHUT_RDWR)
        gone.set()

    def late_request() -> Iterator[bytes]:
        go.set()
        gone.wait(5)
        settle()
        yield request(b"2")

    with ScriptedHttp(one_answer_then(end)) as server:
        found = wire(server)
        found.exchange([request(b"1")])
        assert loss(found.exchange(late_request())).request_was_sent
        settle()
        assert [one[-1:] for one in server.requests] == [b"1"]


@pytest.mark.parametrize(
    ("slept", "stood", "connections"),
    [
        (0.0, 0.0, 1),
        (IDLE_SECONDS - 1, 0.0, 1),
        (IDLE_SECONDS, 0.0, 2),
        (0.0, IDLE_SECONDS, 2),
    ],
    ids=["at once", "soon", "late", "frozen"],
)
def test_a_connection_idle_for_long_is_not_trusted(
    slept: float, stood: float, connections: int
) -> None:
    clocks = Time()
    with ScriptedHttp() as server:
        found = wire(server, monotonic=clocks.monotonic, wall=clocks.wall)
        found.exchange([request()])
        clocks.slept, clocks.stood = slept, stood
        assert bodies(found.exchange([request()])) == [b"hello"]
        assert server.connections == connections


def test_an_old_connection_is_replaced_however_busy() -> None:
    clocks = Time()
    with ScriptedHttp() as server:
        found = wire(server, monotonic=clocks.monotonic, wall=clocks.wall)
        while clocks.slept <= AGE_SECONDS:
            found.exchange([request()])
            clocks.slept += IDLE_SECONDS - 1
        assert server.connections == 1
        found.exchange([request()])
        assert server.connections == 2


def cut(caller: Caller) -> None:
    caller.read()


def half(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")


def head_without_end(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 200 OK\r\nx: y\r\n" * 9000)


def no_http(caller: Caller) -> None:
    caller.read()
    caller.write(b"220 mail.example.com ESMTP\r\n\r\n")


def bad_chunk(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"zz\r\n" * 20_000)


def cut_chunk(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab")


def switched(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


@pytest.mark.parametrize(
    "script", [cut, half, head_without_end, no_http, bad_chunk, cut_chunk, switched]
)
def test_an_answer_that_is_not_whole_is_a_loss_after_one_request(script: Script) -> None:
    with ScriptedHttp(script) as server:
        found = loss(wire(server).exchange([request()]))
        assert found.request_was_sent
        settle()
        assert len(server.requests) == 1


def test_an_answer_that_does_not_come_is_a_loss_in_time() -> None:
    held = threading.Event()

    def silent(caller: Caller) -> None:
        while caller.read() == b"hello":
            held.wait(60)

    with ScriptedHttp(silent) as server:
        found = wire(server, read_seconds=0.2)
        begun = time.monotonic()
        assert loss(found.exchange([request()])) == Loss(True, "no answer in time")
        assert time.monotonic() - begun < 30
        held.set()
        server.script = echo
        assert bodies(found.exchange([request(b"next")])) == [b"next"]
        assert len(server.requests) == 2


def test_a_loss_does_not_touch_the_other_requests() -> None:
    def moody(caller: Caller) -> None:
        while body := caller.read():
            if body == b"3":
                return
            caller.answer(body)

    with ScriptedHttp(moody) as server:
        found = wire(server).exchange([request(b"%d" % n) for n in range(9)])
        assert [isinstance(one, Loss) for one in found] == [n == 3 for n in range(9)]
        assert len(server.requests) == 9


def pieces(caller: Caller) -> None:
    caller.read()
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
        caller.write(bytes([byte]))
        time.sleep(0.001)


def in_chunks(caller: Caller) -> None:
    while caller.read():
        caller.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n")
        time.sleep(0.01)
        caller.write(b"2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n")


def after_100(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    caller.answer(b"hello")


def until_end(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhel")
    caller.write(b"lo")


@pytest.mark.parametrize("script", [echo, pieces, in_chunks, after_100, until_end])
def test_every_way_of_framing_an_answer_is_read(script: Script) -> None:
    with ScriptedHttp(script) as server:
        assert bodies(wire(server).exchange([request()])) == [b"hello"]


def no_body(caller: Caller) -> None:
    while caller.read():
        caller.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_an_answer_without_body_is_whole() -> None:
    with ScriptedHttp(no_body) as server:
        assert bodies(wire(server).exchange([request()])) == [b""]


@pytest.mark.parametrize(
    ("head", "connections"),
    [("Connection: close\r\n", 2), ("connection: Keep-Alive\r\n", 1), ("", 1)],
)
def test_a_server_that_says_close_is_believed(head: str, connections: int) -> None:
    def script(caller: Caller) -> None:
        while body := caller.read():
            caller.answer(body, head=head)

    with ScriptedHttp(script) as server:
        found = wire(server)
        for _ in range(2):
            found.exchange([request()])
            settle()
        assert server.connections == connections


def test_headers_are_found_in_any_case() -> None:
    answer = Answer(200, b"HTTP/1.1 200 OK\r\nX-Amzn-ErrorType:  Nope:http://x \r\nA: b\r\n", b"")
    assert answer.header("x-amzn-errortype") == "Nope:http://x"
    assert answer.header("a") == "b"
    assert answer.header("amzn-errortype") == ""


def test_a_large_request_and_a_large_answer_go_through() -> None:
    with ScriptedHttp() as server:
        large = b"x" * 8_000_000
        assert bodies(wire(server).exchange([request(large), request(b"small")])) == [
            large,
            b"small",
        ]


def test_where_nobody_listens_no_byte_has_left() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        found = Wire(
            Server(host="127.0.0.1", port=port), lanes=2, connect_seconds=1, read_seconds=1
        )
        for one in found.exchange([request()] * 3):
            assert isinstance(one, Loss)
            assert not one.request_was_sent


def test_a_name_that_does_not_exist_is_no_byte_sent() -> None:
    server = Server(host="nobody.invalid", port=1)
    found = Wire(server, lanes=2, connect_seconds=1, read_seconds=1)
    assert not loss(found.exchange([request()])).request_was_sent


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedHttp() as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (server.port, unused.getsockname()[1], unused.getsockname()[1])
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        found = wire(server)
        asked = [b"%d" % n for n in range(6)]
        assert bodies(found.exchange([request(body) for body in asked])) == asked
        assert len(server.requests) == 6


def test_a_failure_while_requests_are_made_leaves_nothing_behind() -> None:
    def broken() -> Iterator[bytes]:
        yield request(b"1")
        raise RuntimeError("no more")

    with ScriptedHttp() as server:
        found = wire(server)
        with pytest.raises(RuntimeError, match="no more"):
            found.exchange(broken())
        assert bodies(found.exchange([request(b"2")])) == [b"2"]


def test_a_forked_process_leaves_its_parents_connections_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedHttp() as server:
        found = wire(server)
        found.exchange([request(b"1")])
        (kept,) = found._idle  # a fork holds it too, so it is not closed here
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert bodies(found.exchange([request(b"2")])) == [b"2"]
        assert server.connections == 2
        kept.close()


def test_two_threads_take_turns() -> None:
    with ScriptedHttp() as server:
        found = wire(server)
        results: list[bytes] = []

        def work(name: bytes) -> None:
            for _ in range(20):
                results.extend(bodies(found.exchange([request(name)] * 3)))

        threads = [threading.Thread(target=work, args=(name,)) for name in (b"a", b"b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert sorted(results) == [b"a"] * 60 + [b"b"] * 60


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def names() -> list[str | None]:
    """The server names that clients asked for in their handshake."""
    return []


@pytest.fixture
def server_side(certificates: Certificates, names: list[str | None]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.chain, certificates.key)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    return context


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.authority))


def by_ipv4(host: str, port: int, **_: object) -> list[Any]:
    """Resolve every name to loopback."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_a_server_with_a_trusted_certificate_is_spoken_to_by_its_name(
    server_side: ssl.SSLContext, trusting: ssl.SSLContext, names: list[str | None]
) -> None:
    with ScriptedHttp(tls=server_side) as server:
        found = wire(server, host="localhost", tls=trusting)
        large = b"x" * 300_000
        assert bodies(found.exchange([request(large)] * 8)) == [large] * 8
        settle()  # tickets for later sessions are no end of a connection
        assert bodies(found.exchange([request(b"again")])) == [b"again"]
        assert server.connections <= 4
        assert set(names) == {"localhost"}


def test_a_kept_tls_connection_that_was_closed_is_not_used(
    server_side: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    script = one_answer_then(lambda caller: caller.sock.close())
    with ScriptedHttp(script, tls=server_side) as server:
        found = wire(server, host="localhost", tls=trusting)
        found.exchange([request(b"1")])
        settle()
        assert bodies(found.exchange([request(b"2")])) == [b"2"]
        assert len(server.requests) == 2


@pytest.mark.parametrize("case", ["another name", "unknown authority"])
def test_a_server_that_cannot_prove_who_it_is_gets_no_byte(
    server_side: ssl.SSLContext,
    trusting: ssl.SSLContext,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", by_ipv4)
    with ScriptedHttp(tls=server_side) as server:
        if case == "another name":
            found = wire(server, host="email.us-east-1.amazonaws.com", tls=trusting)
        else:
            found = wire(server, host="localhost", tls=ssl.create_default_context())
        said = loss(found.exchange([request()]))
        assert not said.request_was_sent
        assert "CertificateVerif" in said.detail or "CERTIFICATE_VERIFY" in said.detail
        assert server.requests == []


def test_a_handshake_that_does_not_end_is_no_byte_sent(trusting: ssl.SSLContext) -> None:
    held = threading.Event()
    with ScriptedHttp(lambda _: bool(held.wait(5))) as server:
        found = wire(server, host="localhost", tls=trusting, connect_seconds=0.2)
        assert loss(found.exchange([request()])) == Loss(False, "no connection in time")
        held.set()


def tunnel(server: ScriptedHttp, asked: list[bytes]) -> Script:
    """Be a proxy: open a way to the server for whoever asks for it."""

    def script(caller: Caller) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += caller.sock.recv(4096)
        asked.append(head)
        if b"secret.example.com" in head:
            caller.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            caller.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, caller.sock))
            back.start()
            pump(caller.sock, onward)
            back.join(5)

    return script


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_proxy_opens_a_tunnel_for_tls(
    server_side: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    asked: list[bytes] = []
    with ScriptedHttp(tls=server_side) as server, ScriptedHttp() as proxy:
        proxy.script = tunnel(server, asked)
        way = Proxy(host="127.0.0.1", port=proxy.port, authorization="Basic dTpw")
        found = wire(server, host="localhost", tls=trusting, proxy=way)
        assert bodies(found.exchange([request(b"1"), request(b"2")])) == [b"1", b"2"]
        assert asked[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
        assert b"\r\nProxy-Authorization: Basic dTpw\r\n" in asked[0]
        assert b"Basic" not in server.requests[0]
        refused = wire(server, host="secret.example.com", tls=trusting, proxy=way)
        assert not loss(refused.exchange([request()])).request_was_sent
        assert len(server.requests) == 2


def test_a_proxy_does_not_show_its_password() -> None:
    assert "dTpw" not in repr(Proxy(host="p", port=1, authorization="Basic dTpw"))
