"""Over real SMTP connections a mail is sent once, and a lost one is unknown only after its dot.

Two servers on loopback: aiosmtpd with STARTTLS and passwords for what goes well, and one of
sockets and a script for what goes wrong at each step.
"""

from __future__ import annotations

import datetime
import email
import email.policy
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from scripted_smtp import PASSWORD, PLAIN, ScriptedServer, free_port

from fakes import CONFIG, make_mail
from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome
from sendmill.provider.smtp import (
    CONNECT_SECONDS,
    LANE_SECONDS,
    LANES,
    REPLY_SECONDS,
    SmtpProvider,
    dot_stuffed,
)
from sendmill.secret import SmtpServer
from sendmill.template import Rendered


def make_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return pem


class Mailbox:
    """Keep what arrives, and over which connections."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.connections: list[object] = []
        self.logins = 0

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.connections.append(session.peer)
        assert session.ssl is not None
        assert session.authenticated
        return f"250 OK queued as id{len(self.envelopes)}"

    def authenticate(self, *arguments: object) -> AuthResult:
        self.logins += 1
        data = arguments[-1]
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (b"sender", PASSWORD.encode())
        return AuthResult(success=right, handled=right)

    def mails(self) -> list[EmailMessage]:
        parsed = [
            email.message_from_bytes(envelope.content, policy=email.policy.SMTP)  # type: ignore[arg-type]
            for envelope in self.envelopes
        ]
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mailbox, SmtpServer]]:
    pem = make_certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    mailbox = Mailbox()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=mailbox.authenticate,
        auth_required=True,
    )
    controller.start()
    text = pem.read_text()
    authority = text[text.index("-----BEGIN CERTIFICATE-----") :]
    server = replace(PLAIN, port=controller.port, tls="starttls", ca_certificate=authority)
    yield mailbox, server
    controller.stop()


@pytest.fixture
def mailbox(served: tuple[Mailbox, SmtpServer]) -> Mailbox:
    found, _ = served
    found.envelopes.clear()
    found.connections.clear()
    found.logins = 0
    return found


@pytest.fixture
def server(served: tuple[Mailbox, SmtpServer], mailbox: Mailbox) -> SmtpServer:
    return served[1]


def mails(count: int) -> list[Mail]:
    return [make_mail(f"user{n}@example.com") for n in range(count)]


def fates(outcomes: Sequence[Outcome]) -> list[Fate]:
    return [outcome.fate for outcome in outcomes]


def test_a_mail_goes_over_tls_with_a_password_and_arrives_as_written(
    mailbox: Mailbox, server: SmtpServer
) -> None:
    rendered = Rendered(subject="Zo\u00eb", text="Dear Zo\u00eb\n", html="<p>Zo\u00eb</p>")
    config = replace(CONFIG, from_email="News <noreply@example.com>")
    (outcome,) = SmtpProvider(server).send_all([make_mail(rendered=rendered, config=config)])
    assert (outcome.fate, outcome.message_id) == (Fate.ACCEPTED, "id1")
    (envelope,), (mail,) = mailbox.envelopes, mailbox.mails()
    assert envelope.mail_from == "noreply@example.com"
    assert envelope.rcpt_tos == ["ada@example.com"]
    assert (mail["Subject"], mail["To"]) == ("Zo\u00eb", "ada@example.com")
    assert mail["Date"].datetime.year >= 2026
    assert mail["Message-ID"].endswith(".1@example.com>")


def test_a_batch_shares_one_connection_and_one_login(mailbox: Mailbox, server: SmtpServer) -> None:
    outcomes = SmtpProvider(server, lanes=1).send_all(mails(10))
    assert fates(outcomes) == [Fate.ACCEPTED] * 10
    assert len(mailbox.envelopes) == 10
    assert len(set(mailbox.connections)) == 1
    assert mailbox.logins == 1


def test_a_batch_uses_few_connections_and_keeps_its_order(
    mailbox: Mailbox, server: SmtpServer
) -> None:
    outcomes = SmtpProvider(server).send_all(mails(10))
    assert fates(outcomes) == [Fate.ACCEPTED] * 10
    assert len(set(mailbox.connections)) <= LANES
    assert len({outcome.message_id for outcome in outcomes}) == 10
    assert sorted(one.rcpt_tos[0] for one in mailbox.envelopes) == [mail.to for mail in mails(10)]


def taking(seconds: float, mailbox: Mailbox) -> Callable[[], float]:
    """Return a clock by which each mail takes so long."""
    return lambda: seconds * len(mailbox.envelopes)


def test_no_mail_begins_for_whose_reply_the_worker_has_no_time(
    mailbox: Mailbox, server: SmtpServer
) -> None:
    provider = SmtpProvider(server, lanes=1, monotonic=taking(10.0, mailbox))
    found = provider.send_all(mails(4), within=REPLY_SECONDS + 15.0)
    assert fates(found) == [Fate.ACCEPTED] * 2 + [Fate.LATER] * 2
    assert {(one.reason, one.unasked) for one in found[2:]} == {("out_of_time", True)}
    assert len(mailbox.envelopes) == 2


def test_a_silent_server_is_waited_for_no_longer_than_there_is_time() -> None:
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = replace(PLAIN, port=silent.getsockname()[1])
        (found,) = SmtpProvider(server).send_all(mails(1), within=REPLY_SECONDS + 0.2)
    assert (found.fate, found.reason, found.unasked) == (Fate.LATER, "out_of_time", True)
    assert time.monotonic() - begun < CONNECT_SECONDS


def test_time_that_runs_out_before_the_body_sends_none() -> None:
    """The time is up when the server has said that it would take the mail."""
    with ScriptedServer() as scripted:
        provider = SmtpProvider(
            scripted.address, monotonic=lambda: 10.0 * ("DATA" in scripted.commands)
        )
        (found,) = provider.send_all(mails(1), within=REPLY_SECONDS + 5.0)
    assert (found.fate, found.reason, found.unasked) == (Fate.LATER, "out_of_time", True)
    assert (scripted.commands.count("DATA"), scripted.bodies) == (1, [b""])


def test_a_slow_server_is_not_asked_for_more_than_a_worker_has_time_for(
    mailbox: Mailbox, server: SmtpServer
) -> None:
    """Killed in the middle, the worker could not even write which mails were taken."""
    provider = SmtpProvider(server, lanes=1, monotonic=taking(LANE_SECONDS - 1.0, mailbox))
    found = provider.send_all([make_mail(f"user{n}@example.com") for n in range(4)])
    assert [one.fate for one in found] == [Fate.ACCEPTED] * 2 + [Fate.LATER] * 2
    assert {(one.reason, one.unasked) for one in found[2:]} == {("server_too_slow", True)}
    assert len(mailbox.envelopes) == 2


def test_an_empty_batch_opens_no_connection() -> None:
    assert list(SmtpProvider(PLAIN).send_all([])) == []


def test_a_wrong_password_stops_after_one_login(mailbox: Mailbox, server: SmtpServer) -> None:
    outcomes = SmtpProvider(replace(server, password="wrong"), lanes=1).send_all(mails(5))
    assert fates(outcomes) == [Fate.STOP] * 5
    assert {outcome.reason for outcome in outcomes} == {"credentials_rejected"}
    assert mailbox.envelopes == []
    # smtplib tries each method the server offers, once
    assert mailbox.logins <= 3


def test_a_certificate_that_nobody_vouches_for_stops_before_the_password(
    mailbox: Mailbox, server: SmtpServer
) -> None:
    (outcome,) = SmtpProvider(replace(server, ca_certificate="")).send_all([make_mail()])
    assert (outcome.fate, outcome.reason) == (Fate.STOP, "certificate_rejected")
    assert mailbox.logins == 0


def test_a_password_is_never_sent_without_tls_when_tls_is_asked_for() -> None:
    with ScriptedServer(offers=("AUTH PLAIN LOGIN",)) as scripted:
        (outcome,) = SmtpProvider(replace(scripted.address, tls="starttls")).send_all([make_mail()])
    assert (outcome.fate, outcome.reason) == (Fate.STOP, "smtp_no_tls_or_auth")
    assert not any(command.startswith("AUTH") for command in scripted.commands)


@pytest.mark.parametrize(
    "text",
    [
        ".\n",
        "a\n.\nb\n",
        "a\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<v@example.com>\r\nDATA\r\nx\r\n.\r\n",
        "a\n.\nMAIL FROM:<eve@example.com>\nRCPT TO:<victim@example.com>\nDATA\nx\n.\n",
        "a\r.\rMAIL FROM:<eve@example.com>\r",
        "a\n.\r\nMAIL FROM:<eve@example.com>\r\n",
        "a\r\n.\nMAIL FROM:<eve@example.com>\r\n",
        "..\n...\n",
        "x" * 5_000,
        "",
    ],
)
def test_no_body_ends_its_mail_or_starts_another(
    mailbox: Mailbox, server: SmtpServer, text: str
) -> None:
    rendered = Rendered(subject="Hello", text=text, html="")
    outcomes = SmtpProvider(server, lanes=1).send_all([make_mail(rendered=rendered), make_mail()])
    assert fates(outcomes) == [Fate.ACCEPTED] * 2
    assert [one.rcpt_tos for one in mailbox.envelopes] == [["ada@example.com"]] * 2
    content = mailbox.mails()[0].get_content()
    assert content.replace("\r\n", "\n") == text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"", b"\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a\r\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
    ],
)
def test_dots_are_doubled_and_line_ends_made_one_kind(data: bytes, sent: bytes) -> None:
    assert dot_stuffed(data) == sent


@given(st.lists(st.sampled_from([b"a", b".", b"\r", b"\n", b"\r\n"]), max_size=12).map(b"".join))
def test_only_the_end_of_a_mail_is_a_lone_dot(data: bytes) -> None:
    sent = dot_stuffed(data)
    assert sent.endswith(b"\r\n.\r\n")
    assert b"\r\n.\r\n" not in (b"\r\n" + sent)[:-2]
    assert b"\n" not in sent.replace(b"\r\n", b"")
    assert b"\r" not in sent.replace(b"\r\n", b"")


STEPS = [
    # step, answer, class, reason, does the server have the mail?
    ("greeting", "421 busy", Fate.LATER, "smtp_421"),
    ("greeting", "554 no", Fate.STOP, "smtp_554_connect"),
    ("greeting", "drop", Fate.LATER, "unreachable"),
    ("EHLO", "drop", Fate.LATER, "unreachable"),
    ("AUTH", "454 later", Fate.LATER, "smtp_454"),
    ("AUTH", "535 no", Fate.STOP, "credentials_rejected"),
    ("AUTH", "drop", Fate.LATER, "unreachable"),
    ("MAIL", "451 later", Fate.LATER, "smtp_451"),
    ("MAIL", "454 Throttling failure: Maximum sending rate exceeded.", Fate.LATER, "throttled"),
    ("MAIL", "454 Throttling failure: Daily message quota exceeded.", Fate.STOP, "daily_quota"),
    ("MAIL", "550 sender refused", Fate.STOP, "smtp_550_mail"),
    ("MAIL", "drop", Fate.LATER, "unreachable"),
    ("RCPT", "450 greylisted", Fate.LATER, "smtp_450"),
    ("RCPT", "421 bye", Fate.LATER, "smtp_421"),
    ("RCPT", "550 no such user", Fate.NEVER, "smtp_550"),
    ("RCPT", "drop", Fate.LATER, "unreachable"),
    ("DATA", "451 later", Fate.LATER, "smtp_451"),
    ("DATA", "554 no", Fate.NEVER, "smtp_554"),
    ("DATA", "drop", Fate.LATER, "unreachable"),
    ("BODY", "drop", Fate.UNKNOWN, "answer_lost"),
    ("FINAL", "451 later", Fate.LATER, "smtp_451"),
    ("FINAL", "552 too large", Fate.NEVER, "smtp_552"),
    ("FINAL", "554 Email address is not verified.", Fate.STOP, "identity_not_verified"),
    ("FINAL", "drop", Fate.UNKNOWN, "answer_lost"),
    ("FINAL", "what?", Fate.UNKNOWN, "answer_lost"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "answer", "fate", "reason"), STEPS, ids=[f"{s[0]}-{s[1][:12]}" for s in STEPS]
)
def test_what_a_server_does_at_each_step_has_one_meaning(
    step: str, answer: str, fate: Fate, reason: str
) -> None:
    with ScriptedServer(**{step: [answer]}) as scripted:
        (outcome,) = SmtpProvider(scripted.address).send_all([make_mail()])
    assert (outcome.fate, outcome.reason) == (fate, reason)
    assert len(scripted.bodies) <= 1
    assert scripted.connections == 1


@pytest.mark.parametrize(
    ("step", "answer", "connections"),
    [
        ("RCPT", "550 no such user", 1),
        ("RCPT", "450 greylisted", 1),
        ("RCPT", "421 bye", 2),
        ("RCPT", "drop", 2),
        ("FINAL", "554 content", 1),
        ("FINAL", "drop", 2),
        ("BODY", "drop", 2),
    ],
)
def test_a_mail_that_went_wrong_does_not_harm_the_next(
    step: str, answer: str, connections: int
) -> None:
    with ScriptedServer(**{step: [answer]}) as scripted:
        outcomes = SmtpProvider(scripted.address, lanes=1).send_all(mails(3))
    assert outcomes[0].fate is not Fate.ACCEPTED
    assert fates(outcomes[1:]) == [Fate.ACCEPTED] * 2
    assert scripted.connections == connections
    recipients = [one for one in scripted.commands if one.startswith("RCPT")]
    assert recipients == [f"RCPT TO:<user{n}@example.com>" for n in range(3)]


def test_what_is_refused_to_everybody_is_asked_once() -> None:
    with ScriptedServer(MAIL=["550 sender refused"]) as scripted:
        outcomes = SmtpProvider(scripted.address, lanes=1).send_all(mails(5))
    assert fates(outcomes) == [Fate.STOP] * 5
    assert sum(command.startswith("MAIL") for command in scripted.commands) == 1


def test_a_server_that_is_not_there_has_not_got_the_mail() -> None:
    (outcome,) = SmtpProvider(replace(PLAIN, port=free_port())).send_all([make_mail()])
    assert (outcome.fate, outcome.reason) == (Fate.LATER, "unreachable")


def test_an_outcome_never_shows_the_password() -> None:
    with ScriptedServer(AUTH=["535 wrong"]) as scripted:
        (outcome,) = SmtpProvider(scripted.address).send_all([make_mail()])
    assert PASSWORD not in repr(outcome)
