"""The fault programme: which sends go wrong, and how.

A rule is `{"match": {...}, "action": name, "seconds": s, "milliseconds": ms, "message": text}`.
Rules are asked in order; `latency_ms` adds its delay and asks on, any other action ends it.
`match` narrows it: `to` (regular expression over a recipient), `tag` ({name: value}), `after`
(skip the first n that match so far), `every_nth`, `probability` with `seed`, `times` (then spent).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from standin.errors import (
    AccessDenied,
    AccountSuspended,
    BadRequest,
    MailFromNotVerified,
    MessageRejected,
    SendingPaused,
    ServiceFailure,
    SesError,
    TooManyRequests,
)
from standin.request import Submission

LATENCY = "latency_ms"
# Nothing is accepted: the answer is an error, or none comes.
REFUSALS = frozenset(
    {
        *("throttle", "daily_quota", "server_error", "unavailable", "reject", "bad_request"),
        *("paused", "not_verified", "mail_from_not_verified", "account_suspended"),
        "access_denied",
    }
)
SILENCES = frozenset({"hang", "drop"})
# The mail IS accepted and recorded; the caller does not learn it.
AFTER_ACCEPT = frozenset(
    {"accept_then_hang", "accept_then_drop", "accept_then_error", "accept_then_wait_for_kill"}
)
ACTIONS = REFUSALS | SILENCES | AFTER_ACCEPT | {LATENCY}
MATCHERS = frozenset({"to", "tag", "after", "every_nth", "probability", "seed", "times"})
RULE_KEYS = frozenset({"match", "action", "seconds", "milliseconds", "message"})


@dataclass(slots=True, kw_only=True)
class Rule:
    """One rule, and how often it matched and fired."""

    action: str
    to: re.Pattern[str] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    after: int = 0
    every_nth: int = 1
    probability: float = 1.0
    times: int | None = None
    seconds: float | None = None
    milliseconds: float = 0.0
    message: str | None = None
    chance: random.Random = field(default_factory=random.Random)
    matched: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, value: Any) -> Rule:
        """Build a rule from its JSON. Raise ValueError or TypeError that names what is wrong."""
        if not isinstance(value, dict):
            raise TypeError(f"rule must be an object (got {value!r})")
        match = value.get("match") or {}
        _known("rule keys", value, RULE_KEYS)
        _known("match keys", match, MATCHERS)
        if value.get("action") not in ACTIONS:
            raise ValueError(
                f"action must be one of {', '.join(sorted(ACTIONS))} (got {value.get('action')!r})"
            )
        every_nth = int(match.get("every_nth", 1))
        probability = float(match.get("probability", 1.0))
        if every_nth < 1 or not 0 <= probability <= 1:
            raise ValueError("every_nth must be at least 1 and probability in 0..1")
        return cls(
            action=value["action"],
            to=re.compile(match["to"]) if match.get("to") else None,
            tags=dict(match.get("tag") or {}),
            after=int(match.get("after", 0)),
            every_nth=every_nth,
            probability=probability,
            times=None if match.get("times") is None else int(match["times"]),
            seconds=None if value.get("seconds") is None else float(value["seconds"]),
            milliseconds=float(value.get("milliseconds", 0.0)),
            message=value.get("message"),
            chance=random.Random(match.get("seed")),  # noqa: S311 - repeatable
        )

    def applies(self, submission: Submission) -> bool:
        """Tell whether this send goes wrong, and count it."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.to and not any(self.to.search(address) for address in submission.recipients):
            return False
        if any(submission.tags.get(name) != value for name, value in self.tags.items()):
            return False
        self.matched += 1
        if self.matched <= self.after or (self.matched - self.after) % self.every_nth:
            return False
        if self.probability < 1.0 and self.chance.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        """Return what it did so far, as JSON."""
        return {"action": self.action, "matched": self.matched, "fired": self.fired}


@dataclass(slots=True)
class FaultProgramme:
    """The rules in force."""

    rules: list[Rule] = field(default_factory=list)

    def replace(self, value: Any) -> None:
        """Put new rules in force: a list, or {"rules": [...]}. Wrong ones change none."""
        rules = value.get("rules") if isinstance(value, dict) else value
        if not isinstance(rules, list):
            raise TypeError("faults must be a list of rules, or an object with 'rules'")
        self.rules = [Rule.parse(rule) for rule in rules]

    def decide(self, submission: Submission) -> tuple[float, Rule | None]:
        """Return seconds of latency to add, and the rule that ends this send, if any."""
        latency = 0.0
        for rule in self.rules:
            if not rule.applies(submission):
                continue
            if rule.action != LATENCY:
                return latency, rule
            latency += rule.milliseconds / 1000
        return latency, None


def refusal(rule: Rule, submission: Submission, region: str) -> SesError:
    """Return the error a refusing rule answers."""
    errors: dict[str, SesError] = {
        "throttle": TooManyRequests.rate(),
        "daily_quota": TooManyRequests.daily_quota(),
        "server_error": ServiceFailure("We encountered an internal error. Please try again."),
        "unavailable": ServiceFailure(
            "Service is unavailable.", kind="ServiceUnavailable", status=503
        ),
        "reject": MessageRejected("Message contents are not acceptable."),
        "bad_request": BadRequest("Invalid parameter."),
        "paused": SendingPaused("Sending paused for this account."),
        "not_verified": MessageRejected.unverified([submission.sender], region),
        "mail_from_not_verified": MailFromNotVerified("MAIL FROM domain is not verified."),
        "account_suspended": AccountSuspended("Your account has been suspended."),
        "access_denied": AccessDenied("User is not authorized to perform: ses:SendEmail"),
    }
    error = errors[rule.action]
    return type(error)(rule.message or error.message, kind=error.kind, status=error.status)


def _known(what: str, value: dict[str, Any], known: frozenset[str]) -> None:
    unknown = set(value) - known
    if unknown:
        raise ValueError(f"{what} must be among {sorted(known)} (got {sorted(unknown)})")
