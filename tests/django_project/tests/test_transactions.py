"""A task is sent by the transaction that needs it, once, or not at all."""

from __future__ import annotations

from common.services.sqs_client import sqs_client
from django.db import transaction
from django.test import TestCase
from guards import tasks
from guards.models import GuardReport

from sendmill.contrib.django.compat import TaskResultDoesNotExist, TaskResultStatus
from sendmill.contrib.django.models import TaskRecord
from sendmill.tasks.errors import PayloadTooLarge, UnknownQueue
from tests.support import QuietCase, in_memory, tasks_setting


class GaveUp(Exception):
    pass


class TransactionTest(QuietCase):
    def test_a_rollback_sends_nothing(self) -> None:
        with in_memory() as memory:
            with self.assertRaises(GaveUp), transaction.atomic():
                result = tasks.add.enqueue(1, 2)
                sqs_client.send_task(task_name="custom_processing", payload={"data": "x"})
                raise GaveUp
            self.assertEqual(memory.sent, [])
            self.assertTrue(result.id)
            self.assertEqual(TaskRecord.objects.count(), 0)

    def test_a_commit_sends_once_and_the_id_was_known_before(self) -> None:
        with in_memory() as memory:
            with transaction.atomic():
                result = tasks.add.enqueue(1, 2)
                sent = sqs_client.send_task(task_name="custom_processing", payload={"data": "x"})
                self.assertEqual(memory.sent, [])
                self.assertEqual((result.status, sent.mode), (TaskResultStatus.READY, "on_commit"))
            self.assertEqual([task.task_id for task in memory.sent], [result.id, sent.task_id])
            memory.run_all()
            result.refresh()
        self.assertEqual(result.return_value, 3)

    def test_an_inner_rollback_takes_its_own_tasks_alone(self) -> None:
        with in_memory() as memory, transaction.atomic():
            kept = tasks.add.enqueue(1, 2)
            with self.assertRaises(GaveUp), transaction.atomic():
                tasks.add.enqueue(3, 4)
                raise GaveUp
        self.assertEqual([task.task_id for task in memory.sent], [kept.id])

    def test_the_backend_can_be_told_not_to_wait(self) -> None:
        with in_memory(on_commit=False) as memory, self.assertRaises(GaveUp), transaction.atomic():
            tasks.add.enqueue(1, 2)
            self.assertEqual(len(memory.sent), 1)
            raise GaveUp

    def test_a_result_outside_the_database_is_written_at_commit(self) -> None:
        with in_memory(result_store="memory"):
            with self.assertRaises(GaveUp), transaction.atomic():
                lost = tasks.add.enqueue(1, 2)
                raise GaveUp
            with transaction.atomic():
                kept = tasks.add.enqueue(1, 2)
            self.assertEqual(tasks.add.get_result(kept.id), kept)
            with self.assertRaises(TaskResultDoesNotExist):
                tasks.add.get_result(lost.id)

    def test_synchronous_tasks_run_inside_the_transaction(self) -> None:
        setting = tasks_setting(result_store="orm")
        with self.settings(TASKS=setting, USE_ASYNC_TASKS=False):
            with self.assertRaises(GaveUp), transaction.atomic():
                report = GuardReport.objects.create(title="one two")
                self.assertEqual(tasks.count_words.enqueue(report.pk).return_value, 2)
                sent = sqs_client.send_task(task_name="custom_processing", payload={"data": "x"})
                self.assertEqual((sent.mode, sent.value), ("sync", 1))
                raise GaveUp
            self.assertEqual(GuardReport.objects.count(), 0)

    def test_what_is_wrong_is_refused_while_the_transaction_can_still_turn_back(self) -> None:
        with in_memory() as memory, transaction.atomic():
            with self.assertRaises(PayloadTooLarge):
                tasks.take_anything.enqueue("x" * 300_000)
            self.assertEqual(TaskRecord.objects.count(), 0)
        self.assertEqual(memory.sent, [])
        nowhere = tasks_setting(queue_urls={"mail": "http://127.0.0.1:9/0/mail"})
        asked = self.settings(TASKS=nowhere, USE_ASYNC_TASKS=True, AWS_SQS_QUEUE_URL=None)
        with asked, transaction.atomic(), self.assertRaises(UnknownQueue):
            tasks.add.enqueue(1, 2)


class ViewTest(QuietCase):
    def test_a_view_that_rolls_back_sends_nothing(self) -> None:
        with in_memory() as memory:
            answer = self.client.post("/reports/", {"title": "Gate 4", "fail": "1", "user": "7"})
            self.assertEqual(answer.status_code, 500)
            self.assertEqual((memory.sent, GuardReport.objects.count()), ([], 0))

    def test_a_view_that_commits_sends_each_task_once_and_can_say_what_became_of_it(self) -> None:
        with in_memory() as memory:
            answer = self.client.post("/reports/", {"title": "Gate 4", "user": "7"}).json()
            self.assertEqual(
                [(task.name, task.task_id) for task in memory.sent],
                [
                    ("guards.tasks.count_words", answer["task"]),
                    ("send_notification_email", answer["notified"]),
                ],
            )
            del memory.waiting[1]  # its handler mails, and is not this project's
            status = self.client.get(f"/tasks/{answer['task']}/").json()
            self.assertEqual(status["status"], "READY")
            memory.run_all()
            status = self.client.get(f"/tasks/{answer['task']}/").json()
        self.assertEqual(status, {"status": "SUCCESSFUL", "value": 2, "attempts": 1})


class TestCaseTest(TestCase):
    def test_djangos_testcase_needs_its_own_word_for_a_commit(self) -> None:
        with in_memory() as memory:
            with self.captureOnCommitCallbacks() as callbacks:
                tasks.add.enqueue(1, 2)
            self.assertEqual((len(callbacks), memory.sent), (1, []))
            with self.captureOnCommitCallbacks(execute=True):
                tasks.add.enqueue(1, 2)
            self.assertEqual(len(memory.sent), 1)
