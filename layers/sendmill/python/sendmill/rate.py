"""Share one sending rate between all workers, and follow what the account allows.

GCRA: one number, the theoretical arrival time (TAT), says until when the rate is taken. One write
reserves the slots of a whole batch; workers then wait in place for theirs. The rate is what SES
says the account may (times a safety factor), cut when SES refuses most of a batch, and recovered
slowly. Source: ITU-T I.371, generic cell rate algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Protocol

from sendmill.campaign import Config

# Below what SES allows, so that other senders of the account have air.
SAFETY = 0.95
# A new account out of the sandbox; used until SES has been asked.
DEFAULT_RATE = 14.0
# Refusals are noise until most of a batch is refused: then the real limit is lower than it says.
CUT_ABOVE = 0.7
CUT_FACTOR = 0.8
MIN_FACTOR = 0.1
# What a worker has heard of so many mails says something; one of one refused says nothing.
SAMPLE_MAILS = 20
# Back to full speed within about four minutes, in steps.
RECOVERY_SECONDS = 5
RECOVERY_STEP = 0.02
# How much of a second's rate may leave at once.
BURST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Hold what SES says of the account in one region.

    Rates are mails per second; ``daily_quota`` below 0 means no limit. ``stopped`` is empty, or
    why nothing may be sent at all. ``safety`` keeps us below what SES allows,
    ``factor`` is what refusals have left of the rate.
    """

    max_rate: float = DEFAULT_RATE
    daily_quota: float = -1.0
    sent_today: float = 0.0
    production: bool = True
    enforcement: str = "HEALTHY"
    stopped: str = ""
    asked_at: int = 0
    safety: float = SAFETY
    factor: float = 1.0
    factor_at: int = 0

    def rate(self) -> float:
        """Return the mails per second that all workers together may send."""
        return max(0.1, self.max_rate * self.safety * self.factor)

    def left_today(self) -> float:
        """Return how many mails the daily quota still allows; infinite without one."""
        if self.daily_quota < 0:
            return float("inf")
        return max(0.0, self.daily_quota - self.sent_today)

    def used_percent(self) -> float:
        """Return how much of the daily quota is used up; nothing without a quota."""
        return 100.0 * self.sent_today / self.daily_quota if self.daily_quota > 0 else 0.0

    def in_trouble(self) -> bool:
        """Tell whether SES lets nothing out, or has the account under review."""
        return bool(self.stopped) or self.enforcement != "HEALTHY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Say when a batch may start, in seconds from now, and at how many mails per second.

    A ``rate`` of 0 means no limit; ``stopped`` says why nothing may leave.
    """

    starts_in: float = 0.0
    rate: float = 0.0
    stopped: str = ""


class Limiter(Protocol):
    """Reserve sending slots, shared by every worker of the account."""

    def reserve(self, config: Config, count: int, *, within: float = inf) -> Slot:
        """Return the slot of ``count`` mails; it is taken if it starts ``within`` so many seconds.

        One that starts later is only told: whoever cannot wait must not make all others wait.
        """

    def report(self, config: Config, *, sent: int, throttled: int) -> None:
        """Tell how many of a batch were sent, and how many refused for the rate."""


class Unlimited:
    """Limit nothing: for servers that know no rate."""

    def reserve(self, config: Config, count: int, *, within: float = inf) -> Slot:
        """Return a slot that starts now."""
        return Slot()

    def report(self, config: Config, *, sent: int, throttled: int) -> None:
        """Learn nothing."""


def interval_us(rate: float) -> float:
    """Return the microseconds between two mails at this rate."""
    return 1_000_000.0 / rate


def taken_until(tat_us: int, *, now_us: int, count: int, rate: float) -> int:
    """Return the TAT after ``count`` mails are reserved: never before now."""
    return max(tat_us, now_us) + ceil(count * interval_us(rate))


def starts_in(new_tat_us: int, *, now_us: int, count: int, rate: float) -> float:
    """Return in how many seconds the reserved mails may start."""
    start = new_tat_us - count * interval_us(rate)
    return max(0.0, (start - now_us) / 1_000_000.0)


def group_size(rate: float, count: int) -> int:
    """Return how many mails of a batch may leave at once: a second's worth, at least one."""
    if rate <= 0:
        return count
    return max(1, min(count, int(rate * BURST_SECONDS)))


def after_batch(account: Account, *, sent: int, throttled: int, now: int) -> Account:
    """Return the account with its factor cut or recovered, if it is time for either."""
    total = sent + throttled
    if total and throttled / total > CUT_ABOVE:
        if now - account.factor_at < 1 and account.factor_at:
            # one cut a second: the whole fleet sees the same refusals
            return account
        factor = max(MIN_FACTOR, account.factor * CUT_FACTOR)
        return replace(account, factor=factor, factor_at=now)
    if account.factor < 1.0 and now - account.factor_at >= RECOVERY_SECONDS:
        return replace(account, factor=min(1.0, account.factor + RECOVERY_STEP), factor_at=now)
    return account


def drain_seconds(account: Account, mails: int) -> int:
    """Return how long so many mails take at the account's rate, and half as long again."""
    return round(1.5 * mails / account.rate())
