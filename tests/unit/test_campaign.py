"""A campaign that could not be sent is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes import CONFIG, CONTENT, make_campaign
from sendmill.campaign import (
    MAX_TEMPLATE_BYTES,
    Config,
    Service,
    Status,
    check_campaign_id,
    check_name,
    config_from_mapping,
    content_from_mapping,
)
from sendmill.errors import InvalidCampaign

RAW = {"subject": "Hi", "body": "Text", "config": {"from_email": "noreply@example.com"}}


@pytest.mark.parametrize("value", ["a", "campaign_1234567890", "A-b_9", "x" * 64])
def test_an_id_that_can_be_a_key_and_a_tag_is_kept(value: str) -> None:
    assert check_campaign_id(value) == value


@pytest.mark.parametrize(
    "value", ["", "a b", "a#b", "x" * 65, "a\n", "\u00e9", None, 7, ["a"], "a.b"]
)
def test_any_other_id_is_refused(value: object) -> None:
    with pytest.raises(InvalidCampaign, match="campaign_id must be 1 to 64"):
        check_campaign_id(value)


def test_a_config_is_read_with_its_defaults() -> None:
    assert config_from_mapping({"from_email": "a@example.com"}) == Config(
        email_service=Service.SES, from_email="a@example.com"
    )
    assert config_from_mapping({}, default_from="d@example.com").from_email == "d@example.com"
    full = {
        "email_service": "SMTP",
        "from_email": "News <news@example.com>",
        "aws_region": "us-gov-west-1",
        "aws_secret_name": "credentials",
        "reply_to": "help@example.com",
        "unknown": 1,
    }
    assert config_from_mapping(full) == Config(
        email_service=Service.SMTP,
        from_email="News <news@example.com>",
        aws_region="us-gov-west-1",
        aws_secret_name="credentials",
        reply_to="help@example.com",
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"email_service": "pigeon"}, "config.email_service .*ses, smtp.*'pigeon'"),
        ({"email_service": ["ses"]}, "config.email_service"),
        ({"from_email": ""}, "config.from_email .*got nothing"),
        ({"from_email": "noreply"}, "config.from_email .*noreply"),
        ({"from_email": 7}, "config.from_email must be text .got 7"),
        ({"from_email": "a@b.com\r\nBcc: x@y.com"}, "config.from_email must be one printable line"),
        ({"from_email": "News <a@example.com>\n"}, "config.from_email must be one printable line"),
        ({"from_email": "n\u00f6@example.com"}, "config.from_email"),
        ({"from_email": "a@ex\u00e4mple.com"}, "config.from_email"),
        ({"reply_to": "a@b.com\nBcc: x@y.com"}, "config.reply_to must be one printable line"),
        ({"reply_to": "nobody"}, "config.reply_to"),
        ({"reply_to": "a@ex\u00e4mple.com"}, "config.reply_to"),
        ({"aws_region": {}, "from_email": 1}, "config.from_email"),
        ({"aws_region": ["x"]}, "config.aws_region must be text"),
        ({"aws_secret_name": "a\x00b"}, "config.aws_secret_name must be one printable line"),
    ],
)
def test_a_config_that_cannot_send_names_the_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidCampaign, match=named):
        config_from_mapping({"from_email": "a@example.com", **change})


@pytest.mark.parametrize("raw", [[], "ses", 7])
def test_a_config_is_an_object(raw: object) -> None:
    with pytest.raises(InvalidCampaign, match="config must be an object"):
        config_from_mapping(raw)


@pytest.mark.parametrize("field", ["subject", "body"])
@pytest.mark.parametrize("value", [None, "", "  \n", 7, ["x"]])
def test_a_missing_template_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidCampaign, match=f"^{field} must be a template"):
        content_from_mapping({**RAW, field: value})


@pytest.mark.parametrize("field", ["subject", "body"])
def test_a_template_is_measured_in_bytes(field: str) -> None:
    content_from_mapping({**RAW, field: "x" * MAX_TEMPLATE_BYTES})
    with pytest.raises(InvalidCampaign, match=f"{field} must be at most 100000 bytes .got 100002"):
        content_from_mapping({**RAW, field: "\u00e9" * 50_001})


@pytest.mark.parametrize("field", ["subject", "body"])
def test_a_lone_surrogate_is_refused_before_it_meets_an_encoder(field: str) -> None:
    with pytest.raises(InvalidCampaign, match=f"^{field} "):
        content_from_mapping({**RAW, field: "Hi \ud800"})


@pytest.mark.parametrize("value", ["", "   ", "x" * 201, None, 7, "a\ud800"])
def test_a_name_is_some_text(value: object) -> None:
    with pytest.raises(InvalidCampaign, match="^name must be 1 to 200 characters"):
        check_name(value)


def test_a_name_loses_its_surrounding_space() -> None:
    assert check_name("  Spring ") == "Spring"


def test_a_digest_stands_for_every_part_of_a_content() -> None:
    others = [
        CONTENT,
        replace(CONTENT, subject="x"),
        replace(CONTENT, body="x"),
        replace(CONTENT, config=replace(CONFIG, from_email="x@example.com")),
        replace(CONTENT, config=replace(CONFIG, email_service=Service.SMTP)),
    ]
    assert len({found.digest() for found in others}) == len(others)
    assert replace(CONTENT).digest() == CONTENT.digest()


@pytest.mark.parametrize(
    ("status", "sends"),
    [
        *((status, status is Status.RUNNING) for status in Status),
    ],
)
def test_which_status_lets_a_worker_send(status: Status, sends: bool) -> None:
    assert make_campaign(status=status).may_send() is sends
