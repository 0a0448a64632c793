"""Hold what every command needs: the API of its environment, and where to write."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from sendmill.cli.failure import WrongUse
from sendmill.cli.http import Api
from sendmill.cli.output import Output
from sendmill.cli.session import Session


@dataclass
class Place:
    """One call of the command."""

    profile: str = ""
    api_url: str = ""
    out: Output = field(default_factory=Output)

    @property
    def session(self) -> Session:
        """Return who is signed in."""
        return Session(profile=self.profile, api_url=self.api_url)

    @property
    def api(self) -> Api:
        """Return the API of the environment."""
        return self.session.api()


def here(context: typer.Context) -> Place:
    """Return the place of a command."""
    found = context.find_object(Place)
    return found if found is not None else Place()


def text_of(source: str) -> str:
    """Return what a file holds, or standard input for ``-``; raises WrongUse."""
    if source == "-":
        return sys.stdin.read()
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{source}: {error}") from error


def save(text: str, target: str) -> None:
    """Write text to a file, or to standard output for ``-``."""
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{target}: {error}") from error


def pairs(given: list[str], what: str) -> dict[str, str]:
    """Return ``a=b`` words as a dictionary; raises WrongUse."""
    found = [word.partition("=") for word in given]
    for key, equals, _ in found:
        if not key or not equals:
            raise WrongUse(f"{what} must be name=value (got {key!r})")
    return {key: value for key, _, value in found}


def json_of(text: str, what: str) -> Any:
    """Return what JSON holds; raises WrongUse."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{what} is no JSON: {error}") from error


def given(**members: Any) -> dict[str, Any]:
    """Return the members that were said."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}
