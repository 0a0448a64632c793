"""Work on a queue in this process, by the very code that runs in Lambda."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import autoreload

from sendmill.contrib.django import conf
from sendmill.errors import SendmillError
from sendmill.tasks.config import DEFAULT_QUEUE
from sendmill.tasks.runtime import runtime
from sendmill.tasks.transports.memory import MemoryTransport
from sendmill.tasks.worker.local import Worker, work


class Command(BaseCommand):
    """Receive tasks and run them until stopped."""

    help = __doc__
    # a worker that does not start because of an unrelated check helps nobody
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a queue, and when to end."""
        parser.add_argument("--queue", default=DEFAULT_QUEUE, help="its name in the settings")
        parser.add_argument("--once", action="store_true", help="end when nothing is left")
        parser.add_argument(
            "--wait", type=int, help="seconds to wait for a message: 20, with --once 1"
        )
        parser.add_argument("--reload", action="store_true", help="start anew when code changes")
        parser.add_argument(
            "--visibility", type=int, default=360, help="seconds that a batch may take (360)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Work."""
        conf.apply()
        transport = runtime().config.transport
        if isinstance(transport, MemoryTransport):
            self.stdout.write(f"{transport.run_all()} messages handled")
        elif options["reload"]:
            autoreload.run_with_reloader(self._work, **options)
        else:
            self._work(**options)

    def _work(self, **options: Any) -> None:
        once, wait = options["once"], options["wait"]
        try:
            worker = Worker(
                options["queue"],
                wait_seconds=(1 if once else 20) if wait is None else wait,
                visibility_seconds=options["visibility"],
            )
        except SendmillError as error:
            raise CommandError(str(error)) from error
        if not once:
            self.stdout.write(f"working on {worker.url}; Ctrl-C ends after the batch in hand")
        # the reloader runs us beside its own main thread, where no signal can be caught
        run = worker.run if options["reload"] else partial(work, worker)
        self.stdout.write(f"{run(until_empty=once)} messages handled")
