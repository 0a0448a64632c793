"""Run the tests of others against our backend; print what became of each as JSON.

Usage: run.py django|django_tasks_db FOLDER   (PYTHONPATH: a release of Django; FOLDER: tests)
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import json
import logging
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0:0] = [str(HERE)]

import differences  # noqa: E402
import translation  # noqa: E402


def main(suite: str, folder: Path) -> int:
    """Run a suite."""
    configure("ours.OnceBackend" if suite == "django" else "django_tasks_db.DatabaseBackend")
    prepare = prepare_django if suite == "django" else prepare_tasks_db
    names = prepare(folder)
    reasons = differences_of(suite)
    outcome = run(names, reasons)
    print(json.dumps(outcome))
    return 0


def configure(backend: str) -> None:
    """Set Django up with as little as possible."""
    import django
    from django.conf import settings

    from sendmill.tasks.transports.memory import MemoryTransport

    tasks_app = ["django_tasks"] if translation.is_52() else []
    settings.configure(
        SECRET_KEY="upstream",
        INSTALLED_APPS=[*tasks_app, "sendmill.contrib.django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SENDMILL={"transport": MemoryTransport(), "default_from_email": ""},
        TASKS={"default": {"BACKEND": backend}},
    )
    django.setup()


def prepare_django(folder: Path) -> list[str]:
    """Lay out Django's tests/tasks as the package ``tasks``."""
    modules = [path.stem for path in (folder / "tasks").glob("*.py") if path.stem != "__init__"]
    translation.install(
        {
            "tasks": (folder / "tasks/__init__.py", ()),
            **{
                f"tasks.{name}": (folder / f"tasks/{name}.py", translation.OURS) for name in modules
            },
        }
    )
    return [f"tasks.{name}" for name in modules if name.startswith("test_")]


def prepare_tasks_db(folder: Path) -> list[str]:
    """Lay out django-tasks-db's tests, and our backend under its name."""
    import tasks_db

    tasks_db.install()
    package = folder / "tasks/__init__.py"
    translation.install(
        {
            "tests": (package, ()),
            "tests.tasks": (folder / "tasks/tasks.py", translation.TASKS_OF_DB),
            "tests.tests": (folder / "tests.py", translation.TASKS_DB),
        }
    )
    return ["tests.tests"]


def differences_of(suite: str) -> dict[str, str]:
    """Return the tests that do not hold for us on this release, each with its reason."""
    import django

    if suite != "django":
        return differences.DJANGO_TASKS_DB
    old = differences.BEFORE_61 if django.VERSION < (6, 1) else {}
    return {**differences.DJANGO, **old}


def run(names: list[str], reasons: dict[str, str]) -> dict[str, object]:
    """Run modules in Django's runner; return the outcome of each test."""
    from django.test.runner import DiscoverRunner

    found = [
        *tests_of(unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromName, names)))
    ]
    left = {test.id(): why for test in found if (why := reason_of(test.id(), reasons))}
    stale = [key for key in reasons if not any(reason_of(t.id(), {key: ""}) == "" for t in found)]
    wanted = unittest.TestSuite(test for test in found if test.id() not in left)
    runner = DiscoverRunner(verbosity=0, interactive=False)
    quiet()
    with contextlib.redirect_stderr(io.StringIO()) as said:
        databases = runner.setup_databases(aliases={"default": False})
        result = unittest.TextTestRunner(stream=said, verbosity=0).run(wanted)
        runner.teardown_databases(databases)
    wrong = {test.id(): text[-3000:] for test, text in (*result.failures, *result.errors)}
    skipped = {test.id(): why for test, why in result.skipped}
    count = result.testsRun - len(wrong) - len(skipped)
    return {"passed": count, "wrong": wrong, "skipped": skipped, "left": left, "stale": stale}


def reason_of(name: str, reasons: dict[str, str]) -> str | None:
    """Return why a test does not hold for us, or None."""
    for pattern, why in reasons.items():
        if fnmatch.fnmatchcase(name, f"*.{pattern}"):
            return why
    return None


def tests_of(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    """Return the tests of a suite, flat."""
    flat: list[unittest.TestCase] = []
    for item in suite:
        flat += tests_of(item) if isinstance(item, unittest.TestSuite) else [item]
    return flat


def quiet() -> None:
    """Keep tasks that fail on purpose out of the output; assertLogs still sees them."""
    logging.lastResort = None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
