"""Limits of an SES account in one region: daily quota, rate, pause, sandbox, suppression list."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from standin.errors import AccountSuspended, SendingPaused, TooManyRequests

DAY_SECONDS = 86_400


@dataclass(slots=True, kw_only=True)
class Account:
    """Settings are those of a healthy, generous account; rates are not enforced.

    A new account of SES sends 14 mails a second and 50,000 a day; at that a demo would take a
    minute and a load run an hour. Tests of the rate set it by the control interface.
    """

    max_24_hour_send: float = 5_000_000.0
    max_send_rate: float = 1_000.0
    sending_enabled: bool = True
    production_access: bool = True
    enforcement_status: str = "HEALTHY"
    enforce_rate: bool = False
    enforce_daily_quota: bool = False
    suppressed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _sent: deque[tuple[float, int]] = field(default_factory=deque)
    _sent_count: int = 0
    _tokens: float | None = None
    _refilled_at: float = 0.0

    def configure(self, settings: dict[str, Any]) -> None:
        """Apply settings by their GetAccount names. Raise ValueError for a name not known."""
        quota = settings.get("SendQuota") or {}
        fields = {
            "SendingEnabled": ("sending_enabled", bool),
            "ProductionAccessEnabled": ("production_access", bool),
            "EnforcementStatus": ("enforcement_status", str),
            "EnforceRate": ("enforce_rate", bool),
            "EnforceDailyQuota": ("enforce_daily_quota", bool),
        }
        unknown = set(settings) - set(fields) - {"SendQuota"}
        if unknown:
            known = ", ".join(sorted([*fields, "SendQuota"]))
            raise ValueError(f"settings must be among {known} (got {', '.join(sorted(unknown))})")
        self.max_24_hour_send = float(quota.get("Max24HourSend", self.max_24_hour_send))
        self.max_send_rate = float(quota.get("MaxSendRate", self.max_send_rate))
        for name, (attribute, kind) in fields.items():
            if name in settings:
                setattr(self, attribute, kind(settings[name]))
        self._tokens = None

    def describe(self, now: float) -> dict[str, Any]:
        """Return the members of GetAccount that the stand-in owns."""
        return {
            "SendQuota": {
                "Max24HourSend": self.max_24_hour_send,
                "MaxSendRate": self.max_send_rate,
                "SentLast24Hours": float(self.sent_last_24_hours(now)),
            },
            "SendingEnabled": self.sending_enabled,
            "ProductionAccessEnabled": self.production_access,
            "EnforcementStatus": self.enforcement_status,
        }

    def check_status(self) -> None:
        """Raise what SES answers while the account may not send at all."""
        if self.enforcement_status == "SHUTDOWN":
            raise AccountSuspended("Your account has been suspended. Contact AWS Support.")
        if not self.sending_enabled:
            raise SendingPaused("Sending paused for this account.")

    def charge(self, recipients: int, now: float) -> None:
        """Count recipients, or raise TooManyRequests and count nothing (SES does not queue)."""
        limited = self.enforce_daily_quota and self.max_24_hour_send >= 0
        if limited and self.sent_last_24_hours(now) + recipients > self.max_24_hour_send:
            raise TooManyRequests.daily_quota()
        if self.enforce_rate:
            self._take_tokens(recipients, now)
        self._sent.append((now, recipients))
        self._sent_count += recipients

    def sent_last_24_hours(self, now: float) -> int:
        """Return the recipients counted in the last 24 hours."""
        while self._sent and self._sent[0][0] <= now - DAY_SECONDS:
            self._sent_count -= self._sent.popleft()[1]
        return self._sent_count

    def forget_sent(self) -> None:
        """Start counting afresh."""
        self._sent.clear()
        self._sent_count = 0
        self._tokens = None

    def _take_tokens(self, count: int, now: float) -> None:
        """Token bucket of one second: a burst of one second's rate passes, no more."""
        burst = max(self.max_send_rate, 1.0)
        tokens = burst if self._tokens is None else self._tokens
        tokens = min(burst, tokens + (now - self._refilled_at) * self.max_send_rate)
        self._refilled_at = now
        self._tokens = tokens
        if tokens < count:
            raise TooManyRequests.rate()
        self._tokens = tokens - count
