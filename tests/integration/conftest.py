"""Bring up one emulator and one stack for all integration tests, and take both down again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from integration.harness import ROOT, free_port, run
from stack import Stack


@pytest.fixture(scope="session")
def emulator_port() -> Iterator[int]:
    """Start an emulator on a free port."""
    port = free_port()
    run("scripts/emulator.sh", "up", port=port)
    yield port
    run("scripts/emulator.sh", "down", port=port)


@pytest.fixture(scope="session")
def stack(emulator_port: int) -> Stack:
    """Deploy the environment ``local``, as ``make deploy`` does, and sign in."""
    run("scripts/build.sh", "local", port=emulator_port)
    run("scripts/terraform.sh", "deploy", port=emulator_port)
    found = Stack.local(emulator_port)
    found.sign_in()
    return found


@pytest.fixture
def mailbox(stack: Stack) -> Iterator[Stack]:
    """Return the stack with no faults set, and leave none behind."""
    stack.mailbox("DELETE", "/faults")
    yield stack
    stack.mailbox("DELETE", "/faults")


@pytest.fixture(scope="session")
def aws(emulator_port: int) -> Callable[..., str]:
    """Return a function that runs the aws command as a user of the emulator would."""

    def command(*words: str) -> str:
        found = subprocess.run(
            ["bash", "-euc", 'eval "$(make -s env ENV=local)"; exec aws "$@"', "aws", *words],
            cwd=ROOT,
            env={**os.environ, "EMULATOR_PORT": str(emulator_port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    return command


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what looks at the others' traces last."""
    items.sort(key=lambda item: item.get_closest_marker("order_last") is not None)
