"""Kill the worker processes of one emulator, and do by hand what the sweep does by the clock."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import RetryableError
from sendmill.queue import QueueClient
from sendmill.rate import Account
from sendmill.store import CampaignStore, RecipientStore, WatermarkStore
from sendmill.sweep import Report, Stream, Sweeper
from stack import Stack

# Until then a process imports, reads its first batch and claims it, on a busy machine too.
SPARED_SECONDS = 8.0


def workers_of(stack: Stack, function: str) -> list[int]:
    """Return the processes that run a function on this emulator, and on no other."""
    name = stack.outputs["function_names"][function]
    wanted = {
        f"AWS_LAMBDA_FUNCTION_NAME={name}".encode(),
        f"AWS_ENDPOINT_URL=http://127.0.0.1:{stack.port}".encode(),
    }
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = set((folder / "environ").read_bytes().split(b"\0"))
            except OSError:
                continue
            if wanted <= environment:
                found.append(int(folder.name))
    return found


def age_seconds(pid: int) -> float:
    """Return for how long a process has run; 0 when it is gone."""
    try:
        began = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, IndexError):
        return 0.0
    return up - began / os.sysconf("SC_CLK_TCK")


def kill(processes: Sequence[int]) -> int:
    """Kill processes at once, without a word; return how many there were."""
    killed = 0
    for pid in processes:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1
    return killed


@dataclass
class Killer:
    """Kill a random worker, ``limit`` times, in a thread.

    ``functions`` are asked in a random order, those named more often sooner. ``feed`` is called
    before each kill: it keeps the workers busy. Whoever waits for an answer of SES is the best
    victim (``in_call`` counts them); whoever has just begun is spared, or on a busy machine nobody
    would ever come to do anything. ``missed`` counts what the machine was too busy to answer.
    """

    stack: Stack
    functions: Sequence[str]
    feed: Callable[[], None]
    pauses: tuple[float, float]
    rng: random.Random
    limit: int
    kills: int = 0
    in_call: int = 0
    missed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[Killer]:
        """Kill until the block ends."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while self.kills < self.limit and not self._stop.wait(self.rng.uniform(*self.pauses)):
            try:
                self._once()
            except (OSError, BotoCoreError, ClientError):
                # a busy machine answers late; the killer must not die of that unseen
                self.missed += 1

    def _once(self) -> None:
        self.feed()
        pool = workers_of(self.stack, self.rng.choice(self.functions))
        held = {one["peer_pid"] for one in self.stack.mailbox("GET", "/stats")["held"]}
        waiting = [pid for pid in pool if pid in held]
        victims = waiting or [pid for pid in pool if age_seconds(pid) > SPARED_SECONDS]
        if victims:
            done = kill([self.rng.choice(victims)])
            self.kills += done
            self.in_call += done if waiting else 0


def make_sweeper(stack: Stack, *, ahead_seconds: int) -> Sweeper:
    """Return the real sweep over the emulator, whose clock runs ahead: leases end sooner for it."""
    out = stack.outputs
    dynamodb, sqs = stack.client("dynamodb"), stack.client("sqs")
    queues = QueueClient(
        sqs, dispatch_url=out["dispatch_queue_url"], email_url=out["email_queue_url"]
    )
    marks = WatermarkStore(dynamodb, out["campaigns_table"])

    def clock() -> int:
        return int(time.time()) + ahead_seconds

    return Sweeper(
        ledger=RecipientStore(dynamodb, out["recipients_table"], out["campaigns_table"]),
        book=CampaignStore(dynamodb, out["campaigns_table"]),
        queues=queues,
        stream=lambda: Stream(last_send=marks.read(out["ses_configuration_set"]).settled(clock())),
        account=Account,
        clock=clock,
    )


def sweep_until(
    sweeper: Sweeper, good: Callable[[], bool], *, seconds: float, every: float = 1.0
) -> list[Report]:
    """Sweep again and again until it is good or time is up; return what each sweep did.

    A sweep that the ledger or a queue refuses is one that did not come: the next one does.
    """
    end = time.monotonic() + seconds
    reports: list[Report] = []
    while not good() and time.monotonic() < end:
        try:
            reports.append(sweeper.sweep(owner=f"test-{time.monotonic_ns()}"))
        except RetryableError as error:
            print(f"a sweep failed: {error}")
        time.sleep(every)
    return reports


def recounted(stack: Stack, campaign_id: str) -> dict[str, int]:
    """Return how many rows of the table are in which state, counted one by one."""
    store = RecipientStore(
        stack.client("dynamodb"),
        stack.outputs["recipients_table"],
        stack.outputs["campaigns_table"],
    )
    return {name: count for name, count in store.count_states(campaign_id).items() if count}


def counted(stack: Stack, campaign_id: str) -> dict[str, int]:
    """Return what the campaign's counters say."""
    store = CampaignStore(stack.client("dynamodb"), stack.outputs["campaigns_table"])
    return dict(store.counters(campaign_id))


def mailed(stack: Stack, prefix: str) -> dict[str, int]:
    """Return how often SES took a mail to each address that begins so."""
    found: Any = stack.mailbox("GET", "/stats")["per_recipient"]
    return {address: n for address, n in found.items() if address.startswith(prefix)}
