"""Send 3,000 mails through the whole stack on the emulator, beside it through Celery; then read.

Both sides mail to the same stand-in for SES, one after the other. The emulator pays on one machine
for the API, SQS, DynamoDB and Lambda at once, and Celery for Redis alone and for no ledger; the
row says what a laptop does, not what AWS does. At last the routes that read are asked, the pages of
those 3,000 among them.

    python pipeline.py [--mails N]

Environment: BENCH_PORT   port of an emulator of its own (default 4650)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import load  # noqa: E402  it is found by the line above
import paging  # noqa: E402  the same

from stack import Stack, local_environment  # noqa: E402

PATIENCE_SECONDS = 300
WORKERS = 2


def main() -> int:
    """Measure both; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=3000)
    mails = parser.parse_args().mails
    port = int(os.environ.get("BENCH_PORT", "4650"))
    print(f"WHOLE PIPELINE, {mails:,} mails on this machine, into the same stand-in for SES")
    with emulator(port):
        stack = Stack.local(port)
        stack.sign_in()
        load_before = os.getloadavg()[0]
        ours = sendmill(stack, mails)
        print(f"  Sendmill on the emulator: {ours:,.0f} mails/s, start to last mail", flush=True)
        theirs = celery(stack, mails)
        if theirs:
            print(f"  Celery prefork {WORKERS} + Redis, no ledger: {theirs:,.0f} mails/s")
            print(f"  ratio {ours / theirs:.2f}x (load before: {load_before:.1f})")
        print()
        paging.show_routes(stack)
    return 0


@contextlib.contextmanager
def emulator(port: int) -> Iterator[None]:
    """Run an emulator with the stack deployed to it."""
    environment = {**os.environ, "ENV": "local", "EMULATOR_PORT": str(port), "CI": "true"}
    log = ROOT / "build/logs/bench-pipeline.log"
    log.parent.mkdir(parents=True, exist_ok=True)

    def run(*command: str) -> None:
        with log.open("ab") as out:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=out, stderr=out, check=False
            )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed: see {log.relative_to(ROOT)}")

    run("scripts/emulator.sh", "up")
    try:
        run("scripts/build.sh", "local")
        run("scripts/terraform.sh", "deploy")
        yield
    finally:
        run("scripts/emulator.sh", "down")


def sendmill(stack: Stack, mails: int) -> float:
    """Return mails a second, from the start of the campaign to its last mail."""
    campaign = load.start(stack, mails)
    begun = time.monotonic()
    campaign, _ = load.watch(stack, campaign["campaign_id"])
    if campaign["states"] != {"accepted": mails}:
        raise SystemExit(f"the campaign ended with {campaign['states']}")
    return mails / (time.monotonic() - begun)


def celery(stack: Stack, mails: int) -> float:
    """Return mails a second, from the first that is queued to the last that is sent."""
    python = ROOT / "build/bench/venv/bin/python"
    redis = shutil.which("redis-server")
    if redis is None or not python.exists():
        print("  Celery: skipped, it needs redis-server and the environment of scripts/bench.sh")
        return 0.0
    port = free_port()
    environment = {
        **os.environ,
        **local_environment(stack.port),
        "AWS_ENDPOINT_URL": stack.mailbox_url.removesuffix("/_standin"),
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
    }
    with contextlib.ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        broker = [redis, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        running.enter_context(program(broker, environment))
        worker = [python, "-m", "celery", "-A", "celery_peer", "worker", f"-c{WORKERS}", "-lERROR"]
        running.enter_context(program([*map(str, worker), "--pool=prefork"], environment))
        queue = [str(python), "celery_peer.py"]
        subprocess.run(
            [*queue, "20"], cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        settled(stack, 20, delivered(stack))
        before, begun = delivered(stack), time.monotonic()
        subprocess.run(
            [*queue, str(mails)], cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        settled(stack, mails, before)
        return mails / (time.monotonic() - begun)


def settled(stack: Stack, mails: int, before: int) -> None:
    """Wait until so many more mails have arrived, or nothing more comes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while delivered(stack) < before + mails:
        if time.monotonic() > until:
            raise SystemExit("Celery did not deliver every mail")
        time.sleep(0.2)


def delivered(stack: Stack) -> int:
    """Return how many mails the stand-in has taken."""
    return int(stack.mailbox("GET", "/stats")["accepted"])


@contextlib.contextmanager
def program(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a program beside this one."""
    running = subprocess.Popen(
        command, cwd=HERE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
