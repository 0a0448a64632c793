"""Send one task by name: its arguments are a JSON object of keywords."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sendmill.contrib.django import conf
from sendmill.errors import SendmillError
from sendmill.tasks.client import sqs_client
from sendmill.tasks.payload import loads


class Command(BaseCommand):
    """Send a task."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a name and arguments."""
        parser.add_argument("name", help="as tasks_list prints it")
        parser.add_argument("arguments", nargs="?", default="{}", help='{"report_id": 5}')
        parser.add_argument("--delay", type=float, default=0, help="seconds")
        parser.add_argument("--queue", default="", help="another queue than the task's own")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send it and print its id."""
        conf.apply()
        try:
            result = sqs_client.send_task(
                task_name=options["name"],
                payload=loads(options["arguments"]),
                delay_seconds=options["delay"],
                queue=options["queue"] or None,
            )
        except (SendmillError, ValueError) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
        self.stdout.write(f"{result.task_id}\t{result.mode}")
