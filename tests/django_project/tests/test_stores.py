"""Receipts, results and the outbox in the database, and results in DynamoDB."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import timedelta

import boto3
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import timezone
from guards import tasks
from guards.models import GuardReport

from sendmill.contrib.django.models import TaskReceipt, TaskRecord, UnsentTask
from sendmill.contrib.django.receipts import OrmReceipts, once
from sendmill.contrib.django.results import record_of
from sendmill.contrib.django.results_dynamodb import DynamoResults
from sendmill.contrib.django.results_orm import OrmResults
from sendmill.errors import StoreUnavailable
from sendmill.tasks.errors import Skip
from sendmill.tasks.testing.contract import ReceiptsContract
from tests.support import CloudCase, QuietCase, in_memory, tasks_setting


class ReceiptsTest(ReceiptsContract, TransactionTestCase):
    def make(self, clock: Callable[[], float]) -> OrmReceipts:
        return OrmReceipts(clock=clock)

    def claim(self, owner: str) -> tuple[str, int]:
        found = OrmReceipts().claim("k", owner=owner, task="t", lease_seconds=60)
        return found.state, found.attempt

    def test_the_last_error_is_kept_as_far_as_it_fits(self) -> None:
        self.claim("a")
        OrmReceipts().release("k", owner="a", error="x" * 500)
        self.assertEqual(len(TaskReceipt.objects.get().error), 300)
        self.assertEqual(self.claim("b"), ("acquired", 2))
        OrmReceipts().release("k", owner="b", final=True)
        self.assertEqual(self.claim("c"), ("acquired", 1))

    def test_a_database_that_is_away_is_said_in_the_stores_own_word(self) -> None:
        with connection.schema_editor() as editor:
            editor.delete_model(TaskReceipt)
        try:
            with self.assertRaises(StoreUnavailable):
                self.claim("a")
        finally:
            with connection.schema_editor() as editor:
                editor.create_model(TaskReceipt)

    def test_once_runs_a_block_with_its_note_in_one_transaction(self) -> None:
        with self.assertRaises(ZeroDivisionError), once("invoice-7"):
            GuardReport.objects.create(title="lost")
            raise ZeroDivisionError
        with once("invoice-7"):
            GuardReport.objects.create(title="kept")
        with self.assertRaises(Skip), once("invoice-7"):
            GuardReport.objects.create(title="twice")
        self.assertEqual([report.title for report in GuardReport.objects.all()], ["kept"])


class ResultsTest(TransactionTestCase):
    def test_a_late_word_of_an_earlier_run_changes_nothing(self) -> None:
        with in_memory() as memory:
            result = tasks.add.enqueue(1, 2)
            memory.run_all()
            result.refresh()
            late = record_of(result) | {
                "status": "FAILED",
                "last_attempted_at": "2020-01-01T00:00:00+00:00",
            }
            OrmResults().update(late)
        row = TaskRecord.objects.get()
        self.assertEqual(row.status, "SUCCESSFUL")

    def test_old_rows_are_pruned_and_young_ones_kept(self) -> None:
        with in_memory() as memory:
            for _ in range(2):
                tasks.add.enqueue(1, 2)
            memory.run_all()
        first = TaskRecord.objects.first()
        long_ago = timezone.now() - timedelta(days=40)
        TaskRecord.objects.filter(pk=first.pk).update(finished_at=long_ago)
        TaskReceipt.objects.filter(key=first.pk).update(updated_at=long_ago)
        call_command("tasks_prune", stdout=io.StringIO())
        self.assertEqual((TaskRecord.objects.count(), TaskReceipt.objects.count()), (1, 1))
        with self.assertRaises(CommandError):
            call_command("tasks_prune", receipt_days=3)


class DynamoResultsTest(CloudCase):
    def setUp(self) -> None:
        super().setUp()
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        self.dynamodb.create_table(
            TableName="receipts",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        self.options = {
            "result_store": "dynamodb",
            "receipts_table": "receipts",
            "region_name": "us-east-1",
        }

    def test_results_live_beside_the_receipts(self) -> None:
        with in_memory(receipts=None, **self.options) as memory:
            result = tasks.which_attempt.enqueue(until=2)
            self.assertEqual(tasks.which_attempt.get_result(result.id), result)
            memory.run_all()
            result.refresh()
        self.assertEqual((result.return_value, result.attempts), (2, 2))
        self.assertEqual(TaskRecord.objects.count(), 0)
        item = self.dynamodb.get_item(TableName="receipts", Key={"pk": {"S": f"R#{result.id}"}})
        self.assertGreater(int(item["Item"]["expires_at"]["N"]), time.time() + 29 * 86_400)

    def test_a_rollback_leaves_no_result(self) -> None:
        memory = in_memory(receipts="memory", **self.options)
        with memory, self.assertRaises(ZeroDivisionError), transaction.atomic():
            tasks.add.enqueue(1, 2)
            raise ZeroDivisionError
        self.assertEqual(self.dynamodb.scan(TableName="receipts")["Count"], 0)

    def test_a_table_that_is_away_stops_no_task(self) -> None:
        options = {**self.options, "receipts_table": "missing"}
        with in_memory(receipts="memory", **options) as memory:
            tasks.add.enqueue(1, 2)
            self.assertEqual(memory.run_all(), 1)
        self.assertEqual(memory.dead, [])
        with self.assertRaises(StoreUnavailable):
            DynamoResults("missing", region="us-east-1").read("x")

    def test_a_large_result_loses_its_arguments_first(self) -> None:
        with in_memory(receipts="memory", **self.options) as memory:
            result = tasks.take_anything.enqueue("x" * 200_000)
            memory.run_all()
            found = tasks.take_anything.get_result(result.id)
        self.assertEqual(found.args, [])
        self.assertEqual(len(found.return_value[0][0]), 200_000)


class OutboxTest(QuietCase):
    def test_a_task_waits_in_the_database_while_its_queue_is_away(self) -> None:
        url = "http://127.0.0.1:9/0/tasks"
        away = tasks_setting(
            queue_urls={"default": url}, region_name="us-east-1", outbox="orm", receipts="orm"
        )
        with self.settings(TASKS=away, USE_ASYNC_TASKS=True):
            result = tasks.add.enqueue(1, 2)
            self.assertEqual(UnsentTask.objects.get().task_id, result.id)
            with self.assertRaises(CommandError):
                call_command("tasks_outbox", verbosity=0)
            self.assertEqual(UnsentTask.objects.count(), 1)
        with in_memory(outbox="orm") as memory:
            call_command("tasks_outbox", stdout=io.StringIO())
            self.assertEqual([task.task_id for task in memory.sent], [result.id])
            self.assertEqual(UnsentTask.objects.count(), 0)
            memory.run_all()
            self.assertEqual(tasks.add.get_result(result.id).return_value, 3)
