"""Every shape in which SES publishes an event is read, and what is none does no harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import HASH_KEY
from sendmill.contact import recipient_id
from sendmill.errors import InvalidMessage
from sendmill.event import Aside, Event, parse_event
from sendmill.ledger import News
from sendmill.suppression import Reason

SHAPES = Path(__file__).resolve().parents[1] / "contract/events/ses"
SET = "ConfigSet"
TOPIC = "arn:aws:sns:us-east-1:123456789012:feedback"
ADDRESS = "recipient@example.com"
RID = recipient_id(HASH_KEY, "spring", ADDRESS)


def shape(name: str) -> str:
    (path,) = SHAPES.glob(f"{name}.*")
    return path.read_text().replace("RECIPIENT_ID", RID)


def parse(body: str) -> Event | Aside:
    return parse_event(body, configuration_set=SET, topic_arn=TOPIC)


@pytest.mark.parametrize(
    ("name", "news", "reason", "suppresses", "addresses"),
    [
        ("send", News.SENT, "", None, ()),
        ("delivery", News.DELIVERED, "", None, ()),
        ("delivery_delay", News.DELAYED, "transientcommunicationfailure", None, ()),
        (
            "bounce_permanent_general",
            News.BOUNCED,
            "permanent_general",
            Reason.BOUNCED,
            (ADDRESS,),
        ),
        (
            "bounce_permanent_no_email",
            News.BOUNCED,
            "permanent_noemail",
            Reason.BOUNCED,
            (ADDRESS,),
        ),
        (
            "bounce_permanent_suppressed",
            News.BOUNCED,
            "permanent_suppressed",
            Reason.BOUNCED,
            (ADDRESS,),
        ),
        (
            "bounce_permanent_on_account_list",
            News.BOUNCED,
            "permanent_onaccountsuppressionlist",
            Reason.BOUNCED,
            (ADDRESS,),
        ),
        (
            "bounce_two_recipients",
            News.BOUNCED,
            "permanent_general",
            Reason.BOUNCED,
            (ADDRESS, "forwarded@example.net"),
        ),
        (
            "bounce_transient_mailbox_full",
            News.SOFT_BOUNCED,
            "transient_mailboxfull",
            None,
            (ADDRESS,),
        ),
        ("bounce_transient_general", News.SOFT_BOUNCED, "transient_general", None, (ADDRESS,)),
        ("bounce_undetermined", News.SOFT_BOUNCED, "undetermined_undetermined", None, (ADDRESS,)),
        ("complaint_abuse", News.COMPLAINED, "abuse", Reason.COMPLAINED, (ADDRESS,)),
        ("complaint_without_report", News.COMPLAINED, "", Reason.COMPLAINED, (ADDRESS,)),
        (
            "complaint_on_account_list",
            News.BOUNCED,
            "complaint_onaccountsuppressionlist",
            Reason.COMPLAINED,
            (ADDRESS,),
        ),
        ("complaint_not_spam", News.SENT, "", None, (ADDRESS,)),
        ("reject", News.BOUNCED, "rejected_badcontent", None, ()),
        ("rendering_failure", News.BOUNCED, "rendering_failure", None, ()),
        (
            "envelope_notification",
            News.BOUNCED,
            "permanent_general",
            Reason.BOUNCED,
            (ADDRESS,),
        ),
    ],
)
def test_an_event_of_ours_says_what_it_means(
    name: str, news: News, reason: str, suppresses: Reason | None, addresses: tuple[str, ...]
) -> None:
    found = parse(shape(name))
    assert isinstance(found, Event)
    assert (found.news, found.reason, found.suppresses, found.addresses) == (
        news,
        reason,
        suppresses,
        addresses,
    )
    assert (found.key, found.attempt) == (("spring", RID), 1)
    assert found.message_id.startswith("EXAMPLE7c191be45")
    assert found.forgives == (name == "complaint_not_spam")
    assert found.sent_at <= found.happened_at


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("open", "ignored_open"),
        ("click", "ignored_click"),
        ("subscription", "ignored_subscription"),
        ("greeting", "no_event"),
        ("envelope_subscription_confirmation", "no_event"),
        ("other_sender_send", "not_ours"),
        ("other_sender_bounce", "not_ours"),
        ("notification_bounce", "not_ours"),
        ("notification_complaint", "not_ours"),
        ("notification_delivery", "not_ours"),
    ],
)
def test_what_says_nothing_of_our_mails_is_put_aside(name: str, outcome: str) -> None:
    found = parse(shape(name))
    assert isinstance(found, Aside)
    assert found.outcome == outcome


def test_every_recorded_shape_is_in_a_table_above() -> None:
    named = {mark.args[1][n][0] for mark in _tables() for n in range(len(mark.args[1]))}
    recorded = {path.stem for path in SHAPES.iterdir() if path.stem != "README"}
    assert named == recorded


def _tables() -> list[Any]:
    tables = (
        test_an_event_of_ours_says_what_it_means,
        test_what_says_nothing_of_our_mails_is_put_aside,
    )
    return [mark for test in tables for mark in test.pytestmark]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["send", "delivery", "bounce_permanent_general", "complaint_abuse"]
)
def test_both_names_of_the_kind_are_read(name: str) -> None:
    raw = json.loads(shape(name))
    raw["notificationType"] = raw.pop("eventType")
    assert parse(json.dumps(raw)) == parse(shape(name))


def test_a_send_of_another_sender_still_proves_that_the_stream_flows() -> None:
    found = parse(shape("other_sender_send"))
    assert isinstance(found, Aside)
    assert found.sent_at == 1476421336


def test_an_event_of_another_configuration_set_is_refused() -> None:
    found = parse_event(shape("bounce_permanent_general"), configuration_set="Another")
    assert found == Aside(outcome="foreign_configuration_set", detail="ConfigSet")


def test_an_envelope_of_another_topic_is_refused() -> None:
    found = parse_event(shape("envelope_notification"), topic_arn="arn:aws:sns:us-east-1:1:mine")
    assert found == Aside(outcome="foreign_topic", detail=TOPIC)


def test_our_tags_without_a_configuration_set_are_not_believed() -> None:
    raw = json.loads(shape("bounce_permanent_general"))
    del raw["mail"]["tags"]["ses:configuration-set"]
    assert parse(json.dumps(raw)) == Aside(outcome="not_ours")


def test_a_kind_that_ses_invents_tomorrow_is_put_aside() -> None:
    assert parse('{"eventType": "Teleportation"}') == Aside(
        outcome="unknown_kind", detail="Teleportation"
    )


@pytest.mark.parametrize(
    "body",
    ["", "no event", "[]", '"text"', "null", "17", "\ufeff{}", "Successfully validated SNS topic"],
)
def test_text_that_is_no_event_is_tolerated(body: str) -> None:
    assert parse(body) == Aside(outcome="no_event")


def damaged(*path: str, value: Any = None) -> str:
    raw = json.loads(shape("bounce_permanent_general"))
    inner = raw
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(raw)


@pytest.mark.parametrize(
    "body",
    [
        '{"eventType": "Bounce"',
        "{}",
        '{"eventType": 7}',
        '{"eventType": ""}',
        '{"eventType": "Bounce"}',
        json.dumps({"Type": "Notification", "TopicArn": TOPIC}),
        damaged("mail"),
        damaged("mail", value=[]),
        damaged("mail", "tags", value="campaign_id"),
        damaged("mail", "tags", "attempt", value=[1]),
        damaged("mail", "tags", "campaign_id", value={"0": "spring"}),
        damaged("mail", "timestamp", value="yesterday"),
        damaged("mail", "timestamp"),
        damaged("mail", "messageId"),
        damaged("bounce"),
        damaged("bounce", "bounceType"),
        damaged("bounce", "bouncedRecipients"),
        damaged("bounce", "bouncedRecipients", value=["recipient@example.com"]),
        damaged("bounce", "timestamp", value=0),
    ],
)
def test_a_damaged_event_is_refused_without_showing_an_address(body: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        parse(body)
    assert "@" not in str(refused.value)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("attempt", "-1"),
        ("attempt", "²"),
        ("attempt", "1000000000000"),
        ("campaign_id", "spring#1"),
        ("recipient_id", "ada"),
    ],
)
def test_tags_that_cannot_be_ours_are_not_ours(tag: str, value: str) -> None:
    assert parse(damaged("mail", "tags", tag, value=[value])) == Aside(outcome="not_ours")


@pytest.mark.parametrize(
    "address",
    [None, 7, "", "nobody", "@", "a@", "@b", "x" * 400 + "@example.com", "rfc822;", "<>"],
)
def test_a_recipient_without_an_address_is_left_out(address: object) -> None:
    found = parse(damaged("bounce", "bouncedRecipients", value=[{"emailAddress": address}]))
    assert isinstance(found, Event)
    assert found.addresses == ()


@pytest.mark.parametrize(
    "address",
    ["recipient@example.com", "recipient@EXAMPLE.com", "A. B. <recipient@example.com>",
     "rfc822; recipient@example.com", "<recipient@example.com>"],
)  # fmt: skip
def test_an_address_is_read_however_it_is_written(address: str) -> None:
    found = parse(damaged("bounce", "bouncedRecipients", value=[{"emailAddress": address}]))
    assert isinstance(found, Event)
    assert found.addresses == (ADDRESS,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
PLACES = [
    ("eventType",),
    ("mail",),
    ("mail", "tags"),
    ("mail", "tags", "attempt"),
    ("mail", "tags", "ses:configuration-set"),
    ("mail", "timestamp"),
    ("mail", "messageId"),
    ("bounce",),
    ("bounce", "bounceType"),
    ("bounce", "bounceSubType"),
    ("bounce", "timestamp"),
    ("bounce", "bouncedRecipients"),
]


@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_stands_in_an_event_is_read_put_aside_or_refused(
    place: tuple[str, ...], value: Any
) -> None:
    body = damaged(*place, value=value)
    try:
        assert isinstance(parse(body), Event | Aside)
    except InvalidMessage:
        return


@given(st.text())
def test_no_text_breaks_the_reader(body: str) -> None:
    for one in (body, "{" + body, json.dumps({"eventType": "Bounce", "mail": body})):
        try:
            parse(one)
        except InvalidMessage:
            continue
