"""Show answers: as tables for people, as JSON for programs; progress goes to the other stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

_PIPED_WIDTH = 240
_LOOKS = {
    "complete": "green",
    "done": "green",
    "accepted": "green",
    "ok": "green",
    "running": "cyan",
    "paused": "yellow",
    "warning": "yellow",
    "complete_with_unknown": "yellow",
    "failed": "red",
    "error": "red",
    "refused": "red",
}


class Output:
    """Write to a person or to a program."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        # what is piped is not folded to the width of a terminal that is not there
        self._out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
        self._aside = Console(stderr=True, highlight=False)

    def show(self, answer: Any, *columns: str) -> None:
        """Show an answer: as JSON whole, to a person as a table of some or all members."""
        if self.as_json:
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        elif isinstance(answer, Mapping) and isinstance(answer.get("items"), list):
            self._rows(answer["items"], columns)
            if answer.get("cursor"):
                self.say("there is more: --limit shows it")
        elif isinstance(answer, Mapping):
            self._members(answer, columns)
        elif answer is not None:
            self._out.print(escape(str(answer)))

    def say(self, text: str) -> None:
        """Tell a person something beside the answer."""
        if not self.as_json:
            # not folded: an address that is cut in two is no address any more
            self._aside.print(escape(text), soft_wrap=True)

    def fail(self, text: str, problem: Mapping[str, Any], exit_code: int) -> None:
        """Tell what went wrong, on the stream beside; as JSON with ``--json``."""
        if self.as_json:
            whole = {"error": text, "exit_code": exit_code, "problem": dict(problem)}
            sys.stderr.write(json.dumps(whole, ensure_ascii=False) + "\n")
            return
        self._aside.print(f"[red]sendmill:[/red] {escape(text)}")
        for one in problem.get("errors") or problem.get("checks") or []:
            about = one.get("field") or one.get("title") or one.get("id", "")
            said = f"  {about}: {one.get('detail', '')} {one.get('fix', '')}"
            self._aside.print(escape(said.rstrip()))

    def progress(self) -> Progress:
        """Return a bar on the stream beside; a stream that is no terminal gets none."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._aside,
            disable=self.as_json or not sys.stderr.isatty(),
            transient=True,
        )

    def _rows(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
        found = list(rows)
        names = list(columns) or list(found[0] if found else [])
        table = Table(*[name.replace("_", " ") for name in names], box=None, pad_edge=False)
        for row in found:
            table.add_row(*[_shown(name, row.get(name)) for name in names])
        self._out.print(table)

    def _members(self, answer: Mapping[str, Any], columns: Sequence[str]) -> None:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name in columns or answer:
            if answer.get(name) not in (None, "", [], {}):
                table.add_row(f"[dim]{name.replace('_', ' ')}[/dim]", _shown(name, answer[name]))
        self._out.print(table)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and name.endswith(("_at", "at")) and value > 0:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return escape(", ".join(f"{key} {_shown(key, inner)}" for key, inner in value.items()))
    if isinstance(value, list):
        return escape(", ".join(_shown("", inner) for inner in value))
    text = escape(f"{value:,}" if isinstance(value, int) else str(value))
    look = _LOOKS.get(text) if name in ("status", "state", "level") else None
    return f"[{look}]{text}[/{look}]" if look else text
