"""Carry one batch through its steps: look up, wait, claim, send, record."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

from sendmill.campaign import Campaign, Config, Content, Status
from sendmill.contact import address_hash, recipient_id
from sendmill.delivery.ports import Handling, Key, Receipt, Tools
from sendmill.delivery.sending import STALE_SECONDS, Sending
from sendmill.errors import InvalidTemplate, UnsafeHeader
from sendmill.ledger import (
    ENQUEUE_GRACE_SECONDS,
    Row,
    State,
    Transition,
    Verdict,
    cancel,
    claim,
    expire,
    fail,
    judge,
    postpone,
    record,
)
from sendmill.ledger import suppress as suppressed
from sendmill.mail import Mail, check_headers, list_headers
from sendmill.message import Message
from sendmill.outcome import Fate, Outcome
from sendmill.rate import Slot
from sendmill.template import compile_content

# How long a recipient waits whose account may not send at all, in seconds.
POSTPONE_SECONDS = 300
# What the rendered mails of a batch may hold at most, in bytes as Python keeps them; on the way to
# the provider it becomes seven times as much at worst (tests/fault/test_memory.py).
MAX_BATCH_BYTES = 40_000_000


class Batch:
    """Carry one batch through its steps; two messages for one recipient share one row."""

    def __init__(
        self,
        tools: Tools,
        messages: Sequence[Message],
        *,
        owner: str,
        deadline: int,
        lease_seconds: int,
    ) -> None:
        self._tools = tools
        self._owner = owner
        self._deadline = deadline
        self._lease_seconds = lease_seconds
        self._keys: list[Key] = [self._key(message) for message in messages]
        self._messages: dict[Key, Message] = dict(zip(self._keys, messages, strict=True))
        self._campaigns: dict[str, Campaign] = {}
        self._rows: dict[Key, Row] = {}
        self._suppressed: dict[Key, str] = {}
        self._slots: dict[Config, Slot] = {}
        self._too_late: dict[Config, int] = {}
        self._mails: dict[Key, Mail] = {}
        self._bytes = 0
        self._looked_at = 0
        self._outcomes: dict[Key, Outcome] = {}
        self._done: dict[Key, Receipt] = {}

    def look_up(self) -> None:
        """Read campaigns, rows and suppressions; create what the messages themselves bring."""
        self._looked_at = self._tools.clock()
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

    def wait_for_slots(self) -> None:
        """Reserve the batch's share of the rate, and wait for it; look again after a long wait."""
        now = self._tools.clock()
        counts: Counter[Config] = Counter()
        for key in self._open():
            if self._may_leave(key, now):
                counts[self._content(key).config] += 1
        for config, count in counts.items():
            self._slots[config] = self._tools.limiter.reserve(
                config, count, within=self._deadline - now
            )
        wait = 0.0
        for config, slot in self._slots.items():
            if slot.stopped:
                self._too_late[config] = POSTPONE_SECONDS
            elif now + slot.starts_in > self._deadline:
                self._too_late[config] = ceil(slot.starts_in)
            else:
                wait = max(wait, slot.starts_in)
        if wait > 0:
            self._tools.sleep(wait)
        if wait > STALE_SECONDS:
            self._campaigns.clear()
            self.look_up()

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
        """Send what was claimed, each way of sending by itself."""
        by_config: dict[Config, list[Key]] = {}
        for key in self._open():
            by_config.setdefault(self._mails[key].config, []).append(key)
        sending = Sending(
            self._tools,
            self._mails,
            self._address_hash,
            deadline=self._deadline,
            looked_at=self._looked_at,
        )
        for config, keys in by_config.items():
            sending.send(config, keys, self._slots.get(config, Slot()))
        self._outcomes = sending.outcomes

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
                row = self._rows[key]
                self._finish(key, row.state, reason=row.reason)

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
                self._return(key, "unknown_campaign")
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
            campaign_id=key[0],
            rid=key[1],
            contact=message.contact,
            content=own,
            due=now + ENQUEUE_GRACE_SECONDS,
            created_at=now,
        )

    def _may_leave(self, key: Key, now: int) -> bool:
        return (
            judge(self._rows[key], now) is Verdict.SEND
            and key not in self._suppressed
            and self._campaigns[key[0]].may_send()
        )

    def _content(self, key: Key) -> Content:
        """Return the content of a row: the campaign's, or one that its message brought."""
        row, campaign = self._rows[key], self._campaigns[key[0]]
        if not row.content:
            return campaign.content
        own = self._messages[key].content
        if own is not None and own.digest() == row.content:
            return own
        return self._tools.campaigns.content(campaign.id, row.content)

    def _plan(self, key: Key, now: int) -> Transition | None:
        """Return the write that comes before a send, or finish the message without one."""
        row, campaign = self._rows[key], self._campaigns[key[0]]
        verdict = judge(row, now)
        if verdict is Verdict.LOST:
            return expire(row, now=now)
        if verdict is Verdict.DONE:
            self._finish(key, "already_" + row.state, reason=row.reason)
        elif verdict is Verdict.WAIT:
            self._finish(key, "busy_" + row.state, reason=row.reason)
        elif key in self._suppressed:
            return suppressed(row, reason=self._suppressed[key], now=now)
        elif campaign.status is Status.CANCELLED:
            return cancel(row, now=now)
        elif not campaign.may_send():
            self._finish(key, "campaign_" + campaign.status, reason=campaign.reason)
        else:
            return self._plan_send(key, row, now)
        return None

    def _plan_send(self, key: Key, row: Row, now: int) -> Transition:
        if not row.contact.email:
            return fail(row, reason="the person was erased", now=now)
        content = self._content(key)
        if content.config in self._too_late:
            return postpone(row, until=now + self._too_late[content.config], now=now)
        try:
            mail = self._mail(key, row, content)
        except (InvalidTemplate, UnsafeHeader) as error:
            return fail(row, reason=f"cannot be rendered: {error}", now=now)
        if not self._has_room(mail):
            return postpone(row, until=now, now=now)
        self._mails[key] = mail
        return claim(row, owner=self._owner, lease=now + self._lease_seconds, now=now)

    def _has_room(self, mail: Mail) -> bool:
        """Tell whether a batch can hold one more mail, and count it; the first always fits."""
        found = mail.rendered
        size = sys.getsizeof(found.text) + sys.getsizeof(found.html)
        if self._bytes and self._bytes + size > MAX_BATCH_BYTES:
            return False
        self._bytes += size
        return True

    def _mail(self, key: Key, row: Row, content: Content) -> Mail:
        fields, links, link = row.contact.template_fields(), self._tools.links, ""
        if links is not None:
            link = fields["unsubscribe_url"] = links.unsubscribe_url(row.campaign_id, row.rid)
        rendered = compile_content(content).render(fields)
        # without an address of the API, plain messages of the queue leave as they are
        to_many = bool(link or self._campaigns[key[0]].list_id)
        mail = Mail(
            config=content.config,
            to=row.contact.email,
            rendered=rendered,
            campaign_id=row.campaign_id,
            rid=row.rid,
            attempt=row.attempt + 1,
            headers=list_headers(content.config, link) if to_many else (),
        )
        check_headers(mail)
        return mail

    def _apply(self, planned: Mapping[Key, Transition]) -> None:
        if not planned:
            return
        applied = self._tools.ledger.apply(list(planned.values()), owner=self._owner)
        for (key, step), stands in zip(planned.items(), applied, strict=True):
            if stands:
                self._rows[key] = step.after
            else:
                # another worker was first; if it dies, the sweep finds its lease
                self._finish(key, "overtaken")

    def _finish(self, key: Key, event: str, *, reason: str = "") -> None:
        self._done[key] = self._receipt(key, event, reason)

    def _return(self, key: Key, event: str, *, reason: str = "") -> None:
        self._done[key] = replace(self._receipt(key, event, reason), handling=Handling.RETURN)

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
