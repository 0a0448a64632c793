"""The events SES publishes for a mail, in its JSON shapes.

Source: "Contents of event data that Amazon SES publishes to Amazon SNS" in the SES guide. The
mailbox simulator's addresses take +labels; everything else is delivered.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from standin.mailbox import Delivered
from standin.mime import message_id_domain

SIMULATOR = "simulator.amazonses.com"
MAX_HEADER_BYTES = 10 * 1024  # SES cuts the header list of an event there
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
Event = dict[str, Any]


def timestamp(seconds: float) -> str:
    """Return ISO 8601 in UTC with milliseconds, as SES writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def simulated(address: str) -> str:
    """Return the simulator's mailbox ('bounce' of bounce+7@simulator...), or ''."""
    local, _, domain = address.lower().rpartition("@")
    return local.partition("+")[0] if domain == SIMULATOR else ""


def events_for(mail: Delivered, *, suppressed: set[str], virus: bool = False) -> list[Event]:
    """Return the events of a mail in the order they happen: Send first."""
    envelope = describe_mail(mail)
    events: list[Event] = [{"eventType": "Send", "mail": envelope, "send": {}}]
    if virus:
        return [
            *events,
            {"eventType": "Reject", "mail": envelope, "reject": {"reason": "Bad content"}},
        ]
    for address in mail.envelope.recipients:
        mailbox = simulated(address)
        if address.lower() in suppressed:
            events.append(_bounce(mail, envelope, address, "OnAccountSuppressionList"))
        elif mailbox == "suppressionlist":
            events.append(_bounce(mail, envelope, address, "Suppressed"))
        elif mailbox == "bounce":
            events.append(_bounce(mail, envelope, address, "General"))
        else:
            events.append(_delivery(mail, envelope, address))
        if mailbox == "complaint" and address.lower() not in suppressed:
            events.append(_complaint(mail, envelope, address))
    return events


def describe_mail(mail: Delivered) -> dict[str, Any]:
    """Return the `mail` object that every event carries."""
    headers, truncated = _headers_that_fit(mail.mime_headers)
    sent = mail.envelope
    domain = sent.sender.rpartition("@")[2]
    arn = f"arn:aws:ses:{mail.region}:{mail.account}:identity/{sent.sender}"
    tags = {name: [value] for name, value in sent.tags.items()}
    return {
        "timestamp": timestamp(mail.accepted_at),
        "source": sent.source,
        "sourceArn": arn,
        "sendingAccountId": mail.account,
        "messageId": mail.message_id,
        "destination": list(sent.recipients),
        "headersTruncated": truncated,
        "headers": headers,
        "commonHeaders": _common_headers(mail),
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": [sent.configuration_set or ""],
            "ses:source-ip": ["127.0.0.1"],
            "ses:from-domain": [domain],
            "ses:caller-identity": [mail.account],
            **tags,
        },
    }


def _headers_that_fit(pairs: tuple[tuple[str, str], ...]) -> tuple[list[dict[str, str]], bool]:
    fitting: list[dict[str, str]] = []
    size = 0
    for name, value in pairs:
        size += len(name) + len(value) + 4
        if size > MAX_HEADER_BYTES:
            return fitting, True
        fitting.append({"name": name, "value": value})
    return fitting, False


def _common_headers(mail: Delivered) -> dict[str, Any]:
    sent = mail.envelope
    common: dict[str, Any] = {
        "from": [sent.source],
        "to": list(sent.to),
        "messageId": mail.message_id,
        "subject": mail.subject,
    }
    if sent.cc:
        common["cc"] = list(sent.cc)
    if sent.reply_to:
        common["replyTo"] = list(sent.reply_to)
    dates = [value for name, value in mail.mime_headers if name.lower() == "date"]
    return {**common, "date": dates[0]} if dates else common


def _delivery(mail: Delivered, envelope: dict[str, Any], address: str) -> Event:
    return {
        "eventType": "Delivery",
        "mail": envelope,
        "delivery": {
            "timestamp": timestamp(mail.accepted_at + 0.4),
            "processingTimeMillis": 400,
            "recipients": [address],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": f"a1-1.smtp-out.{message_id_domain(mail.region)}",
        },
    }


def _bounce(mail: Delivered, envelope: dict[str, Any], address: str, subtype: str) -> Event:
    recipient = {"emailAddress": address, "action": "failed", "status": "5.1.1"}
    recipient["diagnosticCode"] = (
        "smtp; 550 5.1.1 user unknown"
        if subtype == "General"
        else "Amazon SES did not send the message to this address because it is suppressed."
    )
    return {
        "eventType": "Bounce",
        "mail": envelope,
        "bounce": {
            "feedbackId": f"{mail.message_id}-bounce",
            "bounceType": "Permanent",
            "bounceSubType": subtype,
            "bouncedRecipients": [recipient],
            "timestamp": timestamp(mail.accepted_at + 0.4),
            "reportingMTA": "dns; amazonses.com",
        },
    }


def _complaint(mail: Delivered, envelope: dict[str, Any], address: str) -> Event:
    return {
        "eventType": "Complaint",
        "mail": envelope,
        "complaint": {
            "feedbackId": f"{mail.message_id}-complaint",
            "complaintSubType": None,
            "complainedRecipients": [{"emailAddress": address}],
            "timestamp": timestamp(mail.accepted_at + 0.8),
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": timestamp(mail.accepted_at + 0.4),
        },
    }
