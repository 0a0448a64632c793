"""Tasks whose worker is killed, once, at a point that the environment names.

``KILL_AT`` is ``claim`` (before the effect), ``effect`` (after it, before the receipt says so) or
``complete`` (after the receipt, before the message is deleted). ``EFFECTS`` is a file to which each
effect appends a line; beside it a mark says that the kill has happened.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sendmill.tasks import TaskEvent, fixed, listen, task


def effects() -> Path:
    """Return the file of effects."""
    return Path(os.environ["EFFECTS"])


def perhaps_die(point: str) -> None:
    """Kill this process at the point that is asked for, the first time."""
    mark = effects().with_suffix(".killed")
    if os.environ.get("KILL_AT") == point and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@listen
def follow(event: TaskEvent) -> None:
    """Die between two steps of the worker."""
    if event.name == "started":
        perhaps_die("claim")
    elif event.name == "succeeded":
        perhaps_die("complete")


@task(name="k.effect", timeout=1, max_attempts=3, backoff=fixed(0))
def effect(line: str, *, breaks: bool = False) -> None:
    """Append a line."""
    with effects().open("a") as file:
        file.write(f"{line}\n")
    perhaps_die("effect")
    if breaks:
        raise OSError("as told")
