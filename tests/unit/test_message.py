"""The shape of a message is a promise to whoever puts one on the queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendmill.campaign import Config, Content, Service
from sendmill.contact import Contact
from sendmill.errors import InvalidMessage
from sendmill.message import Message, message_body, parse_message

DOCUMENTED = """
{"campaign_id": "campaign_1234567890", "campaign_name": "Monthly Newsletter",
 "subject": "Hello {{first_name}}!", "body": "Dear {{first_name}} {{last_name}}, ...",
 "contact": {"email": "user@example.com", "first_name": "John", "last_name": "Doe", "company": "Acme Corp"},
 "config": {"email_service": "ses", "from_email": "noreply@example.com", "aws_region": "us-gov-west-1",
            "aws_secret_name": "email-api-credentials"}}
"""  # noqa: E501  word for word as it is documented


def documented(**changes: object) -> dict[str, Any]:
    return {**json.loads(DOCUMENTED), **changes}


def body(**changes: object) -> str:
    kept = {name: value for name, value in documented(**changes).items() if value is not ...}
    return json.dumps(kept)


def test_the_documented_message_is_read_as_it_stands() -> None:
    assert parse_message(DOCUMENTED) == Message(
        campaign_id="campaign_1234567890",
        campaign_name="Monthly Newsletter",
        contact=Contact(
            email="user@example.com",
            fields={"first_name": "John", "last_name": "Doe", "company": "Acme Corp"},
        ),
        content=Content(
            subject="Hello {{first_name}}!",
            body="Dear {{first_name}} {{last_name}}, ...",
            config=Config(
                email_service=Service.SES,
                from_email="noreply@example.com",
                aws_region="us-gov-west-1",
                aws_secret_name="email-api-credentials",
            ),
        ),
    )


def test_unknown_keys_are_ignored() -> None:
    config = {**documented()["config"], "colour": "blue"}
    assert parse_message(body(priority=3, config=config)) == parse_message(DOCUMENTED)


def test_a_name_may_be_missing() -> None:
    assert parse_message(body(campaign_name=...)).campaign_name == "campaign_1234567890"


def test_a_message_without_content_means_the_campaigns_own() -> None:
    found = parse_message(body(subject=..., body=..., config=...))
    assert found.content is None


def test_what_dispatch_writes_is_what_the_worker_reads() -> None:
    contact = Contact(email="ada@example.com", fields={"first_name": "Zo\u00eb \U0001f600"})
    written = message_body(Message(campaign_id="spring", contact=contact))
    found = parse_message(written)
    assert (found.campaign_id, found.contact, found.content) == ("spring", contact, None)


def test_the_default_sender_is_used_only_where_none_is_named() -> None:
    found = parse_message(body(config=...), default_from="default@example.com")
    assert found.content
    assert found.content.config.from_email == "default@example.com"
    found = parse_message(DOCUMENTED, default_from="default@example.com")
    assert found.content
    assert found.content.config.from_email == "noreply@example.com"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"campaign_id": ...}, "campaign_id"),
        ({"campaign_id": "a b"}, "campaign_id"),
        ({"campaign_id": 7}, "campaign_id"),
        ({"campaign_name": "x" * 201}, "campaign_name"),
        ({"campaign_name": 7}, "campaign_name"),
        ({"subject": ...}, "subject"),
        ({"subject": 7}, "subject"),
        ({"body": ...}, "body"),
        ({"body": " "}, "body"),
        ({"body": "x" * 100_001}, "body"),
        ({"config": ...}, "config.from_email"),
        ({"config": "ses"}, "config"),
        ({"config": {"email_service": "pigeon"}}, "config.email_service"),
        ({"contact": ...}, "contact"),
        ({"contact": "user@example.com"}, "contact"),
        ({"contact": []}, "contact"),
        ({"contact": {}}, "contact"),
        ({"contact": {"email": "nobody"}}, "contact"),
        ({"contact": {"email": "user@example.com", "First Name": "x"}}, "contact"),
        ({"contact": {"email": "user@example.com", "name": "x\r\nBcc: y"}}, "contact"),
        ({"contact": {"email": "user@example.com", "name": "x\ud800"}}, "contact"),
        ({"subject": "x\ud800"}, "subject"),
        ({"campaign_name": "x\ud800"}, "campaign_name"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidMessage, match=f"^{named} must"):
        parse_message(body(**changes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "body must be JSON"),
        ("no json", "body must be JSON"),
        ("{", "body must be JSON"),
        ("[]", "body must be a JSON object .got list"),
        ("7", "body must be a JSON object .got int"),
        ("null", "body must be a JSON object .got NoneType"),
        ("[" * 100_000, "body must be JSON"),
        ('{"a":' * 100_000, "body must be JSON"),
        ('{"campaign_id": ' + "9" * 5_000 + "}", "body must be JSON"),
    ],
)
def test_a_body_that_is_no_message_says_so(text: str, said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        parse_message(text)


SECRETIVE = "victim.person@example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"contact": {"email": f"{SECRETIVE} x"}},
        {"contact": {"email": [SECRETIVE]}},
        {"contact": {"email": "a@example.com", SECRETIVE: "x"}},
        {"contact": {"email": "a@example.com", "note": f"{SECRETIVE}\n"}},
        {"contact": SECRETIVE},
        {"campaign_id": SECRETIVE},
        {"campaign_id": [SECRETIVE]},
        {"campaign_name": [SECRETIVE]},
        {"config": SECRETIVE},
        {"config": {"from_email": [SECRETIVE]}},
        {"config": {"email_service": SECRETIVE}},
    ],
)
def test_no_error_shows_an_address(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parse_message(body(**changes))
    assert "victim" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(documented())), JSON)
def test_whatever_a_field_holds_it_is_read_or_refused(name: str, value: object) -> None:
    try:
        parse_message(json.dumps(documented(**{name: value})))
    except InvalidMessage as error:
        assert name in str(error) or "must" in str(error)


@given(JSON)
def test_whatever_the_contact_holds_it_is_read_or_refused(value: object) -> None:
    contact = {"email": "ada@example.com", "first_name": value}
    try:
        found = parse_message(json.dumps(documented(contact=contact)))
    except InvalidMessage:
        return
    assert isinstance(found.contact.fields["first_name"], str)
