"""Terraform's own tests: the real provider, planned offline, in both partitions."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not on the PATH"),
]


def run(verb: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts/terraform.sh"), verb]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["fmt-check", "validate"])
def test_code_is_formatted_and_valid(verb: str) -> None:
    done = run(verb)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_every_promise_holds() -> None:
    done = run("test")
    assert done.returncode == 0, done.stdout + done.stderr
    files = len(list((ROOT / "terraform/tests").glob("*.tftest.hcl")))
    assert done.stdout.count(".tftest.hcl... pass") == files
