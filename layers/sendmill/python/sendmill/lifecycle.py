"""Do what people ask of a campaign or a list: import, create, start, pause, resume, look.

Each function does one thing, may be called again with the same effect, and takes every adapter
as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sendmill.campaign import (
    EDITABLE,
    FINISHED,
    OVER,
    REPUTATION_REASON,
    STARTABLE,
    Campaign,
    Content,
    Status,
    UnknownPolicy,
    check_name,
    content_from_mapping,
)
from sendmill.contact_file import (
    LAST_RESORT,
    LAST_RESORT_NOTE,
    decode,
    encoding_of,
    read_contacts,
)
from sendmill.contact_list import (
    Accepted,
    ContactList,
    Rejected,
    in_parts,
)
from sendmill.dispatch import CHUNK_SIZE, Job, Op, check_plan_of, job_body, plan_of, shard_jobs
from sendmill.errors import InvalidCampaign, InvalidContactList, NotFound, StateConflict
from sendmill.outcome import QUOTA_REASON
from sendmill.progress import Progress, progress
from sendmill.stored_template import TemplateShelf, from_template
from sendmill.template import compile_content


class ListShelf(Protocol):
    """Keep contact lists: what the import came to, the contacts in parts, the rejected rows."""

    def add(self, found: ContactList) -> None: ...
    def get(self, list_id: str) -> ContactList | None: ...
    def write_part(self, list_id: str, part: int, rows: Sequence[Accepted]) -> None: ...
    def write_rejected(self, list_id: str, rows: Sequence[Rejected]) -> None: ...
    def read_rejected(self, list_id: str) -> Sequence[Rejected]: ...


class CampaignShelf(Protocol):
    """Keep campaigns and their counters."""

    def add(self, campaign: Campaign) -> None: ...
    def get(self, campaign_id: str) -> Campaign | None: ...
    def set_status(
        self,
        campaign_id: str,
        status: Status,
        *,
        expected: set[Status],
        reason: str = "",
        paused_for: str = "",
    ) -> bool: ...
    def resume(self, campaign_id: str, *, forgiven: Mapping[str, int] | None = None) -> bool: ...
    def counters(self, campaign_id: str) -> Mapping[str, int]: ...
    def uncheck(self, campaign_id: str) -> None: ...
    def activate(self, campaign_id: str) -> None: ...
    def pin_list(self, campaign_id: str, contacts: ContactList) -> None: ...
    def schedule(
        self, campaign_id: str, *, start_at: int, start_by: int, expected: set[Status]
    ) -> bool: ...


class JobQueue(Protocol):
    """Take dispatch jobs."""

    def send_jobs(self, bodies: Sequence[str]) -> None: ...


class Timer(Protocol):
    """Put a job on the dispatch queue at a time."""

    def at(self, when: int, name: str, body: str) -> None: ...


# The scheduler works by the minute.
MIN_LATE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Hold what people's requests need; built once for the API function."""

    lists: ListShelf
    campaigns: CampaignShelf
    queue: JobQueue
    timer: Timer
    clock: Callable[[], int]
    new_id: Callable[[str], str]
    default_from: str = ""
    unknown_policy: str = UnknownPolicy.AUTO
    templates: TemplateShelf | None = None
    trial: Callable[[Content], object] = compile_content

    def import_list(self, data: bytes, *, name: str, created_by: str = "") -> ContactList:
        """Import a CSV file: contacts into parts, rejected rows with line and reason beside.

        Raises InvalidContactList when the file cannot be read or holds no contact.
        """
        list_id = self.new_id("list")
        rejected: list[Rejected] = []
        fields: dict[str, None] = {}
        accepted = parts = 0
        rows = _accepted(read_contacts(decode(data)), rejected)
        for part in in_parts(rows, CHUNK_SIZE):
            self.lists.write_part(list_id, parts, part)
            fields.update(dict.fromkeys(part[0].contact.fields))
            accepted, parts = accepted + len(part), parts + 1
        if not accepted:
            first = f"; line {rejected[0].line}: {rejected[0].reason}" if rejected else ""
            raise InvalidContactList(
                f"the file must hold at least one contact (got {len(rejected)} rows, "
                f"all of them rejected{first})"
                if rejected
                else "the file must hold at least one contact (got none)"
            )
        self.lists.write_rejected(list_id, rejected)
        duplicates = sum(row.duplicate for row in rejected)
        found = ContactList(
            id=list_id,
            name=name or list_id,
            created_at=self.clock(),
            rows=accepted + len(rejected),
            accepted=accepted,
            invalid=len(rejected) - duplicates,
            duplicates=duplicates,
            parts=parts,
            fields=tuple(fields),
            created_by=created_by,
            note=LAST_RESORT_NOTE if encoding_of(data)[0] == LAST_RESORT else "",
        )
        self.lists.add(found)
        return found

    def contact_list(self, list_id: str) -> ContactList:
        """Return a list; raises NotFound."""
        found = self.lists.get(list_id)
        if found is None:
            raise NotFound(f"contact list {list_id} does not exist")
        return found

    def rejected_rows(self, list_id: str) -> Sequence[Rejected]:
        """Return the rejected rows of a list; raises NotFound."""
        return self.lists.read_rejected(self.contact_list(list_id).id)

    def create_campaign(self, raw: Mapping[str, Any], *, created_by: str = "") -> Campaign:
        """Create a draft from ``name``, ``list_id``, ``subject``, ``body`` and ``config``.

        ``template_id`` and perhaps ``template_version`` may stand for subject and body. Raises
        InvalidCampaign or InvalidTemplate naming the field, NotFound for the list.
        """
        campaign = self.compose(raw, created_by=created_by)
        self.campaigns.add(campaign)
        return campaign

    def compose(self, raw: Mapping[str, Any], *, created_by: str = "") -> Campaign:
        """Return the draft that :meth:`create_campaign` would create; raises as it does."""
        raw = from_template(raw, self.templates)
        content = content_from_mapping(raw, default_from=self.default_from)
        self.trial(content)
        list_id = raw.get("list_id")
        if not isinstance(list_id, str) or not list_id:
            raise InvalidCampaign(f"list_id must be the id of a contact list (got {list_id!r})")
        contacts = self.contact_list(list_id)
        return Campaign(
            id=self.new_id("campaign"),
            name=check_name(raw.get("name") or raw.get("campaign_name")),
            content=content,
            status=Status.DRAFT,
            created_at=self.clock(),
            list_id=contacts.id,
            list_revision=contacts.revision,
            template_id=str(raw.get("template_id") or ""),
            template_version=int(raw.get("template_version") or 0),
            rows=contacts.rows,
            expected=contacts.accepted,
            invalid=contacts.invalid,
            duplicates=contacts.duplicates,
            chunks=contacts.parts,
            unknown_policy=_policy(raw.get("unknown_policy") or self.unknown_policy),
            created_by=created_by,
        )

    def campaign(self, campaign_id: str) -> Campaign:
        """Return a campaign; raises NotFound."""
        found = self.campaigns.get(campaign_id)
        if found is None:
            raise NotFound(f"campaign {campaign_id} does not exist")
        return found

    def progress(self, campaign: Campaign) -> Progress:
        """Return how many recipients of a campaign are in which state."""
        return progress(campaign, self.campaigns.counters(campaign.id))

    def start(self, campaign_id: str, *, looked_at: Campaign | None = None) -> Campaign:
        """Start a campaign; calling again while it is planned or running changes nothing.

        Without ``looked_at`` it takes its list as it is now; with it, it is refused when it is no
        longer what was looked at.

        Every row is rendered before the first mail leaves; one that cannot be refuses the campaign
        (status ``refused``, the reason names the line), and it may be started again once mended.
        Raises StateConflict when the campaign is paused, cancelled or over.
        """
        if looked_at is None:
            self.pin_list(campaign_id)
        self.campaigns.uncheck(campaign_id)
        self.campaigns.activate(campaign_id)
        if self.campaigns.set_status(campaign_id, Status.PLANNING, expected=set(STARTABLE)):
            self._refuse_another(campaign_id, looked_at)
        campaign = self.campaign(campaign_id)
        if campaign.status is Status.PLANNING:
            # also for a second call: the first may have died before the job was queued
            self._send([job_body(check_plan_of(campaign))])
        elif campaign.status is not Status.RUNNING:
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}, not a draft")
        return campaign

    def pin_list(self, campaign_id: str) -> None:
        """Let a campaign that may be changed read its list as it is now; raises NotFound."""
        contacts = self._newer_list(self.campaign(campaign_id))
        if contacts is not None:
            self.campaigns.pin_list(campaign_id, contacts)

    def _refuse_another(self, campaign_id: str, looked_at: Campaign | None) -> None:
        """Refuse a campaign that was changed after it was looked at; from here on none can be."""
        found = self.campaign(campaign_id)
        if looked_at is None or _same_mails(found, looked_at):
            return
        reason = "it was changed while it was being started: look at it again"
        self.campaigns.set_status(
            campaign_id, Status.REFUSED, expected={found.status}, reason=reason
        )
        raise StateConflict(f"campaign {campaign_id}: {reason}")

    def as_it_would_start(self, campaign: Campaign) -> Campaign:
        """Return a campaign with its list as it is now, if it may be changed; raises NotFound."""
        contacts = self._newer_list(campaign)
        if contacts is None:
            return campaign
        return replace(
            campaign,
            list_revision=contacts.revision,
            rows=contacts.rows,
            expected=contacts.accepted,
            invalid=contacts.invalid,
            duplicates=contacts.duplicates,
            chunks=contacts.parts,
        )

    def _newer_list(self, campaign: Campaign) -> ContactList | None:
        if campaign.status not in EDITABLE or not campaign.list_id:
            return None
        contacts = self.contact_list(campaign.list_id)
        return contacts if contacts.revision != campaign.list_revision else None

    def schedule(
        self,
        campaign_id: str,
        *,
        start_at: int,
        max_late_seconds: int,
        looked_at: Campaign | None = None,
    ) -> Campaign:
        """Start a campaign later, but not later than ``max_late_seconds`` after its time.

        ``looked_at`` as for :meth:`start`.

        Raises InvalidCampaign for a time in the past, StateConflict if it was started before.
        """
        now = self.clock()
        if start_at <= now:
            raise InvalidCampaign(f"start_at must be in the future (got {start_at}, now {now})")
        if max_late_seconds < MIN_LATE_SECONDS:
            raise InvalidCampaign(
                f"max_late_seconds must be at least {MIN_LATE_SECONDS} (got {max_late_seconds})"
            )
        if looked_at is None:
            self.pin_list(campaign_id)
        self.campaigns.uncheck(campaign_id)
        scheduled = self.campaigns.schedule(
            campaign_id,
            start_at=start_at,
            start_by=start_at + max_late_seconds,
            expected=set(STARTABLE),
        )
        if scheduled:
            self._refuse_another(campaign_id, looked_at)
        campaign = self.campaign(campaign_id)
        if not scheduled:
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}, not a draft")
        self.campaigns.activate(campaign_id)
        self.timer.at(start_at, campaign_id, job_body(Job(op=Op.START, campaign_id=campaign_id)))
        return campaign

    def pause(self, campaign_id: str, *, reason: str = "paused by a person") -> Campaign:
        """Stop sending; recipients who wait go on waiting. Pausing twice changes nothing.

        Raises StateConflict unless it is running; one whose every recipient is settled is over,
        also before the sweep has written that down.
        """
        found = self.campaign(campaign_id)
        over = self.progress(found).status
        if over in OVER:
            raise StateConflict(f"campaign {campaign_id} is {over}, not running")
        # the sweep goes on by itself with one that is paused for the quota; after a person's
        # word it must not
        self.campaigns.set_status(
            campaign_id,
            Status.PAUSED,
            expected={Status.RUNNING, Status.PAUSED},
            reason=reason,
            paused_for=QUOTA_REASON,
        )
        campaign = self.campaign(campaign_id)
        if campaign.status is not Status.PAUSED:
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}, not running")
        return campaign

    def resume(self, campaign_id: str) -> Campaign:
        """Go on with a paused campaign: every recipient who waits is put on the queue again.

        Bounces and complaints that had paused it are forgiven: only new ones pause it again.
        """
        found = self.campaign(campaign_id)
        forgiven = (
            self.campaigns.counters(campaign_id)
            if found.reason.startswith(REPUTATION_REASON)
            else None
        )
        self.campaigns.resume(campaign_id, forgiven=forgiven)
        campaign = self.campaign(campaign_id)
        if campaign.status is not Status.RUNNING:
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}, not paused")
        jobs = shard_jobs(Op.REQUEUE, campaign.id)
        if campaign.chunks_done < campaign.chunks:
            jobs = [plan_of(campaign), *jobs]
        self._send([job_body(job) for job in jobs])
        return campaign

    def cancel(self, campaign_id: str) -> Campaign:
        """End a campaign: nobody who still waits is mailed. Cancelling twice changes nothing."""
        self.campaign(campaign_id)
        # a schedule that still fires finds the campaign cancelled, and does nothing
        self.campaigns.set_status(
            campaign_id,
            Status.CANCELLED,
            expected=set(STARTABLE) | {Status.PLANNING, Status.RUNNING, Status.PAUSED},
            reason="cancelled by a person",
        )
        campaign = self.campaign(campaign_id)
        if campaign.status is not Status.CANCELLED:
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}: it is over")
        self.campaigns.activate(campaign_id)
        self._send([job_body(job) for job in shard_jobs(Op.CANCEL, campaign_id)])
        return campaign

    def retry_failed(self, campaign_id: str, *, reason: str = "") -> Campaign:
        """Try failed recipients again: all, or those whose reason starts with ``reason``."""
        return self._reopen(campaign_id, Op.RETRY_FAILED, reason)

    def resolve_unknown(self, campaign_id: str, *, how: str) -> Campaign:
        """Settle unknown recipients by a person's word: ``resend`` (perhaps twice) or ``fail``.

        Raises InvalidCampaign for another word.
        """
        if how not in ("resend", "fail"):
            raise InvalidCampaign(f"how must be resend or fail (got {how!r})")
        return self._reopen(campaign_id, Op.RESOLVE, how)

    def _reopen(self, campaign_id: str, op: Op, argument: str) -> Campaign:
        self.campaign(campaign_id)
        self.campaigns.activate(campaign_id)
        self.campaigns.set_status(campaign_id, Status.RUNNING, expected=set(FINISHED))
        campaign = self.campaign(campaign_id)
        if campaign.status not in (Status.RUNNING, Status.PAUSED):
            raise StateConflict(f"campaign {campaign_id} is {campaign.status}: nothing to retry")
        jobs = shard_jobs(op, campaign_id, argument, asked_at=self.clock())
        self._send([job_body(job) for job in jobs])
        return campaign

    def _send(self, bodies: Sequence[str]) -> None:
        self.queue.send_jobs(bodies)


def _same_mails(one: Campaign, other: Campaign) -> bool:
    """Tell whether two looks at a campaign saw the same mails to the same people."""
    return (one.content, one.list_id, one.list_revision, one.unknown_policy) == (
        other.content,
        other.list_id,
        other.list_revision,
        other.unknown_policy,
    )


def _policy(value: object) -> UnknownPolicy:
    if not isinstance(value, str) or value not in set(UnknownPolicy):
        known = ", ".join(UnknownPolicy)
        raise InvalidCampaign(f"unknown_policy must be one of {known} (got {value!r})")
    return UnknownPolicy(str(value))


def _accepted(rows: Iterable[Accepted | Rejected], rejected: list[Rejected]) -> Iterator[Accepted]:
    for row in rows:
        if isinstance(row, Rejected):
            rejected.append(row)
        else:
            yield row
