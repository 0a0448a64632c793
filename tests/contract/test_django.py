"""The Django side, under each release: the project's own tests, and those of others' backends.

Each release runs in processes of its own, its packages (scripts/django.sh) in front of .venv's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests/django_project"
RELEASES = ("django52", "django60", "django61")
TOO_OLD = 3

Run = Callable[..., subprocess.CompletedProcess[str]]


def folder(*words: str) -> Path:
    """Return what scripts/django.sh fetches, or skip where Python is too old for it."""
    found = subprocess.run(
        [ROOT / "scripts/django.sh", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if found.returncode == TOO_OLD:
        pytest.skip(found.stderr.strip())
    assert found.returncode == 0, found.stderr
    return Path(found.stdout.strip())


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python(release: str) -> Run:
    """Return a function that runs Python with one release of Django."""
    packages = folder("packages", release)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environment = {
        **kept,
        "PYTHONPATH": f"{packages}:{PROJECT}",
        "PYTHONPYCACHEPREFIX": str(ROOT / "build/django/pycache"),
    }

    def run(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning", *words],
            cwd=PROJECT,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_the_projects_own_tests_pass(python: Run) -> None:
    done = python("manage.py", "test", "tests")
    assert done.returncode == 0, done.stderr[-8000:]
    assert "Ran " in done.stderr
    assert "skipped" not in done.stderr


# How many of the others' tests run against ours on each release, and how many are left out with
# their reasons in tests/django_upstream/differences.py: fewer would be a suite that lost its tests.
DJANGO = {"django52": (67, 18), "django60": (67, 18), "django61": (72, 13)}
DJANGO_TASKS_DB = (29, 66)


def outcome(python: Run, suite: str) -> dict[str, Any]:
    script = ROOT / "tests/django_upstream/run.py"
    done = python(script, suite, folder("tests"))
    assert done.returncode == 0, done.stderr[-8000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == {}
    assert found["stale"] == []
    assert found["skipped"] == {}
    return found


def test_djangos_own_tests_of_its_backends_hold_for_ours(python: Run, release: str) -> None:
    found = outcome(python, "django")
    assert (found["passed"], len(found["left"])) == DJANGO[release]


def test_the_tests_of_a_backend_with_results_hold_for_ours(python: Run) -> None:
    found = outcome(python, "django_tasks_db")
    assert (found["passed"], len(found["left"])) == DJANGO_TASKS_DB
