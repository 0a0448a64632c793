"""Look at dead letters, send them back, or throw them away: tasks_dlq list|show|redrive|purge."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sendmill.contrib.django import conf
from sendmill.errors import SendmillError
from sendmill.tasks.config import DEFAULT_QUEUE, current
from sendmill.tasks.dead_letter_queue import DeadLetterQueue


class Command(BaseCommand):
    """Work on the dead-letter queue of one queue."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a verb."""
        parser.add_argument("verb", choices=("list", "show", "redrive", "purge"))
        parser.add_argument(
            "task_id", nargs="?", default="", help="show: whose; redrive: one alone"
        )
        parser.add_argument(
            "--queue", default=DEFAULT_QUEUE, help="the queue the letters came from"
        )
        parser.add_argument("--limit", type=int, default=100, help="list: how many")
        parser.add_argument("--yes", action="store_true", help="redrive all and purge: do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        conf.apply()
        try:
            letters = DeadLetterQueue(current(), options["queue"])
            getattr(self, f"_{options['verb']}")(letters, options)
        except SendmillError as error:
            raise CommandError(str(error)) from error

    def _list(self, letters: DeadLetterQueue, options: dict[str, Any]) -> None:
        found = letters.look(options["limit"])
        for letter in found:
            self.stdout.write(
                f"{letter.failed_at}\t{letter.task_id or letter.message_id}\t{letter.task or '?'}"
                f"\t{letter.reason}\t{letter.error}"
            )
        self.stdout.write(f"{len(found)} dead letters")

    def _show(self, letters: DeadLetterQueue, options: dict[str, Any]) -> None:
        letter = letters.find(_required(options))
        for name in ("task_id", "task", "reason", "error", "failed_at", "receives", "message_id"):
            self.stdout.write(f"{name + ':':12} {getattr(letter, name)}")
        self.stdout.write(letter.body)

    def _redrive(self, letters: DeadLetterQueue, options: dict[str, Any]) -> None:
        if not options["task_id"]:
            self._ask("send back every dead letter", options)
        self.stdout.write(f"{letters.redrive(options['task_id'])} sent back")

    def _purge(self, letters: DeadLetterQueue, options: dict[str, Any]) -> None:
        self._ask(f"throw away every message on {letters.url}", options)
        letters.purge()
        self.stdout.write("thrown away")

    def _ask(self, what: str, options: dict[str, Any]) -> None:
        if not options["yes"] and input(f"{what}? [yes/no] ").strip() != "yes":
            raise CommandError("nothing was done")


def _required(options: dict[str, Any]) -> str:
    if not options["task_id"]:
        raise CommandError("show needs the id of a task")
    return str(options["task_id"])
