"""Send the tasks that waited in the database because their queue was away; run it every minute."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sendmill.contrib.django import conf
from sendmill.contrib.django.outbox import send_unsent


class Command(BaseCommand):
    """Drain the outbox."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a limit."""
        parser.add_argument("--limit", type=int, default=1000)

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, oldest first, until one is not taken."""
        conf.apply()
        sent = 0
        for task_id, error in send_unsent(options["limit"]):
            if error is not None:
                raise CommandError(f"{sent} sent; {task_id} not: {error}")
            sent += 1
        self.stdout.write(f"{sent} sent")
