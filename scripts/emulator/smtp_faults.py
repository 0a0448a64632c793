"""How the SMTP server misbehaves: where in the conversation, and what it does there.

A fault is `{"phase": p, "do": "reply"|"drop"|"hang", "reply": "451 4.3.0 ...", "to": regex,
"times": n, "every_nth": n, "seconds": s}`, or just `{"mode": name}` with one of MODES. Phases:
auth, mail, rcpt, data (before 354), body (in the middle of the message), final (after the dot: a
dropped or hung mail IS accepted). `to` can be matched from rcpt on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

PHASES = ("auth", "mail", "rcpt", "data", "body", "final")
DEEDS = ("reply", "drop", "hang")
GREYLIST_REPLY = "451 4.7.1 Greylisted, try again later"
REPLIES = {
    ("mail", 4): "451 4.3.0 Local error in processing",
    ("mail", 5): "550 5.7.1 Sender refused",
    ("rcpt", 4): "450 4.2.1 Mailbox busy",
    ("rcpt", 5): "550 5.1.1 No such user",
    ("data", 4): "451 4.3.2 System not accepting messages",
    ("data", 5): "554 5.7.1 Refused by policy",
    ("final", 4): "452 4.3.1 Insufficient system storage",
    ("final", 5): "554 5.7.1 Message content rejected",
}
MODES: dict[str, dict[str, Any]] = {
    **{
        f"{phase}_{kind}xx": {"phase": phase, "do": "reply", "reply": reply}
        for (phase, kind), reply in REPLIES.items()
    },
    "drop_at_mail": {"phase": "mail", "do": "drop"},
    "drop_at_rcpt": {"phase": "rcpt", "do": "drop"},
    "drop_at_data": {"phase": "data", "do": "drop"},
    "drop_mid_data": {"phase": "body", "do": "drop"},
    "drop_after_dot": {"phase": "final", "do": "drop"},
    "hang_after_dot": {"phase": "final", "do": "hang"},
    "greylist": {"phase": "rcpt", "do": "reply", "reply": GREYLIST_REPLY, "once_each": True},
    "bad_auth": {"phase": "auth", "do": "reply", "reply": "535 5.7.8 Credentials invalid"},
}
KEYS = frozenset({"phase", "do", "reply", "to", "times", "every_nth", "seconds", "once_each"})


@dataclass(slots=True, kw_only=True)
class SmtpFault:
    """One rule; `once_each` refuses each recipient the first time only."""

    phase: str
    do: str
    reply: str = "451 4.3.0 Try again later"
    to: re.Pattern[str] | None = None
    times: int | None = None
    every_nth: int = 1
    seconds: float = 3600.0
    once_each: bool = False
    matched: int = 0
    fired: int = 0
    seen: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, value: dict[str, Any]) -> SmtpFault:
        """Build from JSON, a mode's settings first. Raise ValueError that names what is wrong."""
        settings = dict(value)
        mode = settings.pop("mode", None)
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)} (got {mode!r})")
        settings = {**MODES.get(mode, {}), **settings}
        if set(settings) - KEYS:
            raise ValueError(f"keys must be among {sorted(KEYS)} (got {sorted(settings)})")
        if settings.get("phase") not in PHASES or settings.get("do") not in DEEDS:
            raise ValueError(f"phase must be one of {PHASES} and do one of {DEEDS} (got {value})")
        if settings.get("to"):
            settings["to"] = re.compile(settings["to"])
        return cls(**settings)

    def applies(self, phase: str, recipients: list[str]) -> bool:
        """Tell whether to misbehave here, and count it."""
        if phase != self.phase or (self.times is not None and self.fired >= self.times):
            return False
        if self.to and not any(self.to.search(address) for address in recipients):
            return False
        if self.once_each and recipients:
            newest = recipients[-1].lower()
            if newest in self.seen:
                return False
            self.seen.add(newest)
        self.matched += 1
        if self.matched % self.every_nth:
            return False
        self.fired += 1
        return True


@dataclass(slots=True)
class SmtpFaults:
    """The faults in force; the first that applies decides."""

    rules: list[SmtpFault] = field(default_factory=list)

    def replace(self, rules: Any) -> None:
        """Put rules in force, all or none. Raise ValueError for a wrong one."""
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise ValueError(f"faults must be a list of objects (got {rules!r})")
        self.rules = [SmtpFault.parse(rule) for rule in rules]

    def pick(self, phase: str, recipients: list[str]) -> SmtpFault | None:
        """Return the rule that decides at this point of a conversation, if any."""
        return next((rule for rule in self.rules if rule.applies(phase, recipients)), None)
