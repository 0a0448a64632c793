"""All that the stand-in remembers, in one place that every part shares."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin.mailbox import Mailbox, Stats
from standin.publisher import Publisher
from standin.quota import Account
from standin.rules import FaultProgramme
from standin.upstream import Scope, Upstream

TCP_TABLE = Path("/proc/net/tcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A call whose answer is being withheld; `message_id` is None when nothing was accepted."""

    action: str
    message_id: str | None
    recipients: tuple[str, ...]
    peer_port: int
    own_port: int
    since: float

    def describe(self) -> dict[str, Any]:
        """Return the call as JSON, with the process that waits."""
        return {
            "action": self.action,
            "message_id": self.message_id,
            "recipients": list(self.recipients),
            "peer_port": self.peer_port,
            "peer_pid": pid_of_connection(self.peer_port, self.own_port),
            "since": self.since,
        }


@dataclass(slots=True, kw_only=True)
class State:
    """Mailbox, counts, faults and accounts."""

    mailbox: Mailbox
    upstream: Upstream
    publisher: Publisher
    stats: Stats = field(default_factory=Stats)
    faults: FaultProgramme = field(default_factory=FaultProgramme)
    held: list[Held] = field(default_factory=list)
    verify_secret: str | None = None
    enforce_iam: bool = False
    accounts: dict[Scope, Account] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def account(self, scope: Scope) -> Account:
        """Return the account in its region; a new one starts with the settings now in force."""
        if scope not in self.accounts:
            account = Account()
            account.configure(self.settings)
            self.accounts[scope] = account
        return self.accounts[scope]

    def configure_accounts(self, settings: dict[str, Any]) -> None:
        """Apply settings to every account and region, known or to come."""
        Account().configure(settings)  # refuse what is wrong before anything changes
        self.settings = {**self.settings, **settings}
        for account in self.accounts.values():
            account.configure(settings)

    def reset(self) -> None:
        """Forget mails, counts and events; faults, settings and suppression lists stay."""
        self.mailbox.clear()
        self.stats.reset()
        self.publisher.reset()
        for account in self.accounts.values():
            account.forget_sent()


def pid_of_connection(port: int, other_port: int) -> int | None:
    """Return the process at ``port`` of a local connection (Linux; None elsewhere or when unseen).

    The port alone says too little: connections to several servers may begin at the same one.
    """
    ends = [f"0100007F:{port:04X}", f"0100007F:{other_port:04X}"]
    with contextlib.suppress(OSError):
        for line in TCP_TABLE.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[1:3] == ends:
                return _pid_of_socket(f"socket:[{columns[9]}]")
    return None


def _pid_of_socket(name: str) -> int | None:
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if any(link == name for link in _links_of(folder)):
            return int(folder.parent.name)
    return None


def _links_of(folder: Path) -> Iterator[str]:
    """Yield what the open files of a process are; one that is closed meanwhile is left out."""
    with contextlib.suppress(OSError):
        for link in folder.iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())
