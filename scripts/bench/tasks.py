"""Measure background tasks beside their peers: what a send costs, and how many a worker runs.

    python tasks.py [--quick]

A send is timed against the bare ``send_message`` of boto3 with the same body, turn by turn in one
process, against a sink that answers at once. A worker runs tasks that append one byte to a file,
in two processes: ours by the handler that Lambda calls, with a receipt claimed and completed for
each task; Celery's by prefork with Redis as its broker. Lambda receives and deletes for us, so the
row says what the code costs, not what a whole system does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import one

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROCESSES = 2
BATCH = 10
TURN = 50
PATIENCE_SECONDS = 60


def main() -> None:
    """Measure, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", choices=["send", "run"])
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--receipts", default="")
    asked = parser.parse_args()
    if asked.one == "send":
        print(json.dumps(send(asked.count)))
    elif asked.one == "run":
        run(asked.count, asked.receipts)
    else:
        measure(2_000 if asked.quick else 6_000)


def measure(count: int) -> None:
    """Print every row."""
    print(f"BACKGROUND TASKS (load before: {os.getloadavg()[0]:.1f})")
    print(f"  import sendmill.tasks: {imported():.1f} ms, median of 9 fresh processes")
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        environment = environment_of(port)
        found = json.loads(child(["--one=send", f"--count={count // 3}"], environment))
        print(
            f"  send, median: bare send_message {found['bare'] * 1e6:,.0f} us, task.send() "
            f"{found['ours'] * 1e6:,.0f} us: {found['ours'] / found['bare']:.2f}x, "
            f"{(found['ours'] - found['bare']) * 1e6:+,.0f} us"
        )
        rates = {}
        for name, receipts in (
            ("no receipts", ""),
            ("receipts by boto3", "boto3"),
            ("receipts by the lean client", "lean"),
        ):
            marks = Path(folder) / f"marks-{receipts}"
            rates[name] = workers(count, receipts, {**environment, "MARKS": str(marks)}, marks)
            print(f"  {PROCESSES} workers, {name}: {rates[name]:,.0f} tasks/s", flush=True)
        peer = celery(count, Path(folder))
    if peer:
        delay, rate = peer
        print(f"  Celery prefork {PROCESSES} + Redis: {rate:,.0f} tasks/s, delay() {delay:,.0f} us")
        ratios = ", ".join(f"{name} {ours / rate:.2f}x" for name, ours in rates.items())
        print(f"  ratios to Celery: {ratios}; send {found['ours'] * 1e6 / delay:.2f}x its time")
    print()


def imported() -> float:
    """Return the milliseconds of the import, the interpreter's own start left out."""
    code = (
        "import time; a = time.perf_counter(); import sendmill.tasks; "
        "print((time.perf_counter() - a) * 1000)"
    )
    path = str(ROOT / "layers/sendmill/python")
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": path}
    times = [
        float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
        for _ in range(10)
    ]
    return statistics.median(times[1:])


def send(count: int) -> dict[str, float]:
    """Return the medians of a bare send and of ours, turn by turn."""
    from sendmill.tasks import task
    from sendmill.tasks.clients import client

    @task(name="mark")
    def mark(number: int) -> None: ...

    mark.send(0)
    url = os.environ["AWS_SQS_QUEUE_URL"]
    bare = client("sqs", "us-east-1", connect_timeout=0.8, read_timeout=1.8, attempts=1)
    body = event([0])["Records"][0]["body"]
    spent: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(count * 2 // TURN):
        name = ("bare", "ours")[turn % 2]
        call: Callable[[], Any] = (
            (lambda: bare.send_message(QueueUrl=url, MessageBody=body))
            if name == "bare"
            else (lambda: mark.send(5))
        )
        for _ in range(TURN):
            begun = time.perf_counter()
            call()
            spent[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in spent.items()}


def run(count: int, receipts: str) -> None:
    """Be a worker: say that it is ready, wait for a line, run so many tasks."""
    from sendmill.tasks import configure, lambda_handler, task
    from sendmill.tasks.receipts.dynamodb import DynamoReceipts

    marks = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @task(name="mark")
    def mark(number: int) -> None:
        os.write(marks, b".")

    if receipts:
        store = DynamoReceipts("receipts", dynamodb=lean() if receipts == "lean" else None)
        configure(receipts=store)
    events = [event(range(n, n + BATCH)) for n in range(0, count, BATCH)]
    lambda_handler(event([-1]), None)
    print("ready", flush=True)
    sys.stdin.readline()
    for one_event in events:
        answer = lambda_handler(one_event, None)
        if answer["batchItemFailures"]:
            raise SystemExit(f"failed: {answer}")


def lean() -> Any:
    """Return the client that the functions call DynamoDB with for every batch."""
    from sendmill.aws import hot_dynamodb

    return hot_dynamodb()


def event(numbers: Sequence[int]) -> dict[str, Any]:
    """Return a batch of tasks as SQS hands it to a Lambda."""
    from datetime import UTC, datetime

    from sendmill.tasks.envelope import Envelope, write
    from sendmill.tasks.uuid7 import new_id

    now = datetime.now(UTC)
    return {
        "Records": [
            {
                "messageId": new_id(),
                "receiptHandle": "handle",
                "body": write(Envelope(id=new_id(), task="mark", args=(n,), enqueued_at=now)),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795400000000"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:tasks",
            }
            for n in numbers
        ]
    }


def workers(count: int, receipts: str, environment: dict[str, str], marks: Path) -> float:
    """Return the tasks a second of all workers together."""
    each = count // PROCESSES
    command = [sys.executable, str(HERE / "tasks.py"), "--one=run", f"--count={each}"]
    running = [
        subprocess.Popen(
            [*command, f"--receipts={receipts}"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in running:
        assert process.stdout  # noqa: S101  asked for
        assert process.stdin  # noqa: S101
        process.stdout.readline()
    for process in running:
        assert process.stdin  # noqa: S101
        process.stdin.write("\n")
        process.stdin.close()
    rate = counted(marks, each * PROCESSES)
    for process in running:
        process.wait()
    return rate


def counted(marks: Path, count: int) -> float:
    """Return the rate between the first tenth of the marks and the last mark."""
    started = (0, time.perf_counter())
    end = time.perf_counter() + PATIENCE_SECONDS
    while True:
        size, now = (marks.stat().st_size if marks.exists() else 0), time.perf_counter()
        if not started[0] and size >= count // 10:
            started = (size, now)
        if size >= count:
            return (size - started[0]) / (now - started[1])
        if now > end:
            raise SystemExit(f"{size} of {count} tasks ran in {PATIENCE_SECONDS} s")
        time.sleep(0.002)


def celery(count: int, folder: Path) -> tuple[float, float] | None:
    """Return the microseconds of a delay() and the tasks a second, or None without a Celery."""
    python, redis = ROOT / "build/bench/venv/bin/python", shutil.which("redis-server")
    if redis is None or not python.exists():
        print("  Celery: skipped, it needs redis-server and the environment of scripts/bench.sh")
        return None
    from pipeline import free_port, program

    port, marks = free_port(), folder / "marks-celery"
    environment = {
        **os.environ,
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "MARKS": str(marks),
        "PYTHONPATH": "",
    }
    with contextlib.ExitStack() as running:
        broker = [redis, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        running.enter_context(program([*broker, "--dir", str(folder)], environment))
        time.sleep(0.5)
        queue = [str(python), "celery_peer.py", "marks", str(count)]
        said = subprocess.run(
            queue, cwd=HERE, env=environment, check=True, capture_output=True, text=True
        )
        worker = [str(python), "-m", "celery", "-A", "celery_peer", "worker", "-lERROR"]
        worker += [f"-c{PROCESSES}", "--pool=prefork", "--without-gossip", "--without-mingle"]
        running.enter_context(program(worker, environment))
        return float(said.stdout) * 1e6, counted(marks, count)


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Run a sink that answers at once; yield its port."""
    command = [sys.executable, str(HERE / "sink.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int((process.stdout.readline() if process.stdout else "") or 0)
    finally:
        process.kill()
        process.wait()


def environment_of(port: int) -> dict[str, str]:
    """Return what leads to the sink and nowhere else."""
    paths = [str(ROOT / "layers/sendmill/python"), str(HERE)]
    return {
        **os.environ,
        **one.settings(port),
        "PYTHONPATH": ":".join(paths),
        "USE_ASYNC_TASKS": "true",
        "AWS_SQS_QUEUE_URL": f"http://127.0.0.1:{port}/000000000000/tasks",
        "AWS_SQS_REGION": "us-east-1",
    }


def child(words: Sequence[str], environment: dict[str, str]) -> str:
    """Run this program as another process; return what it printed."""
    command = [sys.executable, str(HERE / "tasks.py"), *words]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    main()
