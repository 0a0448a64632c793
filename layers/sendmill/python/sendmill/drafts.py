"""Do what people do with a campaign before it is started: change it, copy it, look, test, approve.

A draft may be changed until it is started; each change voids an approval, which is bound to the
content and the list as they were (:func:`approval_digest`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from sendmill.campaign import EDITABLE, STARTABLE, Campaign, Config, Service, Status
from sendmill.contact import Contact, normalise_address
from sendmill.contact_list import Accepted
from sendmill.dispatch import WORKER_FIELDS
from sendmill.errors import (
    InvalidCampaign,
    InvalidTemplate,
    NotFound,
    NotReady,
    RetryableError,
    StateConflict,
)
from sendmill.lifecycle import Office
from sendmill.mail import Mail, check_headers
from sendmill.outcome import Fate, Outcome
from sendmill.preflight import (
    Check,
    Facts,
    Identity,
    RowsChecked,
    blocking,
    checklist,
    sender_domain,
)
from sendmill.rate import Account
from sendmill.template import Compiled, compile_content

MAX_TEST_RECIPIENTS = 5
TEST_PREFIX = "[Test] "
# Rows are rendered for a checklist no longer than this, in seconds; a start checks all of them.
ROWS_SECONDS = 5.0
# What a template brings.
_WRITTEN = frozenset({"subject", "body", "text", "defaults"})


class DraftShelf(Protocol):
    """Keep drafts."""

    def revise(self, campaign: Campaign) -> bool:
        """Replace a draft or a refused campaign; tell whether it was one."""

    def remove(self, campaign_id: str) -> bool:
        """Delete a draft; tell whether it was one."""

    def approve(self, campaign_id: str, *, by: str, digest: str, at: int) -> bool:
        """Note who approved what, if it can still be started; tell whether it can."""

    def note_starter(self, campaign_id: str, by: str) -> None:
        """Note who started it."""


class Parts(Protocol):
    """Keep the parts of contact lists."""

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return the contacts of one part."""


class Mailer(Protocol):
    """Send mails."""

    def send(self, config: Config, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """Say what became of one test mail; ``reason`` is empty when it was taken."""

    to: str
    message_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Hold what drafts need; ``approval_over`` is the number of recipients, 0 for never.

    ``ask_sender`` and ``ask_dmarc`` ask SES and DNS; ``monotonic`` is a clock that never goes back.
    ``own_domain`` is the one that mails may leave as, empty for any.
    """

    office: Office
    shelf: DraftShelf
    parts: Parts
    mailer: Mailer
    account: Callable[[str], Account]
    ask_sender: Callable[[Config], Identity | None]
    ask_dmarc: Callable[[str], str | None]
    monotonic: Callable[[], float]
    approval_over: int = 0
    own_domain: str = ""

    def edit(self, campaign_id: str, changes: Mapping[str, Any], *, by: str) -> Campaign:
        """Change a draft; raises StateConflict once it was started, InvalidCampaign as create."""
        found = self.office.campaign(campaign_id)
        raw = described(found)
        if changes.get("template_id"):
            # subject and body come from there, unless they are said too
            raw = {name: value for name, value in raw.items() if name not in _WRITTEN}
        raw = {**raw, **changes}
        raw["config"] = {**asdict(found.content.config), **(changes.get("config") or {})}
        made = self.office.compose(raw, created_by=found.created_by)
        revised = replace(
            made, id=found.id, created_at=found.created_at, edited_by=by, status=Status.DRAFT
        )
        if not _WRITTEN & set(changes) and not made.template_id:
            revised = _made_of(revised, found)
        if found.status not in EDITABLE or not self.shelf.revise(revised):
            raise StateConflict(f"campaign {campaign_id} is {found.status}, not a draft")
        return revised

    def delete(self, campaign_id: str) -> None:
        """Delete a draft; raises StateConflict once it was started."""
        found = self.office.campaign(campaign_id)
        if not self.shelf.remove(campaign_id):
            raise StateConflict(f"campaign {campaign_id} is {found.status}, not a draft")

    def clone(self, campaign_id: str, *, by: str, name: str = "") -> Campaign:
        """Create a draft with the same content and list; raises NotFound."""
        found = self.office.campaign(campaign_id)
        if not found.list_id:
            raise InvalidCampaign(f"campaign {campaign_id} was made by messages: it has no list")
        raw = described(found) | {"name": name or f"Copy of {found.name}"[:200]}
        made = _made_of(self.office.compose(raw, created_by=by), found)
        self.office.campaigns.add(made)
        return made

    def approve(self, campaign_id: str, *, by: str, seen: str = "") -> Campaign:
        """Approve a campaign as it is, its list as it is now.

        ``seen`` is the digest of what the person looked at. Raises StateConflict for whoever made
        or started it, and when it is no longer what was seen.
        """
        self.office.pin_list(campaign_id)
        found = self.office.campaign(campaign_id)
        if by in (found.created_by, found.edited_by, found.started_by):
            raise StateConflict("a campaign is approved by another person than made or started it")
        digest = approval_digest(found)
        if seen not in ("", digest):
            raise StateConflict(
                f"campaign {campaign_id} or its list was changed since you looked: look at it again"
            )
        if not self.shelf.approve(campaign_id, by=by, digest=digest, at=self.office.clock()):
            raise StateConflict(f"campaign {campaign_id} is {found.status}: it was started before")
        return self.office.campaign(campaign_id)

    def start(self, campaign_id: str, *, by: str, accepted: Sequence[str] | None) -> Campaign:
        """Start a campaign; raises NotReady naming the checks that keep it from that."""
        looked_at = self._refuse_unready(campaign_id, accepted)
        campaign = self.office.start(campaign_id, looked_at=looked_at)
        self.shelf.note_starter(campaign_id, by)
        return campaign

    def schedule(self, campaign_id: str, *, by: str, start_at: int, late: int) -> Campaign:
        """Start a campaign later; raises NotReady as :meth:`start` does."""
        looked_at = self._refuse_unready(campaign_id, None)
        campaign = self.office.schedule(
            campaign_id, start_at=start_at, max_late_seconds=late, looked_at=looked_at
        )
        self.shelf.note_starter(campaign_id, by)
        return campaign

    def preflight(self, campaign_id: str) -> Facts:
        """Return everything a checklist is made of, the rows rendered as far as time allows."""
        campaign = self.office.as_it_would_start(self.office.campaign(campaign_id))
        facts = self._facts(campaign, self._rows_checked(campaign))
        return replace(facts, dmarc=self.ask_dmarc(sender_domain(campaign)))

    def needs_approval(self, campaign: Campaign) -> bool:
        """Tell whether a second person must approve this campaign."""
        return 0 < self.approval_over < campaign.expected

    def test(
        self, campaign_id: str, to: Sequence[str], *, contact_id: str = ""
    ) -> Sequence[Tested]:
        """Mail a campaign to a few addresses, as a contact of its list would get it.

        Nothing is written: no row, no counter. Raises InvalidContact for an address that is none.
        """
        campaign = self.office.campaign(campaign_id)
        if not 1 <= len(to) <= MAX_TEST_RECIPIENTS:
            raise InvalidCampaign(f"to must be 1 to {MAX_TEST_RECIPIENTS} (got {len(to)})")
        addresses = [normalise_address(address) for address in to]
        fields = {**WORKER_FIELDS, **self._contact(campaign, contact_id).template_fields()}
        rendered = compile_content(campaign.content).render(fields)
        shown = replace(rendered, subject=TEST_PREFIX + rendered.subject)
        mails = [
            Mail(
                config=campaign.content.config,
                to=address,
                rendered=shown,
                campaign_id="test",
                rid="test",
                attempt=1,
            )
            for address in addresses
        ]
        for mail in mails:
            check_headers(mail)
        outcomes = self.mailer.send(campaign.content.config, mails)
        pairs = zip(addresses, outcomes, strict=True)
        return [_tested(address, outcome) for address, outcome in pairs]

    def _refuse_unready(self, campaign_id: str, accepted: Sequence[str] | None) -> Campaign:
        """Return the campaign that was looked at: what was checked and approved is what is sent."""
        self.office.pin_list(campaign_id)
        campaign = self.office.campaign(campaign_id)
        if campaign.status not in STARTABLE:
            return campaign
        facts = self._facts(campaign, RowsChecked(checked=0, total=campaign.expected))
        if accepted is not None:
            facts = replace(facts, dmarc=self.ask_dmarc(sender_domain(campaign)))
        found = blocking(checklist(facts), accepted)
        if found:
            raise NotReady(
                "; ".join(f"{check.title}: {check.detail}" for check in found)[:1000],
                checks=[asdict(check) for check in found],
            )
        return campaign

    def _facts(self, campaign: Campaign, rows: RowsChecked) -> Facts:
        config = campaign.content.config
        asked, identity = False, None
        if config.email_service is Service.SES:
            try:
                asked, identity = True, self.ask_sender(config)
            except RetryableError:
                asked = False
        return Facts(
            campaign=campaign,
            account=self.account(config.aws_region),
            asked=asked,
            identity=identity,
            rows=rows,
            needs_approval=self.needs_approval(campaign),
            approved=campaign.approved_digest == approval_digest(campaign),
            own_domain=self.own_domain,
        )

    def _rows_checked(self, campaign: Campaign) -> RowsChecked:
        """Render row after row until one cannot be, or time is up."""
        checked, total, end = 0, campaign.expected, self.monotonic() + ROWS_SECONDS
        try:
            compiled = compile_content(campaign.content)
        except InvalidTemplate:
            return RowsChecked(checked=0, total=total)
        for part in range(campaign.chunks):
            rows = self.parts.read_part(campaign.list_id, part, campaign.list_revision)
            refused = _refused(compiled, rows)
            checked += len(rows)
            if refused:
                return RowsChecked(checked=checked, total=total, refused=refused)
            if self.monotonic() > end:
                break
        return RowsChecked(checked=checked, total=max(total, checked))

    def _contact(self, campaign: Campaign, contact_id: str) -> Contact:
        """Return a contact of the campaign's list: the one of this line, or the first."""
        if not campaign.list_id:
            raise InvalidCampaign(f"campaign {campaign.id} was made by messages: it has no list")
        for part in range(campaign.chunks if contact_id else min(1, campaign.chunks)):
            for row in self.parts.read_part(campaign.list_id, part, campaign.list_revision):
                if not contact_id or str(row.line) == contact_id:
                    return row.contact
        raise NotFound(f"contact {contact_id or 'at all'} is not in list {campaign.list_id}")


def described(campaign: Campaign) -> dict[str, Any]:
    """Return what a request would say to make this campaign."""
    content = campaign.content
    return {
        "name": campaign.name,
        "list_id": campaign.list_id,
        "subject": content.subject,
        "body": content.body,
        "text": content.text,
        "defaults": dict(content.defaults),
        "config": asdict(content.config),
        "unknown_policy": str(campaign.unknown_policy),
    }


def approval_digest(campaign: Campaign) -> str:
    """Return what an approval is bound to: every word of the mail, and who gets it."""
    parts = (
        campaign.content.digest(),
        campaign.list_id,
        str(campaign.list_revision),
        str(campaign.expected),
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _made_of(campaign: Campaign, other: Campaign) -> Campaign:
    """Return the campaign with the other's template noted."""
    return replace(campaign, template_id=other.template_id, template_version=other.template_version)


def ready(checks: Sequence[Check]) -> bool:
    """Tell whether nothing keeps a campaign from being started."""
    return not blocking(checks, None)


def _refused(compiled: Compiled, rows: Sequence[Accepted]) -> str:
    for row in rows:
        try:
            compiled.render({**WORKER_FIELDS, **row.contact.template_fields()})
        except InvalidTemplate as error:
            return f"line {row.line} of the list: {error}"
    return ""


def _tested(address: str, outcome: Outcome) -> Tested:
    if outcome.fate is Fate.ACCEPTED:
        return Tested(to=address, message_id=outcome.message_id)
    return Tested(to=address, reason=outcome.reason)
