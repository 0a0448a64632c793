"""Every mail to many says so, and carries the way out."""

from __future__ import annotations

import email
from dataclasses import replace

import pytest

from fakes import (
    CONFIG,
    HASH_KEY,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    ScriptedMailer,
    make_campaign,
    make_mail,
    make_row,
)
from sendmill.campaign import Content
from sendmill.contact import Contact
from sendmill.delivery import Deliverer, Links
from sendmill.errors import UnsafeHeader
from sendmill.mail import check_headers, list_headers, mime_message
from sendmill.message import Message

URL = "https://api.example.com/u/spring/r/k1.t"


class OneLink:
    """Give everybody the same link, and remember who asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def unsubscribe_url(self, campaign_id: str, rid: str) -> str:
        self.asked.append((campaign_id, rid))
        return URL


def test_a_mail_to_many_carries_the_headers_of_a_good_sender() -> None:
    assert dict(list_headers(CONFIG, URL)) == {
        "List-Unsubscribe": f"<{URL}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<noreply.example.com>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
    }


def test_without_an_address_there_is_no_link_and_the_rest_stays() -> None:
    assert [name for name, _ in list_headers(CONFIG, "")] == [
        "List-Id",
        "Auto-Submitted",
        "Precedence",
    ]


@pytest.mark.parametrize(
    ("sender", "list_id"),
    [
        ("News <news@example.com>", "<news.example.com>"),
        ("a.b+c_d@example.com", "<a.b-c-d.example.com>"),
        ('"a>\\"b"@example.com', "<a-b.example.com>"),
        ("+@example.com", "<list.example.com>"),
    ],
)
def test_the_list_is_named_by_its_sender(sender: str, list_id: str) -> None:
    config = replace(CONFIG, from_email=sender)
    assert dict(list_headers(config, ""))["List-Id"] == list_id


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A\r\nBcc", "eve@example.com"),
        ("X A", "v"),
        ("X:A", "v"),
        ("", "v"),
        ("X-A", "v\r\nBcc: eve@example.com"),
        ("X-A", ""),
        ("X-A", "é"),
        ("X-A", "=?utf-8?q?=0D=0ABcc:_eve?="),
        ("X-A", "v" * 901),
    ],
)
def test_a_header_that_would_be_two_is_refused(name: str, value: str) -> None:
    with pytest.raises(UnsafeHeader):
        check_headers(make_mail(headers=((name, value),)))


def test_smtp_mails_carry_them_with_a_feedback_id() -> None:
    mail = make_mail(headers=list_headers(CONFIG, URL))
    raw = mime_message(mail, date="Mon, 23 Nov 2026 12:00:00 -0000", domain="example.com")
    read = email.message_from_bytes(raw)
    assert read["List-Unsubscribe"] == f"<{URL}>"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read["Feedback-ID"] == "spring:::sendmill"
    assert max(len(line) for line in raw.split(b"\r\n")) < 998


def deliver(*, body: str, list_id: str, links: Links | None) -> ScriptedMailer:
    content = Content(subject="s", body=body, config=CONFIG)
    campaign = make_campaign(content=content, list_id=list_id)
    ledger = MemoryLedger(MemoryCampaigns(campaign), make_row())
    mailer = ScriptedMailer()
    deliverer = Deliverer(
        ledger=ledger,
        campaigns=ledger.campaigns,
        mailer=mailer,
        hash_key=HASH_KEY,
        clock=Clock(),
        jitter=lambda: 0.5,
        links=links,
        sleep=lambda _: None,
    )
    message = Message(campaign_id="spring", contact=Contact(email="ada@example.com"))
    (found,) = deliverer.deliver([message], owner="w1", budget_seconds=60, lease_seconds=90)
    mailer.configs.clear()
    assert found.event in ("accepted", "failed")
    return mailer


def test_the_link_is_the_recipient_s_own_in_headers_and_template() -> None:
    links = OneLink()
    (mail,) = deliver(body="Leave: {{ unsubscribe_url }}", list_id="list_1", links=links).sent
    assert mail.rendered.text == f"Leave: {URL}"
    assert dict(mail.headers)["List-Unsubscribe"] == f"<{URL}>"
    assert links.asked == [("spring", make_row().rid)]


def test_a_plain_message_carries_the_link_too() -> None:
    (mail,) = deliver(body="Hello", list_id="", links=OneLink()).sent
    assert dict(mail.headers)["List-Unsubscribe"] == f"<{URL}>"


def test_a_plain_message_without_an_address_of_the_api_leaves_as_it_is() -> None:
    (mail,) = deliver(body="Hello", list_id="", links=None).sent
    assert mail.headers == ()


def test_a_campaign_without_an_address_of_the_api_still_says_that_it_is_bulk() -> None:
    (mail,) = deliver(body="Hello", list_id="list_1", links=None).sent
    assert dict(mail.headers)["Precedence"] == "bulk"


def test_a_template_that_wants_a_link_that_is_not_there_mails_nobody() -> None:
    assert deliver(body="{{ unsubscribe_url }}", list_id="list_1", links=None).sent == []
