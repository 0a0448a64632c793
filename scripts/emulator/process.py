"""A process that was started here: proof that it still is that one, and its end.

Standard library only, Linux and macOS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as recorded: `started` tells it from a later one with the same id."""

    name: str
    pid: int
    started: str
    port: int
    auth: bool

    def alive(self) -> bool:
        """Tell whether the process with this id is still the one recorded."""
        return start_time(self.pid) == self.started != ""


def stop(processes: list[Process]) -> None:
    """End each process with its whole session group: first asked, then killed."""
    for process in processes:
        if process.alive():
            _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(p.alive() for p in processes) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in processes:
        _signal_group(process.pid, signal.SIGKILL)  # workers that outlived their parent
    while any(p.alive() for p in processes):
        time.sleep(0.02)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def start_time(pid: int) -> str:
    """Return a token for the moment a process started, '' when there is none (or a zombie)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = listed.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()
