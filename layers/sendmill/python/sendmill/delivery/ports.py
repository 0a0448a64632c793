"""Say what a delivery needs of the rooms around it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sendmill.campaign import Campaign, Config, Content
from sendmill.ledger import Row, Transition
from sendmill.mail import Mail
from sendmill.outcome import Outcome
from sendmill.rate import Limiter, Unlimited

# A row of the ledger: the id of its campaign, and that of its recipient.
Key = tuple[str, str]


class Ledger(Protocol):
    """Keep the rows of recipients; every write is conditional on what was read."""

    def read(
        self, keys: Sequence[Key], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[Key, Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid), and the reasons by suppressed address hash."""

    def adopt(self, rows: Sequence[Row]) -> Mapping[Key, Row]:
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

    def send(self, config: Config, mails: Sequence[Mail], *, within: float) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order; never raises for a mail.

        What may take longer than ``within`` so many seconds is not begun, and is to come later.
        """


class Links(Protocol):
    """Know where a recipient unsubscribes."""

    def unsubscribe_url(self, campaign_id: str, rid: str) -> str:
        """Return the address of a recipient's own link."""


class Handling(StrEnum):
    """What is to happen to a message on the queue."""

    ACKNOWLEDGE = "acknowledge"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Say what became of one message.

    ``event`` is a stable word for logs and metrics: a state of the ledger, or why nothing was
    done. Only what nobody can act on is returned to the queue, at once.
    """

    event: str
    reason: str = ""
    campaign_id: str = ""
    rid: str = ""
    attempt: int = 0
    message_id: str = ""
    handling: Handling = Handling.ACKNOWLEDGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Hold what a delivery works with.

    ``clock`` returns seconds since 1970, ``jitter`` a random number from 0 to 1, ``sleep`` waits
    for seconds.
    """

    ledger: Ledger
    campaigns: Campaigns
    mailer: Mailer
    hash_key: bytes
    clock: Callable[[], int]
    jitter: Callable[[], float]
    sleep: Callable[[float], None]
    limiter: Limiter = field(default_factory=Unlimited)
    links: Links | None = None
