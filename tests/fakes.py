"""Adapters in memory that honour the protocols of the domain, for tests without a network.

:class:`MemoryLedger` takes the same conditions as the DynamoDB store and moves the counters under
the same lock, so that a rule proved here holds there; tests/unit/test_store_recipients.py runs
the same checks against the real store.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sendmill.campaign import EDITABLE, OVER, STARTABLE, Campaign, Config, Content, Service, Status
from sendmill.contact import Contact, recipient_id
from sendmill.contact_list import Accepted, ContactList, Rejected
from sendmill.dispatch import Put
from sendmill.errors import NotFound, QueueUnavailable, StoreUnavailable
from sendmill.ledger import COUNTED_NEWS, FINAL, NEWS_ORDER, News, Row, State, Transition
from sendmill.mail import Mail
from sendmill.outcome import Outcome, accepted
from sendmill.rate import Slot
from sendmill.suppression import Reason, Suppression
from sendmill.tasks.receipts.memory import MemoryReceipts
from sendmill.tasks.worker.delivery import Delivery
from sendmill.template import Rendered

NOW = 1_790_000_000
HASH_KEY = b"a key of at least thirty-two characters"
CONFIG = Config(email_service=Service.SES, from_email="noreply@example.com")
CONTENT = Content(subject="Hello {{first_name}}!", body="Dear {{first_name}}", config=CONFIG)

Key = tuple[str, str]


class Clock:
    """Tell a time that only the test moves."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on, to a whole second; may stand in for ``sleep``."""
        self.now += math.ceil(seconds)


def make_campaign(campaign_id: str = "spring", **changes: object) -> Campaign:
    """Return a running campaign."""
    plain = Campaign(
        id=campaign_id, name="Spring", content=CONTENT, status=Status.RUNNING, created_at=NOW
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def make_row(email: str = "ada@example.com", campaign_id: str = "spring", **changes: object) -> Row:
    """Return a pending row."""
    plain = Row(
        campaign_id=campaign_id,
        rid=recipient_id(HASH_KEY, campaign_id, email),
        contact=Contact(email=email, fields={"first_name": "Ada"}),
        created_at=NOW,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def make_mail(to: str = "ada@example.com", **changes: object) -> Mail:
    """Return a plain mail."""
    plain = Mail(
        config=CONFIG,
        to=to,
        rendered=Rendered(subject="Hello", text="Dear Ada\n", html=""),
        campaign_id="spring",
        rid=recipient_id(HASH_KEY, "spring", to),
        attempt=1,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


class MemoryCampaigns:
    """Keep campaigns, contents, chunks and counters."""

    def __init__(self, *campaigns: Campaign) -> None:
        self.lock = threading.RLock()
        self.campaigns = {campaign.id: campaign for campaign in campaigns}
        self.contents: dict[tuple[str, str], Content] = {}
        self.chunks: dict[str, dict[int, str]] = {}
        self.counts: dict[str, Counter[str]] = {}
        self.active_ids: set[str] = set()
        self.repaired: set[str] = set()

    def add(self, campaign: Campaign) -> None:
        """Create a campaign."""
        self.adopt(campaign)

    def adopt(self, campaign: Campaign) -> Campaign:
        """Create the campaign unless it stands."""
        with self.lock:
            return self.campaigns.setdefault(campaign.id, campaign)

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign."""
        return self.campaigns.get(campaign_id)

    def load(self, campaign_id: str) -> Campaign | None:
        """Return the campaign; nothing is ever stale here."""
        return self.get(campaign_id)

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[list[Campaign], str]:
        """Return all campaigns, newest first."""
        found = sorted(self.campaigns.values(), key=lambda one: one.created_at, reverse=True)
        return found[:limit], ""

    def content(self, campaign_id: str, digest: str) -> Content:
        """Return a content."""
        try:
            return self.contents[campaign_id, digest]
        except KeyError as error:
            raise NotFound(f"content {digest} does not exist") from error

    def keep_content(self, campaign_id: str, content: Content) -> None:
        """Keep a content."""
        self.contents[campaign_id, content.digest()] = content

    def set_status(
        self,
        campaign_id: str,
        status: Status,
        *,
        expected: set[Status],
        reason: str = "",
        paused_for: str = "",
    ) -> bool:
        """Change the status if it is an expected one, and no pause for another reason."""
        with self.lock:
            found = self.campaigns.get(campaign_id)
            if found is None or found.status not in expected:
                return False
            if paused_for and found.status is Status.PAUSED and found.reason != paused_for:
                return False
            self.campaigns[campaign_id] = replace(found, status=status, reason=reason)
            return True

    def resume(
        self,
        campaign_id: str,
        *,
        forgiven: Mapping[str, int] | None = None,
        paused_for: str = "",
    ) -> bool:
        """Let a paused campaign run, if it was paused for this reason."""
        with self.lock:
            done = self.set_status(
                campaign_id, Status.RUNNING, expected={Status.PAUSED}, paused_for=paused_for
            )
            if done and forgiven is not None:
                self.campaigns[campaign_id] = replace(
                    self.campaigns[campaign_id], forgiven=dict(forgiven)
                )
            return done

    def pause(self, campaign_id: str, reason: str) -> None:
        """Stop a campaign that is sending."""
        sending = {Status.PLANNING, Status.RUNNING}
        self.set_status(campaign_id, Status.PAUSED, expected=sending, reason=reason)

    def counters(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counters that are not zero."""
        found = self.counts.get(campaign_id, Counter())
        return {name: count for name, count in found.items() if count}

    def add_chunks(self, campaign_id: str, first: int, last: int) -> Sequence[int]:
        """Create chunks that do not stand; return those that are not done."""
        chunks = self.chunks.setdefault(campaign_id, {})
        return [one for one in range(first, last) if chunks.setdefault(one, "todo") != "done"]

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        """Count a chunk in, once."""
        counts = {"chunks_done": 1, "total": rows, "duplicates": duplicates}
        self._advance(campaign_id, chunk, "checked", "done", counts)

    def check_chunk(self, campaign_id: str, chunk: int) -> None:
        """Count a chunk as checked, once."""
        self._advance(campaign_id, chunk, "todo", "checked", {"chunks_checked": 1})

    def uncheck(self, campaign_id: str) -> None:
        """Forget what was checked, unless the campaign was started."""
        with self.lock:
            if self.campaigns[campaign_id].status not in STARTABLE:
                return
            chunks = self.chunks.setdefault(campaign_id, {})
            checked = [chunk for chunk, state in chunks.items() if state == "checked"]
            chunks.update(dict.fromkeys(checked, "todo"))
            self.bump(campaign_id, chunks_checked=-len(checked))

    def schedule(
        self, campaign_id: str, *, start_at: int, start_by: int, expected: set[Status]
    ) -> bool:
        """Schedule a campaign that may still be started."""
        if not self.set_status(campaign_id, Status.SCHEDULED, expected=expected):
            return False
        self.campaigns[campaign_id] = replace(
            self.campaigns[campaign_id], start_at=start_at, start_by=start_by
        )
        return True

    def pin_list(self, campaign_id: str, contacts: ContactList) -> None:
        """Let a campaign that may be changed read this revision of its list."""
        with self.lock:
            if self.campaigns[campaign_id].status not in EDITABLE:
                return
            self.campaigns[campaign_id] = replace(
                self.campaigns[campaign_id],
                list_revision=contacts.revision,
                rows=contacts.rows,
                expected=contacts.accepted,
                invalid=contacts.invalid,
                duplicates=contacts.duplicates,
                chunks=contacts.parts,
            )

    def activate(self, campaign_id: str) -> None:
        """Let the sweep look after a campaign."""
        self.active_ids.add(campaign_id)

    def active(self) -> Iterator[str]:
        """Yield the campaigns that the sweep looks after."""
        yield from sorted(self.active_ids)

    def deactivate(self, campaign_id: str) -> None:
        """Forget a campaign, if it is over."""
        found = self.campaigns.get(campaign_id)
        if found is None or not found.list_id or found.status in {*OVER, Status.REFUSED}:
            self.active_ids.discard(campaign_id)

    def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
        """Move counters, once in a while; ``repaired`` is emptied when that has passed."""
        with self.lock:
            if campaign_id in self.repaired:
                return False
            self.repaired.add(campaign_id)
            self.counts.setdefault(campaign_id, Counter()).update(changes)
            return True

    def _advance(
        self, campaign_id: str, chunk: int, before: str, after: str, counts: Mapping[str, int]
    ) -> None:
        with self.lock:
            if self.chunks.get(campaign_id, {}).get(chunk) == before:
                self.chunks[campaign_id][chunk] = after
                self.bump(campaign_id, **counts)

    def bump(self, campaign_id: str, **changes: int) -> None:
        """Add to numbers of a campaign."""
        found = self.campaigns[campaign_id]
        summed = {name: getattr(found, name) + change for name, change in changes.items()}
        self.campaigns[campaign_id] = replace(found, **summed)  # type: ignore[arg-type]


class MemoryLedger:
    """Keep rows under the conditions of the real store; counters move under the same lock."""

    def __init__(self, campaigns: MemoryCampaigns, *rows: Row) -> None:
        self.campaigns = campaigns
        self.rows: dict[Key, Row] = {}
        self.suppressed: dict[str, str] = {}
        self.applied: list[Transition] = []
        self.unavailable = False
        self.before_apply: Callable[[Sequence[Transition]], None] = lambda _: None
        for row in rows:
            self.rows[row.campaign_id, row.rid] = row
            campaigns.bump(row.campaign_id, total=1)
            if row.state is not State.PENDING:
                self._count(row.campaign_id, {row.state: 1})
            if row.news in COUNTED_NEWS:
                self._count(row.campaign_id, {row.news: 1})

    def read(
        self, keys: Sequence[Key], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[Key, Row], Mapping[str, str]]:
        """Return rows and suppressions."""
        self._ask()
        rows = {key: self.rows[key] for key in keys if key in self.rows}
        reasons = {key: self.suppressed[key] for key in suppression_keys if key in self.suppressed}
        return rows, reasons

    def adopt(self, rows: Sequence[Row]) -> Mapping[Key, Row]:
        """Create rows and count them in."""
        self._ask()
        with self.campaigns.lock:
            for row in rows:
                if (row.campaign_id, row.rid) not in self.rows:
                    self.rows[row.campaign_id, row.rid] = row
                    self.campaigns.bump(row.campaign_id, total=1)
        return {(row.campaign_id, row.rid): self.rows[row.campaign_id, row.rid] for row in rows}

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write what still can be, with its counters."""
        self._ask()
        self.before_apply(transitions)
        with self.campaigns.lock:
            return [self._apply_one(step) for step in transitions]

    def put_all(self, rows: Sequence[Row]) -> Sequence[Put]:
        """Create rows unless they stand."""
        self._ask()
        with self.campaigns.lock:
            found = [self.rows.setdefault((row.campaign_id, row.rid), row) for row in rows]
        return [
            Put(row=standing, ours=standing.chunk == row.chunk)
            for standing, row in zip(found, rows, strict=True)
        ]

    def in_shard(self, campaign_id: str, shard: int) -> Iterator[Row]:
        """Yield the rows of a partition."""
        for row in list(self.rows.values()):
            if row.campaign_id == campaign_id and row.shard == shard:
                yield row

    def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
        """Return rows that are not final and wanted to be looked at, oldest first."""
        self._ask()
        open_ = [
            row
            for row in self.rows.values()
            if row.shard == shard and row.state not in FINAL and row.due <= now
        ]
        return sorted(open_, key=lambda row: row.due)[:limit]

    def count_states(self, campaign_id: str) -> Mapping[str, int]:
        """Return states and news of a campaign's rows, counted one by one."""
        return self.states(campaign_id) + self.news(campaign_id)

    def only(self) -> Row:
        """Return the one row there is."""
        (row,) = self.rows.values()
        return row

    def states(self, campaign_id: str = "spring") -> Counter[str]:
        """Return how many rows are in which state, counted one by one."""
        return Counter(
            str(row.state) for row in self.rows.values() if row.campaign_id == campaign_id
        )

    def news(self, campaign_id: str = "spring") -> Counter[str]:
        """Return how many rows have which news of those that are counted, one by one."""
        found = [row for row in self.rows.values() if row.campaign_id == campaign_id]
        return Counter(str(row.news) for row in found if row.news in COUNTED_NEWS)

    def check_sums(self) -> None:
        """Fail unless, for every campaign, counters and total are what the rows say."""
        for campaign_id, campaign in self.campaigns.campaigns.items():
            states = self.states(campaign_id)
            pending = states.pop("pending", 0)
            counters = dict(self.campaigns.counters(campaign_id))
            news = {name: counters.pop(name) for name in COUNTED_NEWS if name in counters}
            assert counters == dict(states)
            assert news == dict(self.news(campaign_id))
            assert campaign.total == sum(counters.values()) + pending

    def _apply_one(self, step: Transition) -> bool:
        key = (step.before.campaign_id, step.before.rid)
        standing = self.rows[key]
        if _fence(standing) != _fence(step.before):
            return _shows(standing, step.after)
        self.rows[key] = step.after
        self.applied.append(step)
        self._count(step.before.campaign_id, step.counts)
        return True

    def _count(self, campaign_id: str, counts: Mapping[str, int]) -> None:
        found = self.campaigns.counts.setdefault(campaign_id, Counter())
        for state, change in counts.items():
            found[str(state)] += change

    def _ask(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the ledger is away")


def _shows(standing: Row, wanted: Row) -> bool:
    """Tell whether what was wanted stands; news may be further, events can be fast."""
    ours = _fence(standing)[:3] == _fence(wanted)[:3]
    return ours and NEWS_ORDER.index(standing.news) >= NEWS_ORDER.index(wanted.news)


def _fence(row: Row) -> tuple[State, int, str, News]:
    return row.state, row.attempt, row.owner, row.news


class MemorySuppressions:
    """Keep suppressions where the workers of a ledger look."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.entries: dict[str, Suppression] = {}
        self.erased: set[str] = set()
        self.unavailable = False
        self._read_by_workers = ledger.suppressed if ledger else {}

    def add_all(self, entries: Sequence[Suppression]) -> Sequence[bool]:
        """Add entries, unless one stands that is as strong."""
        return [self._add(entry) for entry in entries]

    def page(self, *, cursor: str, limit: int) -> tuple[Sequence[Suppression], str]:
        """Return entries whose address is known, by hash."""
        known = sorted(key for key in self.entries if key not in self.erased and key > cursor)
        return [self.entries[key] for key in known[:limit]], known[limit - 1] if len(
            known
        ) > limit else ""

    def remove(self, key: str) -> bool:
        """Remove an entry."""
        self._read_by_workers.pop(key, None)
        return self.entries.pop(key, None) is not None

    def release(self, key: str, *, reason: Reason, before: int) -> bool:
        """Remove an entry of this reason that is not younger."""
        entry = self.entries.get(key)
        return bool(entry and entry.reason is reason and entry.at <= before and self.remove(key))

    def erase(self, key: str) -> bool:
        """Forget an address."""
        known = key in self.entries and key not in self.erased
        self.erased.add(key)
        return known

    def reasons(self) -> dict[str, str]:
        """Return the reasons by address."""
        return {entry.email: str(entry.reason) for entry in self.entries.values()}

    def _add(self, entry: Suppression) -> bool:
        if self.unavailable:
            raise StoreUnavailable("the list is away")
        standing = self.entries.get(entry.hash)
        if standing is not None and standing.reason.strength >= entry.reason.strength:
            return False
        self.entries[entry.hash] = entry
        self._read_by_workers[entry.hash] = str(entry.reason)
        return True


class MemoryWatermarks:
    """Keep watermarks, which only move forwards."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}

    def advance(self, configuration_set: str, *, sent_at: int, seen_at: int) -> None:
        """Move a watermark."""
        self.at[configuration_set] = max(sent_at, self.at.get(configuration_set, 0))


class MemoryLists:
    """Keep contact lists."""

    def __init__(self) -> None:
        self.found: dict[str, ContactList] = {}
        self.parts: dict[tuple[str, int], list[Accepted]] = {}
        self.rejected: dict[str, list[Rejected]] = {}

    def add(self, found: ContactList) -> None:
        """Keep what an import came to."""
        self.found[found.id] = found

    def get(self, list_id: str) -> ContactList | None:
        """Return what an import came to."""
        return self.found.get(list_id)

    def write_part(self, list_id: str, part: int, rows: Sequence[Accepted]) -> None:
        """Keep a part."""
        self.parts[list_id, part] = list(rows)

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return a part; one that is gone is not empty."""
        if (list_id, part) not in self.parts:
            raise NotFound(f"part {part} of {list_id} does not exist")
        return self.parts[list_id, part]

    def write_rejected(self, list_id: str, rows: Sequence[Rejected]) -> None:
        """Keep rejected rows."""
        self.rejected[list_id] = list(rows)

    def read_rejected(self, list_id: str) -> Sequence[Rejected]:
        """Return rejected rows."""
        return self.rejected.get(list_id, [])


class MemoryQueue:
    """Take jobs and mails; ``room`` is how many bodies it takes before it fails."""

    def __init__(self, room: int | None = None) -> None:
        self.jobs: list[str] = []
        self.mails: list[str] = []
        self.groups: set[str] = set()
        self.returned: dict[str, int] = {}
        self.room = room

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Take jobs."""
        self._take(self.jobs, bodies)

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Take mails."""
        self.groups.add(group)
        self._take(self.mails, bodies)

    def mails_waiting(self) -> int:
        """Return how many mails nobody has taken."""
        return len(self.mails)

    def return_mail(self, receipt_handle: str, *, after_seconds: int) -> None:
        """Note after how many seconds a message is to be seen again."""
        self.returned[receipt_handle] = after_seconds

    def _take(self, taken: list[str], bodies: Iterable[str]) -> None:
        for body in bodies:
            if self.room == 0:
                raise QueueUnavailable("the queue is full")
            taken.append(body)
            if self.room is not None:
                self.room -= 1


@dataclass
class MemoryTimer:
    """Keep jobs until their time."""

    jobs: dict[str, tuple[int, str]] = field(default_factory=dict)

    def at(self, when: int, name: str, body: str) -> None:
        """Keep a job."""
        self.jobs[name] = (when, body)


@dataclass
class ScriptedMailer:
    """Answer each send as the script says for its recipient, and remember every mail."""

    script: dict[str, list[Outcome]] = field(default_factory=dict)
    sent: list[Mail] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)
    within: list[float] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def send(
        self, config: Config, mails: Sequence[Mail], *, within: float = math.inf
    ) -> Sequence[Outcome]:
        """Return the next scripted outcome of each mail's recipient, or acceptance."""
        self.configs.append(config)
        self.within.append(within)
        self.sent.extend(mails)
        self.during()
        return [self._answer(mail) for mail in mails]

    def to(self) -> list[str]:
        """Return the addresses that were mailed, in order."""
        return [mail.to for mail in self.sent]

    def _answer(self, mail: Mail) -> Outcome:
        scripted = self.script.get(mail.to)
        return scripted.pop(0) if scripted else accepted(f"id-{len(self.sent)}")


@dataclass
class ScriptedLimiter:
    """Give the slots of a script, then the usual one; remember what was asked and told."""

    slots: list[Slot] = field(default_factory=list)
    usual: Slot = field(default_factory=Slot)
    reserved: list[int] = field(default_factory=list)
    reported: list[tuple[int, int]] = field(default_factory=list)

    def reserve(self, config: Config, count: int, *, within: float = math.inf) -> Slot:
        """Return the next slot."""
        self.reserved.append(count)
        return self.slots.pop(0) if self.slots else self.usual

    def report(self, config: Config, *, sent: int, throttled: int) -> None:
        """Note how a group went."""
        self.reported.append((sent, throttled))


class FakeInbox:
    """Honour :class:`sendmill.tasks.worker.delivery.Inbox` and remember what was asked of it."""

    def __init__(self, *, has_dead_letters: bool = True) -> None:
        self.hidden: dict[str, list[int]] = {}
        self.buried: dict[str, dict[str, str]] = {}
        self.is_away = False
        self._has_dead_letters = has_dead_letters

    def hide(self, delivery: Delivery, seconds: int) -> None:
        if self.is_away:
            raise QueueUnavailable("away")
        self.hidden.setdefault(delivery.message_id, []).append(seconds)

    def bury(self, delivery: Delivery, reason: Mapping[str, str]) -> bool:
        if self.is_away:
            raise QueueUnavailable("away")
        if self._has_dead_letters:
            self.buried[delivery.message_id] = dict(reason)
        return self._has_dead_letters


class SharedReceipts(MemoryReceipts):
    """Receipts that sender and worker both see, as in a database."""

    shared = True
