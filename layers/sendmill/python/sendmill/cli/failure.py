"""Name what ends a command, each with its exit code.

::

    Failure                1  it was done and ended badly
    ├── WrongUse           2  the command, or what it carries, is wrong
    ├── NotReachable       3  the service did not answer, or had a problem of its own
    ├── NotPermitted       4  not signed in, or without the role
    └── NotThere           5  not found, or not in a state that allows it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Failure(Exception):
    """The command did what it was told, and it ended badly."""

    exit_code = 1

    def __init__(self, message: str, *, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = dict(problem or {})


class WrongUse(Failure):
    """The command, or a file or value that it carries, is wrong."""

    exit_code = 2


class NotReachable(Failure):
    """The service could not be reached, or had a problem of its own."""

    exit_code = 3


class NotPermitted(Failure):
    """Nobody is signed in, or whoever is lacks the role."""

    exit_code = 4


class NotThere(Failure):
    """It does not exist, or its state forbids what was asked."""

    exit_code = 5


def of_status(status: int, problem: Mapping[str, Any]) -> Failure:
    """Return what an answer of the API that is not 2xx means."""
    said = str(problem.get("detail") or problem.get("message") or f"HTTP {status}")
    if status in (401, 403):
        hint = "; sign in with: sendmill login" if status == 401 else ""
        return NotPermitted(said + hint, problem=problem)
    if status in (404, 409, 410):
        return NotThere(said, problem=problem)
    if status >= 500 or status == 429:
        return NotReachable(said, problem=problem)
    return WrongUse(said, problem=problem)
