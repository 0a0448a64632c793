"""Look at a campaign before it is started: what would stop it, what a person should know.

Pure: what was found out about the sender, the account and the list comes in as :class:`Facts`,
and a checklist goes out. Errors block a start; warnings want a person's word. What could not be
found out is a warning that says so, never an ``ok``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from sendmill.campaign import Campaign, Service
from sendmill.errors import InvalidTemplate
from sendmill.rate import Account
from sendmill.template import compile_content

# US dollars for one mail of SES (https://aws.amazon.com/ses/pricing/, 2026-11).
SES_DOLLARS = 0.0001
# Gmail shows no more than 102 kB of a mail, fields and links filled in.
CLIPPED_BYTES = 95_000
MAX_SUBJECT_CHARS = 150


class Level(StrEnum):
    """How much a check matters."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Hold one line of the checklist; ``fix`` says what to do, empty when there is nothing."""

    id: str
    level: Level
    title: str
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Hold what SES says of an address or a domain that may send.

    ``dkim`` and ``mail_from`` are SES's words (SUCCESS, PENDING, ...); ``mail_from`` is empty when
    no MAIL FROM domain of our own is set.
    """

    name: str
    verified: bool
    dkim: str = ""
    mail_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsChecked:
    """Say how many rows of the list were rendered, and the first one that could not be."""

    checked: int
    total: int
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Hold what is known before a start.

    ``asked`` is false when SES did not answer; ``identity`` None when it knows no such sender.
    ``dmarc`` is the record, empty when there is none, None when nobody could be asked.
    ``needs_approval`` and ``approved`` speak of a second person's word. ``own_domain`` is the one
    that the functions may send as, whatever else is verified; empty when it is not known.
    """

    campaign: Campaign
    account: Account
    asked: bool = False
    identity: Identity | None = None
    dmarc: str | None = None
    rows: RowsChecked = field(default_factory=lambda: RowsChecked(checked=0, total=0))
    needs_approval: bool = False
    approved: bool = False
    own_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Hold what a campaign will take; ``quota_left`` is -1 without a daily quota."""

    recipients: int
    seconds: int
    cost_usd: float
    quota_left: int


def checklist(facts: Facts) -> list[Check]:
    """Return every check, in the order in which a person would go through them."""
    return [
        *_sender(facts),
        _dmarc(facts),
        _sandbox(facts),
        _quota(facts),
        *_content(facts),
        _approval(facts),
    ]


def blocking(checks: Sequence[Check], accepted: Sequence[str] | None) -> list[Check]:
    """Return what keeps a campaign from being started.

    Errors always do. Warnings do when a person looked at them (``accepted`` is not None) and did
    not accept each: a program that says nothing about warnings is not stopped by them.
    """
    return [
        check
        for check in checks
        if check.level is Level.ERROR
        or (check.level is Level.WARNING and accepted is not None and check.id not in accepted)
    ]


def estimate(facts: Facts) -> Estimate:
    """Return time, money and quota; mails over SMTP have neither a rate nor a price here."""
    recipients = facts.campaign.expected or facts.campaign.total
    by_ses = facts.campaign.content.config.email_service is Service.SES
    left = facts.account.left_today()
    return Estimate(
        recipients=recipients,
        seconds=ceil(recipients / facts.account.rate()) if by_ses else 0,
        cost_usd=round(recipients * SES_DOLLARS, 4) if by_ses else 0.0,
        quota_left=-1 if left == float("inf") else int(left),
    )


def _sender(facts: Facts) -> Iterator[Check]:
    config, identity = facts.campaign.content.config, facts.identity
    if config.email_service is not Service.SES:
        said = "the SMTP server decides whether this sender may send"
        for name, title in _SENDER_TITLES.items():
            yield _check(name, Level.OK, title, said)
        return
    sender = config.from_email
    if facts.own_domain and sender_domain(facts.campaign) != facts.own_domain.lower():
        yield _check(
            "sender_identity",
            Level.ERROR,
            _SENDER_TITLES["sender_identity"],
            f"{sender} is not of {facts.own_domain}: every mail would be refused",
            f"Send from an address of {facts.own_domain}: mails may leave as no other.",
        )
        return
    if not facts.asked:
        for name, title in _SENDER_TITLES.items():
            yield _check(name, Level.WARNING, title, "not checked: SES did not answer", _AGAIN)
        return
    if identity is None or not identity.verified:
        state = "is not verified yet" if identity else "is unknown to SES"
        yield _check(
            "sender_identity",
            Level.ERROR,
            _SENDER_TITLES["sender_identity"],
            f"{sender} {state}: every mail would be refused",
            "Verify the domain (or the address) in SES, or send from one that is verified.",
        )
        return
    yield _check(
        "sender_identity",
        Level.OK,
        _SENDER_TITLES["sender_identity"],
        f"{sender} may send: {identity.name} is verified",
    )
    yield _dkim(identity)
    yield _mail_from(identity)


def _dkim(identity: Identity) -> Check:
    title = _SENDER_TITLES["dkim"]
    if identity.dkim == "SUCCESS":
        return _check("dkim", Level.OK, title, f"mails are signed for {identity.name}")
    return _check(
        "dkim",
        Level.WARNING,
        title,
        f"DKIM of {identity.name} is {identity.dkim.lower() or 'not set up'}",
        "Add the three CNAME records that SES shows; Gmail and Yahoo refuse bulk mail without.",
    )


def _mail_from(identity: Identity) -> Check:
    title = _SENDER_TITLES["mail_from"]
    if identity.mail_from == "SUCCESS":
        return _check("mail_from", Level.OK, title, "bounces come back to a domain of your own")
    said = identity.mail_from.lower() or "not set: SPF passes for amazonses.com alone"
    return _check(
        "mail_from",
        Level.WARNING,
        title,
        f"the MAIL FROM domain is {said}",
        "Set a MAIL FROM domain in SES and add its MX and TXT records.",
    )


def _dmarc(facts: Facts) -> Check:
    domain = sender_domain(facts.campaign)
    title = "DMARC record"
    if facts.dmarc is None:
        return _check("dmarc", Level.WARNING, title, "not checked: no DNS answered", _AGAIN)
    if not facts.dmarc:
        return _check(
            "dmarc",
            Level.WARNING,
            title,
            f"{domain} has no DMARC record",
            f"Add a TXT record _dmarc.{domain}, at least v=DMARC1; p=none.",
        )
    return _check("dmarc", Level.OK, title, facts.dmarc[:200])


def _sandbox(facts: Facts) -> Check:
    title = "The account may send"
    if facts.campaign.content.config.email_service is not Service.SES:
        return _check("sandbox", Level.OK, title, "the SMTP server has no sandbox")
    if facts.account.stopped:
        return _check(
            "sandbox",
            Level.ERROR,
            title,
            f"SES says {facts.account.stopped.replace('_', ' ')}",
            "Look at the account's reputation in the AWS console.",
        )
    if not facts.account.production:
        return _check(
            "sandbox",
            Level.WARNING,
            title,
            "the account is in the SES sandbox: only verified recipients are mailed",
            "Ask AWS for production access.",
        )
    return _check("sandbox", Level.OK, title, "the account is out of the sandbox")


def _quota(facts: Facts) -> Check:
    found = estimate(facts)
    title = "Daily quota"
    if found.quota_left < 0 or found.recipients <= found.quota_left:
        left = "no limit" if found.quota_left < 0 else f"{found.quota_left:,} left today"
        return _check("quota", Level.OK, title, f"{_people(found.recipients)}, {left}")
    return _check(
        "quota",
        Level.WARNING,
        title,
        f"{_people(found.recipients)}, but {found.quota_left:,} left today: it will pause and go "
        "on by itself",
        "Send a part of the list, or ask AWS for a higher quota.",
    )


def _content(facts: Facts) -> Iterator[Check]:
    content = facts.campaign.content
    try:
        compiled = compile_content(content)
    except InvalidTemplate as error:
        yield _check("content", Level.ERROR, "Template", str(error), "Correct the template.")
        return
    kind = "HTML, with a text part made from it" if compiled.is_html else "plain text"
    long = len(content.subject) > MAX_SUBJECT_CHARS
    yield _check(
        "content",
        Level.WARNING if long else Level.OK,
        "Template",
        f"the subject has {len(content.subject)} characters" if long else kind,
        f"Keep the subject below {MAX_SUBJECT_CHARS} characters." if long else "",
    )
    yield _size(len(content.body.encode()))
    yield _unsubscribe("unsubscribe_url" in compiled.variables)
    yield _variables(facts.rows, sorted(compiled.variables))


def _size(size: int) -> Check:
    if size <= CLIPPED_BYTES:
        return _check("size", Level.OK, "Size", f"{size} bytes")
    return _check(
        "size",
        Level.WARNING,
        "Size",
        f"{size} bytes: Gmail cuts a mail off that is not much longer",
        "Shorten the body, or move images to a server.",
    )


def _unsubscribe(has_link: bool) -> Check:
    title = "Way to unsubscribe"
    if has_link:
        return _check(
            "unsubscribe", Level.OK, title, "the body has the link, every mail the header"
        )
    return _check(
        "unsubscribe",
        Level.WARNING,
        title,
        "the body has no {{unsubscribe_url}}; mail programs find the header alone",
        "Put a link to {{unsubscribe_url}} at the end of the body.",
    )


def _variables(rows: RowsChecked, used: Sequence[str]) -> Check:
    title = "Every variable in every row"
    if rows.refused:
        return _check(
            "variables",
            Level.ERROR,
            title,
            rows.refused,
            "Add the field to the list, or give the variable a default: {{ name | default('') }}.",
        )
    if rows.checked < rows.total:
        said = (
            f"{rows.checked:,} of {rows.total:,} rows were checked; the rest is before any mail "
            "leaves"
        )
    else:
        names = ", ".join(used) or "no variable"
        said = f"{rows.total:,} of {rows.total:,} rows can be rendered ({names})"
    return _check("variables", Level.OK, title, said)


def _approval(facts: Facts) -> Check:
    title = "A second person's approval"
    if not facts.needs_approval:
        return _check("approval", Level.OK, title, "not needed for this many recipients")
    if facts.approved:
        return _check("approval", Level.OK, title, "approved as it is now")
    return _check(
        "approval",
        Level.ERROR,
        title,
        "nobody has approved this content and list yet",
        "Ask another sender to approve the campaign.",
    )


def sender_domain(campaign: Campaign) -> str:
    """Return the domain that a campaign's mails come from."""
    return campaign.content.config.from_email.rpartition("@")[2].strip(" >").lower()


def _people(number: int) -> str:
    return f"{number:,} recipient{'s' * (number != 1)}"


def _check(name: str, level: Level, title: str, detail: str, fix: str = "") -> Check:
    return Check(id=name, level=level, title=title, detail=detail, fix=fix)


_AGAIN = "Look again in a minute."
_SENDER_TITLES = {
    "sender_identity": "Sender is verified",
    "dkim": "DKIM signature",
    "mail_from": "MAIL FROM domain",
}
