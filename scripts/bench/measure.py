"""Measure Sendmill beside its peers, in one run, and print the ratios.

    python measure.py            everything, about ten minutes
    python measure.py --quick    one round, in 90 seconds, without the emulator
    python measure.py --only billed,plain,dispatch,cost,cold,pages,tasks,pipeline

Every row is a process of its own against a sink of its own process; rows take turns, and each
figure is the median of its rounds. What others do on the machine meanwhile is printed beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import one
import prices
import share
import units

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MEMORY_MB = 512
SES_SECONDS, AWS_SECONDS = 0.05, 0.005
QUIET = 0.10
ROWS = [
    # design, batch, what it is
    ("powertools", 10, "Powertools BatchProcessor + boto3, one by one, no ledger"),
    ("threads", 10, "boto3 in 10 threads, no ledger"),
    ("threads_ledger", 100, "boto3 in 32 threads, two ledger writes a mail"),
    ("worker", 10, "Sendmill's worker"),
    ("worker", 100, "Sendmill's worker"),
    ("bare", 10, "bare send loop: the limit"),
    ("bare", 100, "bare send loop: the limit"),
]
Found = dict[str, Any]


@dataclass
class Run:
    """Hold how much is measured, and what was found."""

    rounds: int
    seconds: float
    patience: float
    results: dict[str, Any] = field(default_factory=dict)


@dataclass
class Sink:
    """Hold a running sink."""

    process: subprocess.Popen[str]
    port: int
    certificate: str = ""

    def delay(self, ses: float, aws: float) -> None:
        """Hold answers back for so many seconds."""
        self._ask("/_bench/delay", json.dumps({"ses": ses, "aws": aws}).encode())

    def counts(self) -> Mapping[str, int]:
        """Return how many requests came, by kind."""
        return dict(self._ask("/_bench/counts"))

    def recent(self) -> Mapping[str, Sequence[str]]:
        """Return the last bodies, by kind."""
        return dict(self._ask("/_bench/recent"))

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        if self.certificate:
            raise RuntimeError("a sink with TLS is not steered")
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=body)) as answer:
            return json.loads(answer.read())


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    run = Run(rounds=1, seconds=1.0, patience=3) if asked.quick else Run(3, 3.0, 20)
    every = ["billed", "plain", "dispatch", "cost", "cold", "pages", "tasks"] + ["pipeline"] * (
        not asked.quick
    )
    sections = [name for name in asked.only.split(",") if name] or every
    print(machine() + (", at high priority" if share.come_first() else ""))
    with sink() as standing:
        seed(standing)
        limit(standing)
        steps = {"billed": billed, "plain": plain, "dispatch": dispatch, "cost": cost}
        for name in sections:
            if name in steps:
                steps[name](run, standing)
    if "cold" in sections:
        cold(run, quick=asked.quick)
    if "pages" in sections:
        pages = ["--rows=50000"] if asked.quick else []
        subprocess.run([sys.executable, str(HERE / "paging.py"), *pages], check=False)
    if "tasks" in sections:
        options = ["--quick"] if asked.quick else []
        subprocess.run([sys.executable, str(HERE / "tasks.py"), *options], check=False)
    if "pipeline" in sections:
        subprocess.run([sys.executable, HERE / "pipeline.py"], check=False)
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(run.results, indent=1))


def machine() -> str:
    """Say where and with what this runs."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("boto3", "aws-lambda-powertools", "jinja2")
    )
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{time.strftime('%Y-%m-%d')}  {os.cpu_count()} x {cpu}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {packages}, load {os.getloadavg()[0]:.1f}"
    )


@contextlib.contextmanager
def sink(*options: str) -> Iterator[Sink]:
    """Run a sink."""
    process = subprocess.Popen(
        [sys.executable, HERE / "sink.py", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int((process.stdout.readline() if process.stdout else "") or 0)
        yield Sink(process, port)
    finally:
        process.kill()
        process.wait()


def seed(standing: Sink, tls: str | None = None) -> None:
    """Put the campaign and its rows into a sink."""
    environment = {**os.environ, **one.settings(standing.port, tls)}
    code = "import workload; workload.seed(1000)"
    subprocess.run([sys.executable, "-c", code], cwd=HERE, env=environment, check=True)


def limit(standing: Sink) -> None:
    """Print what the sink itself can answer."""
    standing.delay(0, 0)
    before, cpu = standing.counts().get("SendEmail", 0), share.cpu_of(standing.process.pid)
    measure(Run(1, 1.0, 0), standing, "bare", 100, None)
    sent = standing.counts()["SendEmail"] - before
    each = (share.cpu_of(standing.process.pid) - cpu) / max(1, sent)
    print(
        f"The sink takes {each * 1e6:.0f} us of CPU a mail: it answers {1 / each:,.0f} mails/s at "
        "most. No row below comes near.\n"
    )


def measure(
    run: Run, standing: Sink, design: str, batch: int, memory_mb: int | None, tls: str = ""
) -> Found:
    """Run one design once, after waiting a while for a quiet machine."""
    wait_for_quiet(run.patience, standing)
    command = [sys.executable, str(HERE / "one.py"), design, f"--port={standing.port}"]
    command += [f"--batch={batch}", f"--seconds={run.seconds}"] + ([f"--tls={tls}"] if tls else [])
    with contextlib.ExitStack() as stack:
        if memory_mb:
            limit_file = stack.enter_context(share.cpu_share(memory_mb))
            if limit_file is None:
                raise SystemExit(
                    "the CPU share of a Lambda needs a writable cgroup: run this as root, or use "
                    "--only plain,dispatch,cost,cold"
                )
            command.append(f"--limit={limit_file}")
        neighbours = share.Neighbours(own=[standing.process.pid])
        done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
        found: Found = json.loads(done.stdout)
        found["others"] = neighbours.share()
    return found


def wait_for_quiet(seconds: float, standing: Sink) -> None:
    """Wait until others leave the machine alone, or the patience is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        neighbours = share.Neighbours(own=[standing.process.pid])
        time.sleep(0.5)
        if neighbours.share() < QUIET:
            return


def in_turn(
    run: Run, standing: Sink, rows: Sequence[tuple[str, int]], memory_mb: int | None
) -> list[Found]:
    """Measure each row once a round; return the median of each row's figures."""
    rounds: list[list[Found]] = [[] for _ in rows]
    for _ in range(run.rounds):
        for row, (design, batch) in zip(rounds, rows, strict=True):
            row.append(measure(run, standing, design, batch, memory_mb))
    return [median(row) for row in rounds]


def median(found: Sequence[Found]) -> Found:
    """Return the medians; of noisy rounds only where there is no quiet one."""
    quiet = [one_ for one_ in found if one_["others"] < QUIET] or list(found)
    return {
        "per_billed_s": statistics.median(f["mails"] / f["billed_ms"] * 1000 for f in quiet),
        "per_s": statistics.median(f["mails"] / f["wall_s"] for f in quiet),
        "cpu_ms": statistics.median(f["cpu_s"] / f["mails"] * 1000 for f in quiet),
        "init_ms": statistics.median(f["init_s"] * 1000 for f in quiet),
        "rss_mib": statistics.median(f["rss_mib"] for f in quiet),
        "others": max(f["others"] for f in quiet),
        "quiet": len([f for f in found if f["others"] < QUIET]),
        "rounds": len(found),
    }


def billed(run: Run, standing: Sink) -> None:
    """Print mails per billed second at the CPU share of a Lambda."""
    standing.delay(SES_SECONDS, AWS_SECONDS)
    found = in_turn(run, standing, [row[:2] for row in ROWS], MEMORY_MB)
    part = MEMORY_MB / share.CORE_MB
    print(
        f"MAILS PER BILLED LAMBDA-SECOND: {MEMORY_MB} MB ({part:.2f} of a core), "
        f"SES answers after {SES_SECONDS * 1000:.0f} ms, DynamoDB after {AWS_SECONDS * 1000:.0f} ms"
    )
    base = found[0]["per_billed_s"]
    print(
        f"{'':<58}{'batch':>6}{'mails/s':>9}{'ratio':>8}{'CPU ms':>8}{'start ms':>10}{'MiB':>5}"
        f"{'others':>8}{'quiet':>7}"
    )
    for (_, batch, text), row in zip(ROWS, found, strict=True):
        print(
            f"{text:<58}{batch:>6}{row['per_billed_s']:>9.1f}{row['per_billed_s'] / base:>7.1f}x"
            f"{row['cpu_ms']:>8.2f}{row['init_ms']:>10.0f}{row['rss_mib']:>5.0f}"
            f"{row['others']:>8.0%}{row['quiet']:>5}/{row['rounds']}"
        )
    named = {(design, batch): row for (design, batch, _), row in zip(ROWS, found, strict=True)}
    for batch in (10, 100):
        worker, bare = named["worker", batch], named["bare", batch]
        reached = worker["per_billed_s"] / bare["per_billed_s"]
        times = worker["cpu_ms"] / bare["cpu_ms"]
        print(
            f"  batch {batch}: the worker reaches {reached:.0%} of the bare loop, "
            f"with {times:.1f} times its CPU"
        )
    run.results["billed"] = {f"{d}-{b}": row for (d, b), row in named.items()}
    print()
    if run.rounds > 1:
        over_tls(run)


def over_tls(run: Run) -> None:
    """Print what TLS adds: the same worker, certificates checked."""
    sys.path.insert(0, str(ROOT / "scripts/emulator"))
    from smtp_certificate import make_certificates

    with tempfile.TemporaryDirectory() as folder:
        made = make_certificates(Path(folder))
        options = (f"--certificate={made.chain}", f"--key={made.key}")
        delays = (f"--ses={SES_SECONDS}", f"--aws={AWS_SECONDS}")
        with sink(*options, *delays) as standing:
            seed(standing, str(made.authority))
            for batch in (10, 100):
                found = [
                    measure(run, standing, "worker", batch, MEMORY_MB, str(made.authority))
                    for _ in range(run.rounds)
                ]
                row = median(found)
                print(
                    f"  over TLS, batch {batch}: {row['per_billed_s']:.1f} mails/s, "
                    f"{row['cpu_ms']:.2f} ms of CPU a mail"
                )
                run.results[f"tls-{batch}"] = row
    print()


def plain(run: Run, standing: Sink) -> None:
    """Print mails a second on a whole core when nothing is waited for."""
    standing.delay(0, 0)
    found = in_turn(run, standing, [row[:2] for row in ROWS], None)
    print("MAILS A SECOND ON A WHOLE CORE, no latency at all")
    print(f"{'':<58}{'batch':>6}{'mails/s':>9}{'ratio':>8}{'CPU s per 1,000':>17}{'others':>8}")
    base = found[0]["per_s"]
    for (_, batch, text), row in zip(ROWS, found, strict=True):
        print(
            f"{text:<58}{batch:>6}{row['per_s']:>9.0f}{row['per_s'] / base:>7.1f}x"
            f"{row['cpu_ms']:>17.3f}{row['others']:>8.0%}"
        )
    run.results["plain"] = {f"{d}-{b}": row for (d, b, _), row in zip(ROWS, found, strict=True)}
    print()


def dispatch(run: Run, standing: Sink) -> None:
    """Print how fast a campaign is fanned out."""
    print("DISPATCH: messages a second into the e-mail queue, on a whole core")
    print(f"{'':<58}{'0 ms':>9}{'ratio':>7}{'CPU ms':>8}{'5 ms':>9}{'ratio':>7}{'others':>8}")
    texts = {
        "bare": "bare SendMessageBatch, boto3 in 4 threads: the limit",
        "queue": "Sendmill's queue client",
        "chunk": "Sendmill's whole job: rows written, messages queued",
    }
    found: dict[tuple[str, float], list[Found]] = {}
    for _ in range(run.rounds):
        for seconds in (0.0, AWS_SECONDS):
            standing.delay(0, seconds)
            for what in texts:
                found.setdefault((what, seconds), []).append(dispatch_once(run, standing, what))
    rates = {
        key: statistics.median(f["messages"] / f["wall_s"] for f in rows)
        for key, rows in found.items()
    }
    for what, text in texts.items():
        rows = found[what, 0.0]
        cpu = statistics.median(f["cpu_s"] / f["messages"] * 1000 for f in rows)
        others = max(f["others"] for f in [*rows, *found[what, AWS_SECONDS]])
        at_once, late = rates[what, 0.0], rates[what, AWS_SECONDS]
        print(
            f"{text:<58}{at_once:>9,.0f}{at_once / rates['bare', 0.0]:>6.2f}x{cpu:>8.3f}"
            f"{late:>9,.0f}{late / rates['bare', AWS_SECONDS]:>6.2f}x{others:>8.0%}"
        )
        run.results[f"dispatch-{what}"] = {"0ms": at_once, "5ms": late, "cpu_ms": cpu}
    print()


def dispatch_once(run: Run, standing: Sink, what: str) -> Found:
    """Measure one way of queueing once."""
    wait_for_quiet(run.patience, standing)
    neighbours = share.Neighbours(own=[standing.process.pid])
    command = [sys.executable, str(HERE / "dispatching.py"), what, f"--port={standing.port}"]
    command += [f"--seconds={run.seconds}"]
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    found: Found = json.loads(done.stdout)
    found["others"] = neighbours.share()
    return found


def cost(run: Run, standing: Sink) -> None:
    """Print what a million mails cost at list prices, from what was measured."""
    standing.delay(0, 0)
    for batch in (10, 100):
        if "billed" not in run.results:
            print("COST: needs the billed rows; run them too")
            return
        before = standing.counts()
        found = measure(Run(1, 0.2, 0), standing, "worker", batch, None)
        after, recent = standing.counts(), standing.recent()
        calls = {name: after[name] - before.get(name, 0) for name in after}
        made = found["invocations"] + one.WARM_UP
        usage = use_of(recent, calls, batch, made)
        usage["billed_ms"] = 1000 / run.results["billed"][f"worker-{batch}"]["per_billed_s"]
        usage["log_bytes"] = found["log_bytes"] / found["mails"]
        rate = run.results.get("dispatch-chunk", {}).get("5ms")
        usage["dispatch_ms"] = 1000 / rate if rate else 0.0
        prices.show(batch, usage, MEMORY_MB)
        run.results[f"cost-{batch}"] = usage
    print()


def use_of(
    recent: Mapping[str, Sequence[str]], calls: Mapping[str, int], batch: int, invocations: int
) -> dict[str, float]:
    """Return what one mail uses of DynamoDB, from the bodies that the sink has seen."""
    rows = {
        item["sk"]["S"]: item for item in (json.loads(body)["Item"] for body in recent["PutItem"])
    }
    (example,) = list(rows.values())[-1:]
    standing = _Everyone(example)
    transactions = recent["TransactWriteItems"][-8:]
    per_batch = calls["TransactWriteItems"] / invocations
    writes = statistics.mean(units.transaction_units(body, standing) for body in transactions)
    reads = statistics.mean(
        units.read_units(body, standing) for body in recent["BatchGetItem"][-8:]
    )
    return {
        "dispatch_wru": units.put_units(recent["PutItem"][-1]),
        "worker_wru": (writes * per_batch + calls.get("UpdateItem", 0) / invocations) / batch,
        "worker_rru": reads * calls["BatchGetItem"] / invocations / batch,
    }


class _Everyone(dict[str, units.Item]):
    """Stand for the rows of everybody: they differ by a few bytes only."""

    def __init__(self, example: units.Item) -> None:
        super().__init__()
        self._example = example

    def get(self, key: str, default: Any = None) -> Any:
        """Return the example for a recipient, the default for anything else."""
        return self._example if key.startswith("R#") else default


def cold(run: Run, *, quick: bool) -> None:
    """Print what a cold start costs."""
    if not (ROOT / "build/local/functions").is_dir():
        print("COLD START: skipped, nothing is built; run `make build TARGET=local` first\n")
        return
    print("COLD START: imports from the built zips, milliseconds")
    command = [sys.executable, str(ROOT / "scripts/cold_start.py"), f"--runs={3 if quick else 9}"]
    subprocess.run(command, check=True)
    print()


if __name__ == "__main__":
    main()
