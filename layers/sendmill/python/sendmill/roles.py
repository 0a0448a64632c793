"""Read from a token who asks, and in which role.

Roles are steps: a sender may do whatever an editor may. They come from a claim of the token that
lists groups, or from OAuth scopes ``sendmill/<role>``, which programs get for their client's
credentials. Whoever has none may do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sendmill.errors import NotAllowed, NotSignedIn

SCOPE_PREFIX = "sendmill/"
GROUPS_CLAIM = "cognito:groups"
_SEPARATORS = re.compile(r"[\s,\[\]\"']+")


class Role(IntEnum):
    """Who may do what: each role may also do what those below it may."""

    ANONYMOUS = 0
    VIEWER = 1
    EDITOR = 2
    SENDER = 3
    ADMIN = 4

    @property
    def title(self) -> str:
        """Return the name that groups and scopes go by."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Hold who asks; ``expires_at`` is in seconds since 1970, 0 when the token does not say."""

    subject: str = ""
    email: str = ""
    role: Role = Role.ANONYMOUS
    roles: tuple[str, ...] = ()
    expires_at: int = 0

    def permit(self, least: Role) -> None:
        """Raise NotAllowed unless the caller has this role or a higher one."""
        if self.role >= least:
            return
        has = f"yours is {self.role.title}" if self.role else "your token names none"
        raise NotAllowed(f"this needs the role {least.title} or a higher one ({has})")


def caller_of(claims: Mapping[str, Any], *, groups_claim: str = GROUPS_CLAIM) -> Caller:
    """Return who asks, by the claims of a token whose signature was checked.

    Raises NotSignedIn without a subject, and for a token that is meant for something else: an ID
    token tells a client who its user is, and is no key to an API (OpenID Connect Core 1.0, 2).
    """
    use = str(claims.get("token_use") or "access")
    if use != "access":
        raise NotSignedIn(f"an access token is needed (got a token for {use[:20]!r})")
    subject = str(claims.get("sub") or "")
    if not subject:
        raise NotSignedIn("the token must name a subject")
    names = set(_names(claims, groups_claim))
    roles = tuple(role for role in Role if role.title in names)
    return Caller(
        subject=subject,
        email=str(claims.get("email") or ""),
        role=max(roles, default=Role.ANONYMOUS),
        roles=tuple(role.title for role in roles),
        expires_at=_seconds(claims.get("exp")),
    )


def _names(claims: Mapping[str, Any], groups_claim: str) -> Iterator[str]:
    """Yield groups, and scopes without their prefix; never the word anonymous."""
    scopes = (one for one in _words(claims.get("scope")) if one.startswith(SCOPE_PREFIX))
    names = (*_words(claims.get(groups_claim)), *(one[len(SCOPE_PREFIX) :] for one in scopes))
    yield from (name for name in names if name != Role.ANONYMOUS.title)


def _words(value: object) -> list[str]:
    """Return the words of a claim; API Gateway hands a list over as ``[a b]``."""
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return [word for word in _SEPARATORS.split(str(value or "")) if word]


def _seconds(value: object) -> int:
    try:
        return int(float(str(value or 0)))
    except (ValueError, OverflowError):
        return 0
