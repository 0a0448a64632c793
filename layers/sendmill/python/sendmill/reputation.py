"""Say how well mails were received lately, by the counters of the newest campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sendmill.ledger import News, State

# Mailbox providers and SES act on these shares; half of them is worth a look.
BOUNCES = 0.04
COMPLAINTS = 0.0008
# Fewer mails say nothing about a rate.
MINIMUM = 500


class Standing(StrEnum):
    """How far a sender is from being stopped."""

    OK = "ok"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Hold shares of what was sent; ``level`` is ok while too little was sent to tell."""

    bounce_rate: float
    complaint_rate: float
    sent: int
    level: Standing


def received(counters: Iterable[Mapping[str, int]]) -> Received:
    """Return how the mails of these campaigns were received."""
    sent = bounced = complained = 0
    for one in counters:
        sent += one.get(State.ACCEPTED, 0)
        bounced += one.get(News.BOUNCED, 0)
        complained += one.get(News.COMPLAINED, 0)
    bounces, complaints = (bounced / sent, complained / sent) if sent else (0.0, 0.0)
    worst = max(bounces / BOUNCES, complaints / COMPLAINTS)
    level = Standing.OK if sent < MINIMUM or worst < 0.5 else Standing.WARNING
    if sent >= MINIMUM and worst >= 1:
        level = Standing.DANGER
    return Received(
        bounce_rate=round(bounces, 6),
        complaint_rate=round(complaints, 6),
        sent=sent,
        level=level,
    )
