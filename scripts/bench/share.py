"""Give a process the CPU that a Lambda of some memory has, and watch who else uses the machine.

A Lambda of 1769 MB has one core, one of 512 MB the same core for 5.8 of every 20 ms. Linux does
that with a CPU quota: cgroup v1 or v2, whichever may be written here. Within its quota the group
comes before everybody else on the machine, as a Lambda's share is its own.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CORE_MB = 1769
PERIOD_US = 20_000
_V1 = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")
_TICK = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def cpu_share(memory_mb: int) -> Iterator[Path | None]:
    """Yield the file to which a process writes its id to be limited, or None if that cannot be."""
    quota = PERIOD_US * memory_mb // CORE_MB
    v2 = (_V2 / "cgroup.controllers").exists()
    group = (_V2 if v2 else _V1) / f"sendmill-bench-{os.getpid()}"
    try:
        group.mkdir()
        if v2:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
            (group / "cpu.weight").write_text("10000")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
            (group / "cpu.shares").write_text("262144")
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group / "cgroup.procs"
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)


def come_first() -> bool:
    """Take precedence over others on the machine for this process and its children, if allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        return False
    return True


@dataclass
class Neighbours:
    """Say how much of the machine's CPU others used since it was made, from 0 to 1.

    ``own`` are the processes that do not count as others, this one and its dead children included.
    """

    own: list[int]

    def __post_init__(self) -> None:
        self._start = self._read()

    def share(self) -> float:
        """Return the share of all cores that went to others."""
        busy, mine, at = self._read()
        past_busy, past_mine, past_at = self._start
        cores = os.cpu_count() or 1
        return max(0.0, (busy - past_busy) - (mine - past_mine)) / max(at - past_at, 0.01) / cores

    def _read(self) -> tuple[float, float, float]:
        names = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"]
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
        ticks = dict(zip(names, map(int, first), strict=False))
        busy = sum(ticks[name] for name in ("user", "nice", "system", "irq", "softirq", "steal"))
        mine = sum(os.times()[:4])
        for pid in self.own:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                mine += (int(fields[11]) + int(fields[12])) / _TICK
        return busy / _TICK, mine, time.monotonic()


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
