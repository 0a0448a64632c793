"""No field of a campaign or a contact ever becomes a header, and MIME reads back as written."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import CONFIG, make_mail
from sendmill.errors import UnsafeHeader
from sendmill.mail import (
    Mail,
    check_header,
    check_headers,
    encoded_header,
    mime_message,
    sender_header,
)
from sendmill.template import Rendered

DATE = "Mon, 23 Nov 2026 12:00:00 -0000"

INJECTIONS = [
    "Hello\r\nBcc: eve@example.com",
    "Hello\nBcc: eve@example.com",
    "Hello\rBcc: eve@example.com",
    "Hello\r\n\r\nA body of my own",
    "Hello\r\n X-Folded: 1",
    "Hello\x00",
    "\r\n",
    "\nBcc: eve@example.com",
    "=?utf-8?q?Hello=0D=0ABcc:_eve@example.com?=",
    "=?utf-8?q?Hello=0ABcc:_eve@example.com?=",
    "=?utf-8?b?SGVsbG8NCkJjYzogZXZlQGV4YW1wbGUuY29t?=",
    "=?iso-8859-1?Q?Hello=0D=0ABcc:?= eve@example.com",
    "a =?utf-8?q?=00?= b",
]
UNDECODABLE = ["=?utf-8?b?a?=", "=?utf-8?b?=?=", "=?no-such-charset?q?a?=", "=?utf-8?b?\u00e9?="]


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_value_that_would_start_a_header_is_refused(value: str) -> None:
    with pytest.raises(UnsafeHeader, match="Subject must not contain a line break or NUL"):
        check_header("Subject", value)


@pytest.mark.parametrize("value", UNDECODABLE)
def test_an_encoded_word_that_nobody_can_read_is_refused_or_kept(value: str) -> None:
    try:
        assert check_header("Subject", value) == value
    except UnsafeHeader:
        return


@pytest.mark.parametrize(
    "value", ["", "Hello", "Zo\u00eb", "a =?= b", "=?utf-8?q?Hello_there?=", "100 %", "what=?"]
)
def test_an_ordinary_value_passes(value: str) -> None:
    assert check_header("Subject", value) == value


@settings(max_examples=300)
@given(st.text(alphabet="=?utf-8bqQ_ 0ADda\u00e9.", max_size=40))
def test_every_value_passes_or_is_unsafe(value: str) -> None:
    try:
        check_header("Subject", value)
    except UnsafeHeader:
        return
    assert "\n" not in value


def mail_with(**changes: object) -> Mail:
    rendered = {"subject": "Hello", "text": "Hi\n", "html": ""}
    config = {}
    for name, value in changes.items():
        (rendered if name in rendered else config)[name] = value
    to = str(config.pop("to", "ada@example.com"))
    return replace(
        make_mail(to),
        rendered=Rendered(**rendered),  # type: ignore[arg-type]
        config=replace(CONFIG, **config),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("field", ["subject", "to", "from_email", "reply_to"])
@pytest.mark.parametrize("value", INJECTIONS)
def test_every_header_of_a_mail_is_guarded(field: str, value: str) -> None:
    mail = mail_with(**{field: value})
    with pytest.raises(UnsafeHeader):
        check_headers(mail)
    with pytest.raises(UnsafeHeader):
        mime_message(mail, date=DATE, domain="example.com")


def parsed(mail: Mail) -> EmailMessage:
    raw = mime_message(mail, date=DATE, domain="example.com")
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    found = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_plain_mail_reads_back_as_written() -> None:
    mail = mail_with(subject="Hello Ada", text="Dear Ada\n.\nBye\n")
    found = parsed(mail)
    assert found["Subject"] == "Hello Ada"
    assert found["To"] == "ada@example.com"
    assert found["From"] == "noreply@example.com"
    assert found["Date"] == DATE
    assert found["Message-ID"] == f"<{mail.rid}.1@example.com>"
    assert found["X-Sendmill-Campaign"] == "spring"
    assert found["Reply-To"] is None
    assert found.get_content_type() == "text/plain"
    assert text_of(found, "plain") == "Dear Ada\n.\nBye\n"


def test_a_mail_with_html_has_both_parts_the_plain_one_first() -> None:
    found = parsed(mail_with(text="Zo\u00eb\n", html="<p>Zo\u00eb \U0001f600</p>"))
    assert found.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in found.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert text_of(found, "plain") == "Zo\u00eb\n"
    assert text_of(found, "html") == "<p>Zo\u00eb \U0001f600</p>"


def test_the_boundary_is_in_no_part() -> None:
    mail = mail_with(html="<p>x</p>")
    hostile = f"--=_{mail.rid}_1--\r\n--=_{mail.rid}_1\r\nX: y\r\n\r\n"
    found = parsed(mail_with(text=hostile, html=f"<p>{hostile}</p>"))
    assert len(list(found.iter_parts())) == 2
    assert text_of(found, "plain") == hostile.replace("\r\n", "\n")


def test_every_attempt_has_a_message_id_of_its_own() -> None:
    first, second = make_mail(attempt=1), make_mail(attempt=2)
    assert parsed(first)["Message-ID"] != parsed(second)["Message-ID"]


@pytest.mark.parametrize(
    "subject",
    [
        "Hello",
        "Zo\u00eb",
        "\u65e5\u672c\u8a9e" * 60,
        "\U0001f600" * 100,
        "x" * 400,
        "a" * 44 + "\u00e9" + "b" * 44,
        "a =?utf-8?q?not_encoded?= b",
        "=?= odd",
        "50 % off: 'now' \"only\" <b>",
        "\u00e9 space at the edges \u00e9",
    ],
)
def test_a_subject_reads_back_equal(subject: str) -> None:
    assert parsed(mail_with(subject=subject))["Subject"] == subject


def test_a_long_subject_is_folded_into_short_encoded_words() -> None:
    words = encoded_header("\u65e5\u672c\u8a9e" * 60).split("\r\n ")
    assert len(words) > 5
    assert all(len(word) <= 75 for word in words)


@pytest.mark.parametrize(
    ("from_email", "name", "address"),
    [
        ("noreply@example.com", "", "noreply@example.com"),
        ("News <noreply@example.com>", "News", "noreply@example.com"),
        ('"News, Daily" <noreply@example.com>', "News, Daily", "noreply@example.com"),
        (
            "Zo\u00eb\u2019s News <noreply@example.com>",
            "Zo\u00eb\u2019s News",
            "noreply@example.com",
        ),
    ],
)
def test_a_sender_has_a_display_name_and_an_address(
    from_email: str, name: str, address: str
) -> None:
    assert sender_header(from_email).isascii()
    for header, field in (("From", "from_email"), ("Reply-To", "reply_to")):
        (found,) = parsed(mail_with(**{field: from_email}))[header].addresses
        assert (found.display_name, found.addr_spec) == (name, address)


LINES = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\n\t."),
    max_size=80,
)
SUBJECTS = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=80
)


@settings(max_examples=100, deadline=None)
@given(SUBJECTS, LINES, LINES)
def test_any_mail_reads_back_as_written(subject: str, text: str, html: str) -> None:
    mail = mail_with(subject=" ".join(subject.split()), text=text, html=html and f"<p>{html}")
    try:
        check_headers(mail)
    except UnsafeHeader:
        return
    found = parsed(mail)
    assert found["Subject"] == mail.rendered.subject
    assert text_of(found, "plain") == text
    if html:
        assert text_of(found, "html") == f"<p>{html}"
