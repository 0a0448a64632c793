"""The project as a whole."""

from __future__ import annotations

from django.core.management import call_command
from django.test import TestCase


class ProjectTest(TestCase):
    def test_no_migration_is_missing(self) -> None:
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)

    def test_no_check_complains(self) -> None:
        call_command("check", "--fail-level", "WARNING", verbosity=0)
