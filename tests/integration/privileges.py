"""Compare what functions asked of AWS with what their roles grant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, order=True)
class Permission:
    """A function may do this (a grant), or did (a use)."""

    function: str
    action: str
    resource: str

    def covers(self, other: Permission) -> bool:
        """Tell whether this permission is about what the other one is about."""
        return (
            self.function == other.function
            and self.action == other.action
            and (fnmatchcase(other.resource, self.resource) or _same_secret(self, other))
        )

    def __str__(self) -> str:
        return f"{self.function}: {self.action} on {self.resource}"


@dataclass(frozen=True, kw_only=True)
class Excuse:
    """A permission that stays although it was not used, or a use that may be refused."""

    function: str
    action: str
    resource: str = "*"
    reason: str

    def fits(self, grant: Permission) -> bool:
        """Tell whether it speaks of this grant, or of this use."""
        return all(
            fnmatchcase(said, pattern)
            for said, pattern in (
                (grant.function, self.function),
                (grant.action, self.action),
                (grant.resource, self.resource),
            )
        )


def used(lines: Iterable[str]) -> set[Permission]:
    """Return what the emulator recorded (see scripts/emulator/calls.py)."""
    return {Permission(**json.loads(line)) for line in lines if line.strip()}


def granted(function: str, policies: Iterable[Mapping[str, Any]]) -> set[Permission]:
    """Return every single permission that the policies of one role allow."""
    return {
        Permission(function, action, resource)
        for policy in policies
        for statement in _listed(policy["Statement"])
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


def not_granted(
    uses: set[Permission], grants: set[Permission], excuses: Iterable[Excuse]
) -> list[str]:
    """Return the uses that no grant covers: on AWS they would be refused."""
    excuses = list(excuses)
    return sorted(
        str(use)
        for use in uses
        if not any(grant.covers(use) for grant in grants)
        and not any(excuse.fits(use) for excuse in excuses)
    )


def not_used(
    uses: set[Permission], grants: set[Permission], excuses: Iterable[Excuse]
) -> list[str]:
    """Return the grants that no use needs and nothing excuses: they are too much."""
    excuses = list(excuses)
    return sorted(
        str(grant)
        for grant in grants
        if not any(grant.covers(use) for use in uses)
        and not any(excuse.fits(grant) for excuse in excuses)
    )


def stale(grants: set[Permission], excuses: Iterable[Excuse]) -> list[str]:
    """Return the excuses that speak of no grant any more.

    One whose grant was used after all is left alone: whether a sweep has something to repair is
    a matter of how busy the machine was.
    """
    return sorted(
        f"{excuse.function}: {excuse.action}: {excuse.reason}"
        for excuse in excuses
        if not any(excuse.fits(grant) for grant in grants)
    )


def _same_secret(grant: Permission, use: Permission) -> bool:
    # recorded by its name, granted with the six characters that were added to it
    return use.resource.endswith("-??????") and fnmatchcase(grant.resource, use.resource)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
