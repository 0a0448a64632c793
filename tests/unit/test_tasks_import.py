"""Importing the tasks is cheap: the name alone loads nothing, declaring a task no third party."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "layers/sendmill/python"
HEAVY = {"boto3", "botocore", "pydantic", "django", "jinja2", "msgspec", "asyncio"}
OURS = {"typing", "__future__", "sendmill"}


def printed(script: str) -> str:
    """Return what a script prints in a fresh interpreter."""
    found = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(PACKAGE), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after some code, and had not before."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    return set(printed(script).split())


def test_the_package_alone_loads_nothing_but_itself() -> None:
    roots = {name.partition(".")[0] for name in loaded_by("import sendmill.tasks")}
    assert roots - OURS <= sys.stdlib_module_names
    assert {"dataclasses", "inspect", "logging"} & roots == set()


@pytest.mark.parametrize(
    "code",
    [
        "from sendmill.tasks import task, sqs_client, register_handler\n"
        "@task(name='add')\n"
        "def add(a: int) -> int: return a\n"
        "assert add.send(1).value == 1",
        "from sendmill.tasks import lambda_handler\nlambda_handler({'Records': []}, None)",
        "import sendmill.tasks as t\n[getattr(t, name) for name in t.__all__]",
        "from sendmill.tasks.testing import recorded_tasks",
        # what an unknown name has a sender import
        "import sendmill.tasks.builtin",
    ],
)
def test_declaring_running_and_recording_tasks_loads_no_third_party(code: str) -> None:
    roots = {name.partition(".")[0] for name in loaded_by(code)}
    assert not roots & HEAVY
    assert roots - OURS <= sys.stdlib_module_names | {"_contextvars"}


def test_every_name_that_is_promised_is_there() -> None:
    import sendmill.tasks

    assert sorted(sendmill.tasks.__all__) == sorted(set(sendmill.tasks._WHERE))
    for name in sendmill.tasks.__all__:
        assert hasattr(sendmill.tasks, name), name
