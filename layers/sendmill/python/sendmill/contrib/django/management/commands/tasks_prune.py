"""Delete finished results and old receipts from the database; run it every day."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sendmill.contrib.django.models import TaskReceipt, TaskRecord

# A dead letter may be sent back for 14 days after 14 days on its queue: till then it must be known.
_LEAST_RECEIPT_DAYS = 28


class Command(BaseCommand):
    """Delete what nobody will ask for."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take ages."""
        parser.add_argument("--result-days", type=int, default=30)
        parser.add_argument("--receipt-days", type=int, default=30)

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete and print how much."""
        if options["receipt_days"] < _LEAST_RECEIPT_DAYS:
            raise CommandError(
                f"--receipt-days must be at least {_LEAST_RECEIPT_DAYS} (got "
                f"{options['receipt_days']}): a dead letter sent back later would run again"
            )
        now = timezone.now()
        old = now - timedelta(days=options["result_days"])
        results, _ = TaskRecord.objects.filter(finished_at__lt=old).delete()
        old = now - timedelta(days=options["receipt_days"])
        receipts, _ = TaskReceipt.objects.filter(updated_at__lt=old).delete()
        self.stdout.write(f"{results} results and {receipts} receipts deleted")
