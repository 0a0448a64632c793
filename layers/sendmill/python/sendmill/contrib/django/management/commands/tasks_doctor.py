"""Ask AWS whether queues and functions are set up as tasks need it; exits with 1 on an error."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sendmill.contrib.django import conf
from sendmill.tasks.config import current
from sendmill.tasks.doctor import Finding, examine


class Command(BaseCommand):
    """Print findings."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine every queue of the settings."""
        conf.apply()
        found = list(examine(current()))
        for finding in found:
            self.stdout.write(self._line(finding))
        errors = sum(finding.level == "error" for finding in found)
        if errors:
            raise CommandError(f"{errors} of {len(found)} findings are errors")

    def _line(self, finding: Finding) -> str:
        style = {"error": self.style.ERROR, "warning": self.style.WARNING}.get(finding.level, str)
        return style(f"{finding.level:8} {finding.queue or '-':12} {finding.text}")
