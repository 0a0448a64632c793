"""A deploy that is killed, one with nothing to do, and what `make status` says of the stack."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from integration.harness import ROOT, eventually, run
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def deploy(port: int, *verb: str, **more: str) -> subprocess.Popen[str]:
    settings = {"ENV": "local", "EMULATOR_PORT": str(port), "CI": "true", "LOCK_TIMEOUT": "0s"}
    return subprocess.Popen(
        ["scripts/terraform.sh", *(verb or ("deploy",))],
        cwd=ROOT,
        env={**os.environ, **settings, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_killed_deploy_leaves_a_lock_that_the_next_run_explains(
    stack: Stack, emulator_port: int
) -> None:
    lock = "env:/local/sendmill.tfstate.tflock"
    s3 = stack.client("s3")

    def locked() -> bool:
        found = s3.list_objects_v2(Bucket="sendmill-local-terraform-state", Prefix=lock)
        return bool(found.get("Contents"))

    first = deploy(emulator_port)
    eventually(locked, bool, seconds=60, what="a deploy locks the state")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert locked()

    told, _ = deploy(emulator_port).communicate(timeout=120)
    advice = re.search(r"`make unlock ENV=local ID=([0-9a-f-]{36})`", told)
    assert advice, told
    assert "The state of local is locked by a run that still works or was killed" in told

    deploy(emulator_port, "unlock", ID=advice[1]).communicate(timeout=60)
    assert not locked()
    told, _ = deploy(emulator_port).communicate(timeout=180)
    assert told.endswith("local: nothing to change.\n")


def test_status_shows_every_queue_and_every_function(stack: Stack, emulator_port: int) -> None:
    told = run("scripts/operate.sh", "status", port=emulator_port)
    for name in stack.outputs["function_names"]:
        assert re.search(rf"^{name} +\S+ +20", told, flags=re.MULTILINE), told
    assert re.search(r"^email +\d+ +\d+ +\d+ +\S+( s)? +\d+$", told, flags=re.MULTILINE), told
    assert f"release {stack.outputs['release']}" in told


def test_logs_and_dead_letters_are_read_through_the_outputs(
    stack: Stack, emulator_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing in: " in run("scripts/operate.sh", "dead-letters", port=emulator_port)
    for name, value in (("FOLLOW", "0"), ("SINCE", "1h"), ("FUNCTION", "sweep")):
        monkeypatch.setenv(name, value)
    assert " sweep " in run("scripts/operate.sh", "logs", port=emulator_port)
