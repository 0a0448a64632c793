"""Say what a sweep needs of the services around it, and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sendmill.campaign import Campaign, Content, Status
from sendmill.errors import RetryableError
from sendmill.ledger import Row, Transition
from sendmill.rate import Account
from sendmill.timeline import Point

# The stream of events has provably passed an attempt when it is this far beyond it, in seconds.
STREAM_MARGIN_SECONDS = 60
# The queue holds this many messages or more: who waits has not had his turn yet.
BUSY_QUEUE = 500
# A sweep that is refused something after so long goes no further: what is away then is all of the
# table, each refusal takes the SDK's retries, and a sweep that is killed says nothing, in seconds.
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Say how far the provider's events have come.

    ``last_send`` is when the newest mail was sent whose Send event has been known for a minute;
    ``waiting`` how many events wait, ``dead`` how many could not be understood.
    """

    last_send: int = 0
    waiting: int = 0
    dead: int = 0

    def has_passed(self, moment: int) -> bool:
        """Tell whether an event of this moment would certainly have been seen by now."""
        return (
            self.last_send >= moment + STREAM_MARGIN_SECONDS and not self.waiting and not self.dead
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """Say from which shares of bounces and complaints a campaign is paused."""

    bounce_pause: float = 0.04
    complaint_pause: float = 0.0008
    minimum: int = 500


class Ledger(Protocol):
    """Keep the rows of recipients."""

    def due(self, shard: int, *, now: int, limit: int) -> Sequence[Row]:
        """Return rows that wanted to be looked at before now, oldest first."""

    def apply(self, transitions: Sequence[Transition], *, owner: str) -> Sequence[bool]:
        """Write what still can be; say for each whether it stands."""

    def count_states(self, campaign_id: str) -> Mapping[str, int]:
        """Return the states of a campaign's rows, by counting them."""


class Book(Protocol):
    """Keep the campaigns."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stands now."""

    def content(self, campaign_id: str, digest: str) -> Content:
        """Return a content that differs from the campaign's own."""

    def active(self) -> Iterator[str]:
        """Yield the ids of the campaigns to look after."""

    def counters(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counters of a campaign."""

    def set_status(
        self, campaign_id: str, status: Status, *, expected: set[Status], reason: str = ""
    ) -> bool:
        """Change the status if it is one of the expected ones; tell whether it was."""

    def resume(self, campaign_id: str, *, paused_for: str = "") -> bool:
        """Let a campaign run that was paused for this reason; tell whether it was."""

    def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
        """Move counters by these amounts, unless that was just done; tell whether it was now."""

    def deactivate(self, campaign_id: str) -> None:
        """Look after this campaign no longer."""


class Queues(Protocol):
    """Take messages, and say how many wait."""

    def send_jobs(self, bodies: Sequence[str]) -> None:
        """Put bodies on the dispatch queue."""

    def send_mails(self, bodies: Sequence[str], *, group: str) -> None:
        """Put bodies on the e-mail queue."""

    def mails_waiting(self) -> int:
        """Return how many messages are on the e-mail queue, seen or not."""


@dataclass(slots=True, kw_only=True)
class Report:
    """Hold what one sweep did and saw, for metrics and the log.

    ``skipped`` counts the shards and campaigns that it could not look after to the end.
    """

    expired: int = 0
    requeued: int = 0
    resent: int = 0
    failed: int = 0
    cancelled: int = 0
    postponed: int = 0
    completed: int = 0
    resumed: int = 0
    paused: int = 0
    drifted: int = 0
    skipped: int = 0
    unknown: int = 0
    oldest_open_seconds: int = 0
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Hold what a sweep works with.

    ``note`` keeps how far a running campaign has come, for those who look at it later; ``tell`` is
    given the report of a sweep that fails, too; ``home`` is the region whose events the stream is
    made of.
    """

    ledger: Ledger
    book: Book
    queues: Queues
    stream: Callable[[], Stream]
    account: Callable[[], Account]
    clock: Callable[[], int]
    reputation: Reputation = field(default_factory=Reputation)
    note: Callable[[str, Point], None] = lambda campaign_id, point: None
    tell: Callable[[Report], None] = lambda report: None
    home: str = ""


class Look:
    """Hold what one sweep has seen so far: campaigns as they stood, the stream, the queue."""

    def __init__(self, tools: Tools, owner: str) -> None:
        self.tools = tools
        self.owner = owner
        self.report = Report()
        self.failure: RetryableError | None = None
        self.campaigns: dict[str, Campaign | None] = {}
        self.stream = tools.stream()
        self.queue_is_busy = tools.queues.mails_waiting() >= BUSY_QUEUE
        self._patient_until = tools.clock() + PATIENCE_SECONDS

    @contextmanager
    def by_itself(self) -> Iterator[None]:
        """Let a part of the sweep fail without the others, and remember the first that did."""
        try:
            yield
        except RetryableError as error:
            self.report.skipped += 1
            self.failure = self.failure or error
            if self.tools.clock() >= self._patient_until:
                raise

    def campaign(self, campaign_id: str) -> Campaign | None:
        """Return a campaign as it stood when this sweep first met one of its rows."""
        if campaign_id not in self.campaigns:
            self.campaigns[campaign_id] = self.tools.book.get(campaign_id)
        return self.campaigns[campaign_id]
