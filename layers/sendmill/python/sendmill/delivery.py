"""Deliver one batch of messages: claim, send side by side, record.

Two transactions for a whole batch, one before and one after the sends. A row stands before
anything is sent, so that a crash at any point leaves a trace; what each crash leaves behind and
who picks it up is the table of docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from sendmill.campaign import Campaign, Config, Content, Status
from sendmill.contact import address_hash, recipient_id
from sendmill.errors import InvalidTemplate, UnsafeHeader
from sendmill.ledger import Row, State, Transition, Verdict, claim, expire, fail, judge, record
from sendmill.ledger import suppress as suppressed
from sendmill.mail import Mail, check_headers
from sendmill.message import Message
from sendmill.outcome import Fate, Outcome
from sendmill.template import compile_content

# A message whose row is busy elsewhere comes back this long after the lease, in seconds.
LEASE_GRACE_SECONDS = 5
# What SQS accepts as a visibility timeout, in seconds.
MAX_VISIBILITY_SECONDS = 43_200


class Ledger(Protocol):
    """Keep the rows of recipients; every write is conditional on what was read."""

    def read(
        self, keys: Sequence[tuple[str, str]], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[tuple[str, str], Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid), and the reasons by suppressed address hash."""

    def adopt(self, rows: Sequence[Row]) -> Mapping[tuple[str, str], Row]:
        """Create rows that a message brought, count them in; return what stands now."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write in one transaction what still can be; say for each whether it stands."""


class Campaigns(Protocol):
    """Keep the campaigns."""

    def load(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stood at most a few seconds ago."""

    def adopt(self, campaign: Campaign) -> Campaign:
        """Create the campaign that a message brought, unless it stands; return what stands."""

    def content(self, campaign_id: str, digest: str) -> Content:
        """Return a content that differs from the campaign's own."""

    def keep_content(self, campaign_id: str, content: Content) -> None:
        """Keep a content that differs from the campaign's own."""

    def pause(self, campaign_id: str, reason: str) -> None:
        """Stop a campaign that is sending, and say why."""


class Mailer(Protocol):
    """Hand mails to a provider, each exactly once."""

    def send(self, config: Config, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order; never raises for a mail."""


class Handling(StrEnum):
    """What is to happen to a message on the queue."""

    ACKNOWLEDGE = "acknowledge"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Say what became of one message.

    ``event`` is a stable word for logs and metrics: a state of the ledger, or why nothing was
    done. A returned message is to be seen again after ``after_seconds``.
    """

    event: str
    reason: str = ""
    campaign_id: str = ""
    rid: str = ""
    attempt: int = 0
    message_id: str = ""
    handling: Handling = Handling.ACKNOWLEDGE
    after_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Hold what a delivery needs; built once for each worker.

    ``clock`` returns seconds since 1970, ``jitter`` a random number from 0 to 1.
    """

    ledger: Ledger
    campaigns: Campaigns
    mailer: Mailer
    hash_key: bytes
    clock: Callable[[], int]
    jitter: Callable[[], float]

    def deliver(
        self, messages: Sequence[Message], *, owner: str, lease_seconds: int
    ) -> list[Receipt]:
        """Deliver a batch; the receipts are in the order of the messages.

        ``owner`` is unique for each call. ``lease_seconds`` must outlast the call.
        """
        batch = _Batch(self, messages, owner=owner, lease_seconds=lease_seconds)
        batch.look_up()
        batch.claim_sendable()
        batch.send_claimed()
        batch.record_outcomes()
        return batch.receipts()


Key = tuple[str, str]


class _Batch:
    """Carry one batch through its steps; two messages for one recipient share one row."""

    def __init__(
        self, tools: Deliverer, messages: Sequence[Message], *, owner: str, lease_seconds: int
    ) -> None:
        self._tools = tools
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._keys: list[Key] = [self._key(message) for message in messages]
        self._messages: dict[Key, Message] = dict(zip(self._keys, messages, strict=True))
        self._campaigns: dict[str, Campaign] = {}
        self._rows: dict[Key, Row] = {}
        self._suppressed: dict[Key, str] = {}
        self._mails: dict[Key, Mail] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._done: dict[Key, Receipt] = {}

    def look_up(self) -> None:
        """Read campaigns, rows and suppressions; create what the messages themselves bring."""
        for key, message in self._messages.items():
            self._find_campaign(key, message)
        wanted = {key: self._address_hash(key) for key in self._open()}
        rows, reasons = self._tools.ledger.read(
            list(wanted), suppression_keys=list(wanted.values())
        )
        missing = [self._new_row(key) for key in wanted if key not in rows]
        if missing:
            rows = {**rows, **self._tools.ledger.adopt(missing)}
        self._rows = dict(rows)
        self._suppressed = {
            key: reasons[found] for key, found in wanted.items() if found in reasons
        }

    def claim_sendable(self) -> None:
        """Render every mail that may leave, then claim their rows in one transaction."""
        now = self._tools.clock()
        planned: dict[Key, Transition] = {}
        for key in self._open():
            step = self._plan(key, now)
            if step is not None:
                planned[key] = step
        self._apply(planned)
        for key in list(planned):
            after = self._rows[key]
            if key not in self._done and after.state is not State.SENDING:
                self._finish(key, after.state, reason=after.reason)

    def send_claimed(self) -> None:
        """Send what was claimed, one call for each way of sending."""
        by_config: dict[Config, list[Key]] = {}
        for key in self._open():
            by_config.setdefault(self._mails[key].config, []).append(key)
        for config, keys in by_config.items():
            found = self._tools.mailer.send(config, [self._mails[key] for key in keys])
            self._outcomes.update(zip(keys, found, strict=True))

    def record_outcomes(self) -> None:
        """Write what became of every send, in one transaction; stop campaigns that must stop."""
        now = self._tools.clock()
        planned = {
            key: record(self._rows[key], outcome, now=now, jitter=self._tools.jitter())
            for key, outcome in self._outcomes.items()
        }
        self._apply(planned)
        stopped = {
            key[0]: outcome.reason
            for key, outcome in self._outcomes.items()
            if outcome.fate is Fate.STOP
        }
        for campaign_id, reason in stopped.items():
            self._tools.campaigns.pause(campaign_id, reason)
        for key in planned:
            if key not in self._done:
                self._finish_recorded(key, now)

    def receipts(self) -> list[Receipt]:
        """Return a receipt for each message."""
        return [self._done[key] for key in self._keys]

    def _key(self, message: Message) -> Key:
        rid = recipient_id(self._tools.hash_key, message.campaign_id, message.contact.email)
        return message.campaign_id, rid

    def _open(self) -> list[Key]:
        return [key for key in self._messages if key not in self._done]

    def _address_hash(self, key: Key) -> str:
        return address_hash(self._tools.hash_key, self._messages[key].contact.email)

    def _find_campaign(self, key: Key, message: Message) -> None:
        campaign_id = message.campaign_id
        if campaign_id in self._campaigns:
            return
        campaign = self._tools.campaigns.load(campaign_id)
        if campaign is None:
            if message.content is None:
                self._return(key, "unknown_campaign", after_seconds=0)
                return
            campaign = self._tools.campaigns.adopt(
                Campaign(
                    id=campaign_id,
                    name=message.campaign_name,
                    content=message.content,
                    status=Status.RUNNING,
                    created_at=self._tools.clock(),
                )
            )
        self._campaigns[campaign_id] = campaign

    def _new_row(self, key: Key) -> Row:
        message = self._messages[key]
        own = ""
        if message.content and message.content != self._campaigns[key[0]].content:
            own = message.content.digest()
            self._tools.campaigns.keep_content(key[0], message.content)
        now = self._tools.clock()
        return Row(
            campaign_id=key[0], rid=key[1], contact=message.contact, content=own, created_at=now
        )

    def _plan(self, key: Key, now: int) -> Transition | None:
        """Return the write that comes before a send, or finish the message without one."""
        row, campaign = self._rows[key], self._campaigns[key[0]]
        verdict = judge(row, now)
        if verdict is Verdict.LOST:
            return expire(row, now=now)
        if verdict is Verdict.DONE:
            self._finish(key, "already_" + row.state, reason=row.reason)
        elif verdict is Verdict.WAIT:
            wait = max(row.lease, row.due) - now + LEASE_GRACE_SECONDS
            self._return(key, "busy_" + row.state, after_seconds=wait)
        elif key in self._suppressed:
            return suppressed(row, reason=self._suppressed[key], now=now)
        elif not campaign.may_send():
            self._finish(key, "campaign_" + campaign.status, reason=campaign.reason)
        else:
            return self._prepare(key, row, campaign, now)
        return None

    def _prepare(self, key: Key, row: Row, campaign: Campaign, now: int) -> Transition:
        content = campaign.content
        if row.content:
            content = self._messages[key].content or self._tools.campaigns.content(
                campaign.id, row.content
            )
        try:
            rendered = compile_content(content).render(row.contact.template_fields())
            mail = Mail(
                config=content.config,
                to=row.contact.email,
                rendered=rendered,
                campaign_id=campaign.id,
                rid=row.rid,
                attempt=row.attempt + 1,
            )
            check_headers(mail)
        except (InvalidTemplate, UnsafeHeader) as error:
            return fail(row, reason=f"cannot be rendered: {error}", now=now)
        self._mails[key] = mail
        return claim(row, owner=self._owner, lease=now + self._lease_seconds, now=now)

    def _apply(self, planned: Mapping[Key, Transition]) -> None:
        if not planned:
            return
        applied = self._tools.ledger.apply(list(planned.values()), owner=self._owner)
        for (key, step), stands in zip(planned.items(), applied, strict=True):
            if stands:
                self._rows[key] = step.after
            else:
                # another worker was first; if it dies, this message must still be there
                wait = self._lease_seconds + LEASE_GRACE_SECONDS
                self._return(key, "overtaken", after_seconds=wait)

    def _finish_recorded(self, key: Key, now: int) -> None:
        row = self._rows[key]
        if row.state is State.RETRY and self._outcomes[key].fate is not Fate.STOP:
            wait = max(1, row.due - now)
            self._return(key, row.state, reason=row.reason, after_seconds=wait)
        else:
            self._finish(key, row.state, reason=row.reason)

    def _finish(self, key: Key, event: str, *, reason: str = "") -> None:
        self._done[key] = self._receipt(key, event, reason)

    def _return(self, key: Key, event: str, *, reason: str = "", after_seconds: int) -> None:
        self._done[key] = replace(
            self._receipt(key, event, reason),
            handling=Handling.RETURN,
            after_seconds=min(after_seconds, MAX_VISIBILITY_SECONDS),
        )

    def _receipt(self, key: Key, event: str, reason: str) -> Receipt:
        row = self._rows.get(key)
        return Receipt(
            event=str(event),
            reason=reason,
            campaign_id=key[0],
            rid=key[1],
            attempt=row.attempt if row else 0,
            message_id=row.message_id if row else "",
        )
