"""What is changed in the text of the others' tests before they run: names, and nothing they assert.

Two assertions are the exception, each with its reason beside it.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

Pairs = tuple[tuple[str, str], ...]

OURS: Pairs = (
    ("django.tasks.backends.immediate.ImmediateBackend", "ours.ImmediateBackend"),
    ("django.tasks.backends.dummy.DummyBackend", "ours.DummyBackend"),
    ("from django.tasks.backends.immediate import", "from ours import"),
    ("from django.tasks.backends.dummy import", "from ours import"),
)
# Django 5.2: the same things, from the package django-tasks 0.12.
ON_52: Pairs = (("django.tasks", "django_tasks"), ("async Tasks.", "async tasks."))
TASKS_DB: Pairs = (
    # Our ids are version 7: they sort by the time they were made.
    (".version, 4)", ".version, 7)"),
    # The same refusal in Django's own words.
    ('"is not JSON serializable"', '"Unsupported type"'),
)
TASKS_OF_DB: Pairs = (("This Task failed due to", "This task failed due to"),)


def is_52() -> bool:
    """Say whether this Django has no tasks of its own."""
    return find_spec("django.tasks") is None


class TranslatingFinder(MetaPathFinder, Loader):
    """Import modules from files of others, their text translated."""

    def __init__(self, places: dict[str, tuple[Path, Pairs]]) -> None:
        self._places = places

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a module that is ours to translate."""
        if fullname not in self._places:
            return None
        place = self._places[fullname][0]
        is_package = place.name == "__init__.py"
        return spec_from_loader(fullname, self, origin=str(place), is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Run the translated text."""
        place, pairs = self._places[module.__name__]
        text = place.read_text()
        for old, new in (*pairs, *(ON_52 if is_52() else ())):
            text = text.replace(old, new)
        exec(compile(text, str(place), "exec"), module.__dict__)


def install(places: dict[str, tuple[Path, Pairs]]) -> None:
    """Have these modules imported translated."""
    sys.meta_path.insert(0, TranslatingFinder(places))
    if is_52():
        import django_tasks
        from django_tasks import base, exceptions

        # the names that its next release has
        django_tasks.Task = base.Task
        for name in ("InvalidTask", "InvalidTaskBackend"):
            setattr(exceptions, name, getattr(exceptions, f"{name}Error"))
