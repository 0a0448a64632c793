"""Read the events that SES publishes about mails.

Takes raw delivery and the envelope of SNS, the ``eventType`` of configuration sets and the
``notificationType`` of identities. Shapes: "Contents of event data that Amazon SES publishes to
Amazon SNS" in the SES guide; one recorded event a kind lies in tests/contract/events/ses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from sendmill.campaign import CAMPAIGN_ID
from sendmill.errors import InvalidMessage
from sendmill.ledger import News
from sendmill.suppression import Reason, reported_addresses

MAX_ATTEMPT_DIGITS = 6
_RID = re.compile(r"[a-z2-7]{26}\Z")
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")
_NEWS = {
    "Send": News.SENT,
    "DeliveryDelay": News.DELAYED,
    "Delivery": News.DELIVERED,
    "Bounce": News.BOUNCED,
    "Complaint": News.COMPLAINED,
    # taken by SES and never delivered: a virus, or a template of SES that cannot be rendered
    "Reject": News.BOUNCED,
    "Rendering Failure": News.BOUNCED,
}
_IGNORED = frozenset({"Open", "Click", "Subscription"})
_ON_ACCOUNT_LIST = "OnAccountSuppressionList"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Hold what one event says of one attempt.

    ``suppresses`` is why the addresses must not be mailed again, if so; ``forgives`` is true when
    somebody took a complaint back. Times are seconds since 1970.
    """

    kind: str
    news: News
    campaign_id: str
    rid: str
    attempt: int
    message_id: str
    sent_at: int
    happened_at: int
    reason: str = ""
    addresses: tuple[str, ...] = ()
    suppresses: Reason | None = None
    forgives: bool = False

    @property
    def key(self) -> Key:
        """Return the key of the row that the event is about."""
        return self.campaign_id, self.rid


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Say why a message says nothing of our mails; ``sent_at`` when it proves a Send anyway."""

    outcome: str
    detail: str = ""
    sent_at: int = 0


def parse_event(body: str, *, configuration_set: str = "", topic_arn: str = "") -> Event | Aside:
    """Return the event in a message, or why it says nothing of our mails.

    Takes raw delivery and the envelope of SNS, ``eventType`` and ``notificationType``. Raises
    InvalidMessage for what ought to be an event and is none; no address is shown.
    """
    if not body.lstrip().startswith("{"):
        # SES itself writes "Successfully validated SNS topic for ..." when a topic is set
        return Aside(outcome="no_event")
    raw = _json(body)
    if "Type" in raw and "eventType" not in raw:
        if topic_arn and raw.get("TopicArn") != topic_arn:
            return Aside(outcome="foreign_topic", detail=str(raw.get("TopicArn"))[:200])
        if raw["Type"] != "Notification":
            # a request to confirm a subscription: its URL is never fetched
            return Aside(outcome="no_event", detail=str(raw["Type"])[:80])
        return parse_event(_text(raw, "Message"), configuration_set=configuration_set)
    return _event(raw, configuration_set)


def _event(raw: Mapping[str, Any], configuration_set: str) -> Event | Aside:
    kind = _text(raw, "eventType" if "eventType" in raw else "notificationType")
    if kind in _IGNORED:
        return Aside(outcome="ignored_" + kind.lower())
    if kind not in _NEWS:
        return Aside(outcome="unknown_kind", detail=kind[:80])
    mail = _object(raw, "mail")
    tags = _object(mail, "tags") if "tags" in mail else {}
    found = _tag(tags, "ses:configuration-set")
    if configuration_set and found and found != configuration_set:
        return Aside(outcome="foreign_configuration_set", detail=found[:80])
    sent_at = _seconds(mail, "timestamp")
    campaign_id, rid, attempt = (
        _tag(tags, name) for name in ("campaign_id", "recipient_id", "attempt")
    )
    if not (campaign_id and rid and attempt and (found or not configuration_set)):
        # another sender of this account; its Send still proves that the stream flows
        proves = kind == "Send" and found == configuration_set
        return Aside(outcome="not_ours", sent_at=sent_at if proves else 0)
    if not (CAMPAIGN_ID.match(campaign_id) and _RID.match(rid) and _is_attempt(attempt)):
        return Aside(outcome="not_ours")
    return _described(
        Event(
            kind=kind,
            news=_NEWS[kind],
            campaign_id=campaign_id,
            rid=rid,
            attempt=int(attempt),
            message_id=_text(mail, "messageId"),
            sent_at=sent_at,
            happened_at=sent_at,
        ),
        raw,
    )


def _described(event: Event, raw: Mapping[str, Any]) -> Event:
    """Return the event with what its own part says: whom, why, and what follows."""
    describe = _DESCRIBE.get(event.kind)
    return event if describe is None else describe(event, raw)


def _bounce(event: Event, raw: Mapping[str, Any]) -> Event:
    bounce = _object(raw, "bounce")
    kind = _text(bounce, "bounceType")
    # Transient and Undetermined: a full mailbox, but also what a person on holiday answers. The
    # next mail may well arrive, and SES does not hold these against the sender either.
    for_ever = kind == "Permanent"
    return replace(
        event,
        news=News.BOUNCED if for_ever else News.SOFT_BOUNCED,
        reason=_word(kind, str(bounce.get("bounceSubType") or "")),
        happened_at=_seconds(bounce, "timestamp"),
        addresses=_recipients(bounce, "bouncedRecipients"),
        suppresses=Reason.BOUNCED if for_ever else None,
    )


def _complaint(event: Event, raw: Mapping[str, Any]) -> Event:
    complaint = _object(raw, "complaint")
    feedback = str(complaint.get("complaintFeedbackType") or "")
    found = replace(
        event,
        happened_at=_seconds(complaint, "timestamp"),
        addresses=_recipients(complaint, "complainedRecipients"),
    )
    if feedback == "not-spam":
        # the opposite: somebody took the mail out of the spam folder
        return replace(found, news=News.SENT, forgives=True)
    if complaint.get("complaintSubType") == _ON_ACCOUNT_LIST:
        # an old complaint, because of which SES did not deliver this mail
        return replace(
            found,
            news=News.BOUNCED,
            reason=_word("complaint", _ON_ACCOUNT_LIST),
            suppresses=Reason.COMPLAINED,
        )
    return replace(found, reason=_word(feedback), suppresses=Reason.COMPLAINED)


def _delay(event: Event, raw: Mapping[str, Any]) -> Event:
    delay = _object(raw, "deliveryDelay")
    return replace(event, reason=_word(str(delay.get("delayType") or "")))


def _reject(event: Event, raw: Mapping[str, Any]) -> Event:
    said = raw.get("reject")
    reason = said.get("reason") if isinstance(said, dict) else ""
    return replace(event, reason=_word("rejected", str(reason or "")))


def _failure(event: Event, _: Mapping[str, Any]) -> Event:
    return replace(event, reason="rendering_failure")


_DESCRIBE: Mapping[str, Callable[[Event, Mapping[str, Any]], Event]] = {
    "Bounce": _bounce,
    "Complaint": _complaint,
    "DeliveryDelay": _delay,
    "Reject": _reject,
    "Rendering Failure": _failure,
}


def _json(body: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"an event must be JSON ({type(error).__name__})") from error
    if not isinstance(found, dict):
        _refuse("an event", "an object", found)
    return found


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    if not isinstance(found, dict):
        _refuse(name, "an object", found)
    return found


def _text(raw: Mapping[str, Any], name: str) -> str:
    found = raw.get(name)
    if not isinstance(found, str) or not found:
        _refuse(name, "text", found)
    return found


def _tag(tags: Mapping[str, Any], name: str) -> str:
    """Return the first value of a tag, which come as lists; empty if it is not there."""
    found = tags.get(name)
    if isinstance(found, list):
        found = found[0] if found else None
    if found is not None and not isinstance(found, str):
        _refuse(f"tag {name}", "a list of texts", found)
    return found or ""


def _is_attempt(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= MAX_ATTEMPT_DIGITS


def _recipients(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = raw.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        _refuse(name, "a list of objects", found)
    return tuple(reported_addresses([one.get("emailAddress") for one in found]))


def _seconds(raw: Mapping[str, Any], name: str) -> int:
    """Return a time such as 2017-08-05T00:41:02.669Z as seconds since 1970."""
    try:
        found = datetime.fromisoformat(_text(raw, name))
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidMessage(f"{name} must be a time in ISO 8601") from error


def _word(*parts: str) -> str:
    """Return what a provider said as one short word that may be logged and grouped by."""
    return "_".join(filter(None, (_NO_WORD.sub("", part)[:40].lower() for part in parts)))


def _refuse(name: str, wanted: str, found: object) -> NoReturn:
    # the value may hold an address: its type says enough
    raise InvalidMessage(f"{name} must be {wanted} (got {type(found).__name__})")
