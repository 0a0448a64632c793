"""Find out whom a user id stands for.

An address that the task carries wins. Else every registered lookup is asked, in order (an
application that is packed with the processor registers its own), and at last the file
``users/{user_id}.json`` in the bucket of the tasks: ``{"email": "...", "first_name": "...",
...}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sendmill.tasks.errors import PermanentFailure

UserId = int | str
_SAFE_ID = re.compile(r"[A-Za-z0-9_@.+-]{1,128}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Hold whom to write to; templates see ``fields`` and the address as ``user``."""

    email: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def as_user(self) -> dict[str, Any]:
        """Return what a template sees as ``user``."""
        return {**self.fields, "email": self.email}


# Returns the person of an id, or None when the id is not known here.
Lookup = Callable[[UserId], Person | None]
_lookups: list[Lookup] = []


def register_user_lookup(lookup: Lookup) -> Lookup:
    """Have user ids looked up by a function; returns it, so that it can decorate one."""
    if lookup not in _lookups:
        _lookups.append(lookup)
    return lookup


def unregister_user_lookup(lookup: Lookup) -> None:
    """Take a lookup away."""
    if lookup in _lookups:
        _lookups.remove(lookup)


def known_address(user_id: UserId) -> str:
    """Return the address that a registered lookup knows, or an empty string."""
    found = (person for lookup in tuple(_lookups) if (person := lookup(user_id)) is not None)
    return next((person.email for person in found), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Find people; ``read`` returns the text of a file, or None when there is none."""

    read: Callable[[str], str | None]

    def find(self, user_id: UserId, *, email: str = "") -> Person:
        """Return the person; raises PermanentFailure when nobody knows the id."""
        if email:
            return Person(email=email)
        for lookup in tuple(_lookups):
            if (found := lookup(user_id)) is not None:
                return found
        return self._from_file(user_id)

    def _from_file(self, user_id: UserId) -> Person:
        if not _SAFE_ID.match(str(user_id)):
            raise PermanentFailure("user_id must be 1 to 128 of A-Z a-z 0-9 _ @ . + -")
        text = self.read(f"users/{user_id}.json")
        if text is None:
            raise PermanentFailure(
                f"user {_shown(user_id)} has no address: the task carries none, no registered "
                "lookup knows the id, and the bucket holds no file for it in users/"
            )
        return _person(text, user_id)


def _person(text: str, user_id: UserId) -> Person:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PermanentFailure(f"the file of user {_shown(user_id)} is no JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("email"), str):
        raise PermanentFailure(f"the file of user {_shown(user_id)} lacks an email")
    return Person(email=found.pop("email"), fields=found)


def _shown(user_id: UserId) -> str:
    """Return an id as it may stand in a log: some take addresses for ids."""
    return "[address]" if "@" in str(user_id) else str(user_id)
