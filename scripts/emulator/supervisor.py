"""Start, stop and show the emulator and the SES stand-in beside it (see scripts/emulator.sh).

    python supervisor.py up|down|status|logs --build DIR --port N --ses-port N [--auth]
        [--record-calls]

Both run in sessions of their own, detached, with an environment made from nothing: functions
inherit the emulator's whole environment, and no setting of the person's may reach them. What runs
is recorded with its start time in `build/emulator-<port>/processes.json`; only a process that is
provably the recorded one is ever signalled. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from process import Process, start_time, stop

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Where the emulator listens and keeps its files."""

    build: Path
    port: int
    ses_port: int
    auth: bool = False
    record_calls: bool = False
    log_level: str = "INFO"

    @property
    def folder(self) -> Path:
        """Logs, mailbox, record and temporary files."""
        return self.build / f"emulator-{self.port}"

    @property
    def record(self) -> Path:
        """The list of what was started."""
        return self.folder / "processes.json"

    @property
    def url(self) -> str:
        """Where AWS answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def ses_url(self) -> str:
        """Where SES answers."""
        return f"http://{HOST}:{self.ses_port}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the emulator, and so of every function in it."""
        absent = str(self.folder / "absent")
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
            "DOCKER_HOST": f"unix://{absent}",
            "AUTH": str(self.auth).lower(),
            **({"RECORD_CALLS": str(self.folder / "calls.jsonl")} if self.record_calls else {}),
            "LOG_LEVEL": self.log_level,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_SESV2": self.ses_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": absent,
            "AWS_SHARED_CREDENTIALS_FILE": absent,
        }


def up(setup: Setup) -> None:
    """Start both unless they run already; return when both answer."""
    with _only_one(setup):
        running = [process for process in recorded(setup) if process.alive()]
        if len(running) == 2:
            _already_up(setup, running)
            return
        stop(running)
        _require_free(setup.port, "EMULATOR_PORT")
        _require_free(setup.ses_port, "EMULATOR_SES_PORT")
        _empty_folders(setup)
        started: list[Process] = []
        try:
            for name, command in _commands(setup).items():
                started.append(_start(setup, name, command))
                setup.record.write_text(json.dumps([asdict(p) for p in started], indent=1))
            _wait_ready(setup, started)
        except BaseException:
            stop(started)
            raise
        print(f"emulator: up on {setup.url}, mailbox {setup.ses_url}/_standin/")


def down(setup: Setup) -> None:
    """Stop what `up` started, workers included, and remove their temporary files."""
    with _only_one(setup):
        running = [process for process in recorded(setup) if process.alive()]
        stop(running)
        setup.record.unlink(missing_ok=True)
        for name in ("tmp", "home"):
            shutil.rmtree(setup.folder / name, ignore_errors=True)
        print(f"emulator: {'down' if running else 'not running'} on port {setup.port}")


def status(setup: Setup) -> None:
    """Print what runs; exit 1 unless both are there and answer."""
    running = {process.name: process for process in recorded(setup) if process.alive()}
    healthy = True
    for name, url in _health(setup).items():
        process = running.get(name)
        answers = process is not None and _answers(url)
        healthy = healthy and answers
        state = "running" if answers else "not answering" if process else "not running"
        print(f"{name}: {state}{f', pid {process.pid}, {url}' if process else ''}")
    sys.exit(0 if healthy else 1)


def logs(setup: Setup) -> None:
    """Show the last lines of both logs."""
    files = [str(path) for path in sorted(setup.folder.glob("*.log"))]
    if not files:
        fail(f"no logs in {setup.folder}: the emulator has not run on port {setup.port}")
    os.execvp("tail", ["tail", "-n", "60", *files])  # noqa: S606 - a list, no shell


def recorded(setup: Setup) -> list[Process]:
    """Return what was started last; nothing when the record is missing or unreadable."""
    try:
        return [Process(**entry) for entry in json.loads(setup.record.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def fail(sentence: str) -> NoReturn:
    """Exit with one sentence."""
    sys.exit(f"emulator: {sentence}")


def _already_up(setup: Setup, running: list[Process]) -> None:
    ports = {process.name: process.port for process in running}
    if ports.get("ses") != setup.ses_port or running[0].auth != setup.auth:
        fail(
            f"already up on port {setup.port} with other settings (SES port {ports.get('ses')}, "
            f"auth {running[0].auth}): run 'scripts/emulator.sh down' first"
        )
    print(f"emulator: already up on {setup.url}, mailbox {setup.ses_url}/_standin/")


def _require_free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        taken = probe.connect_ex((HOST, port)) == 0
    if not taken:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                taken = True
    if taken:
        fail(f"port {port} is taken by another program: stop it, or set {variable} to a free port")


def _empty_folders(setup: Setup) -> None:
    for name in ("tmp", "home"):
        shutil.rmtree(setup.folder / name, ignore_errors=True)
        (setup.folder / name).mkdir(parents=True)


def _commands(setup: Setup) -> dict[str, list[str]]:
    return {
        "ministack": ["launcher.py"],
        "ses": [
            *("ses_standin.py", "--port", str(setup.ses_port)),
            *("--upstream", setup.url, "--mailbox", str(setup.folder / "mailbox")),
            *(("--enforce-iam",) if setup.auth else ()),
            *(("--record", str(setup.folder / "calls-ses.jsonl")) if setup.record_calls else ()),
        ],
    }


def _health(setup: Setup) -> dict[str, str]:
    return {
        "ministack": f"{setup.url}/_ministack/health",
        "ses": f"{setup.ses_url}/_standin/health",
    }


def _start(setup: Setup, name: str, command: list[str]) -> Process:
    """Start detached: a session of its own, no input, no descriptor of ours but the log."""
    with (setup.folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, str(HERE / command[0]), *command[1:]],
            env=setup.environment(),
            cwd=setup.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    port = setup.port if name == "ministack" else setup.ses_port
    return Process(
        name=name, pid=child.pid, started=start_time(child.pid), port=port, auth=setup.auth
    )


def _wait_ready(setup: Setup, started: list[Process]) -> None:
    waiting = _health(setup)
    deadline = time.monotonic() + READY_SECONDS
    while waiting:
        for process in started:
            if not process.alive():
                log = setup.folder / f"{process.name}.log"
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                fail(f"{process.name} stopped at once ({' '.join(last) or 'no output'}): see {log}")
        waiting = {name: url for name, url in waiting.items() if not _answers(url)}
        if waiting and time.monotonic() > deadline:
            fail(f"{', '.join(waiting)} not ready after {READY_SECONDS:.0f} s: see {setup.folder}")
        time.sleep(0.05 if waiting else 0)


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextlib.contextmanager
def _only_one(setup: Setup) -> Iterator[None]:
    """Let one command at a time touch this port's emulator."""
    setup.folder.mkdir(parents=True, exist_ok=True)
    with (setup.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Read the command line and do it."""
    commands = {"up": up, "down": down, "status": status, "logs": logs}
    parser = argparse.ArgumentParser(description="the embedded emulator")
    parser.add_argument("command", choices=commands)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ses-port", type=int, required=True)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--record-calls", action="store_true", help="see calls.py")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    setup = Setup(
        build=arguments.build.resolve(),
        port=arguments.port,
        ses_port=arguments.ses_port,
        auth=arguments.auth,
        record_calls=arguments.record_calls,
        log_level=arguments.log_level.upper(),
    )
    commands[arguments.command](setup)


if __name__ == "__main__":
    main()
