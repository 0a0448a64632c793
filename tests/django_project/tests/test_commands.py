"""Commands of manage.py, against SQS."""

from __future__ import annotations

import json
import threading
from unittest import mock

import boto3
from common.services.sqs_client import sqs_client
from common.tasks import custom_processing
from django.core.management import CommandError
from django.db import transaction
from guards import tasks
from guards.models import GuardReport

from sendmill.contrib.django.compat import TaskResultStatus
from sendmill.contrib.django.compat import task as django_task
from sendmill.tasks.config import current
from tests.support import BACKEND, CloudCase, body_of, tasks_setting


class WorkerTest(CloudCase):
    def test_the_worker_runs_what_is_on_the_queue_and_deletes_it(self) -> None:
        report = GuardReport.objects.create(title="Night shift")
        with transaction.atomic():
            result = tasks.count_words.enqueue(report.pk)
            self.assertEqual(self.waiting(self.url), 0)
        self.assertEqual(self.waiting(self.url), 1)
        self.assertIn("1 messages handled", self.command("tasks_worker", "--once", "--wait", "0"))
        result.refresh()
        self.assertEqual(result.return_value, 2)
        self.assertEqual(self.waiting(self.url), 0)

    def test_a_queue_that_is_not_configured_is_named(self) -> None:
        with self.assertRaises(CommandError) as caught:
            self.command("tasks_worker", "--once", "--wait", "0", "--queue", "mail")
        self.assertIn("'mail'", str(caught.exception))

    def test_a_task_is_sent_by_name(self) -> None:
        said = self.command("tasks_send", "custom_processing", '{"data": "abc"}', "--delay", "0")
        self.assertIn("queued", said)
        self.assertIn("1 messages handled", self.command("tasks_worker", "--once", "--wait", "0"))
        with self.assertRaises(CommandError):
            self.command("tasks_send", "guards.tasks.add", '{"a": 1}')
        with self.assertRaises(CommandError):
            self.command("tasks_send", "custom_processing", "{not json")

    def test_every_task_is_listed_with_its_policy(self) -> None:
        options = {"tasks": {"count_words": {"timeout": 60, "sync_fallback": True}}}
        with self.settings(TASKS=self.tasks(**options)):
            lines = self.command("tasks_list").splitlines()
        self.assertIn(
            "guards.tasks.count_words\tqueue=default\tattempts=3\ttimeout=60 s\tfallback=yes", lines
        )
        self.assertTrue([line for line in lines if line.startswith("custom_processing\t")])
        self.assertEqual(lines, sorted(lines))


class DeadLetterTest(CloudCase):
    def fail_for_good(self) -> str:
        with self.settings(TASKS=self.tasks(defaults={"max_attempts": 1})):
            result = tasks.fail.enqueue("no power")
            self.command("tasks_worker", "--once", "--wait", "0")
        result.refresh()
        self.assertEqual(result.status, TaskResultStatus.FAILED)
        return result.id

    def test_a_dead_letter_says_whose_it_is_and_why(self) -> None:
        task_id = self.fail_for_good()
        self.assertEqual(self.waiting(self.dead), 1)
        said = self.command("tasks_dlq", "list")
        self.assertIn(
            f"{task_id}\tguards.tasks.fail\tattempts_exhausted\tValueError: no power", said
        )
        self.assertIn("1 dead letters", said)
        shown = self.command("tasks_dlq", "show", task_id)
        self.assertIn('"args":["no power"]', shown)
        with self.assertRaises(CommandError):
            self.command("tasks_dlq", "show", "nobody")

    def test_a_redriven_task_runs_again_under_its_own_id(self) -> None:
        first, second = self.fail_for_good(), self.fail_for_good()
        self.assertIn("1 sent back", self.command("tasks_dlq", "redrive", first))
        self.assertEqual((self.waiting(self.dead), self.waiting(self.url)), (1, 1))
        with mock.patch.dict(vars(tasks), {"POWER": True}):  # its cause is gone
            self.command("tasks_worker", "--once", "--wait", "0")
        self.assertEqual(tasks.fail.get_result(first).status, TaskResultStatus.SUCCESSFUL)
        self.assertIn("1 sent back", self.command("tasks_dlq", "redrive", "--yes"))
        self.assertEqual((self.waiting(self.dead), self.waiting(self.url)), (0, 1))
        self.assertEqual(tasks.fail.get_result(second).status, TaskResultStatus.FAILED)

    def test_what_has_run_since_does_not_run_again(self) -> None:
        report = GuardReport.objects.create(title="Gate")
        result = tasks.count_words.enqueue(report.pk)
        self.command("tasks_worker", "--once", "--wait", "0")
        copy = body_of("guards.tasks.count_words", report.pk)
        body = json.dumps({**json.loads(copy), "id": result.id})
        self.sqs.send_message(QueueUrl=self.dead, MessageBody=body)
        self.command("tasks_dlq", "redrive", result.id)
        self.command("tasks_worker", "--once", "--wait", "0")
        report.refresh_from_db()
        self.assertEqual(report.runs, 1)
        self.assertEqual(self.waiting(self.url), 0)

    def test_a_body_that_nobody_can_read_is_listed_too(self) -> None:
        self.sqs.send_message(QueueUrl=self.dead, MessageBody="<html>")
        self.assertIn("received_too_often", self.command("tasks_dlq", "list"))

    def test_a_purge_asks(self) -> None:
        self.fail_for_good()
        with mock.patch("builtins.input", return_value="no"), self.assertRaises(CommandError):
            self.command("tasks_dlq", "purge")
        self.assertEqual(self.waiting(self.dead), 1)
        self.command("tasks_dlq", "purge", "--yes")
        self.assertEqual(self.waiting(self.dead), 0)


class DoctorTest(CloudCase):
    def test_good_settings_have_no_error(self) -> None:
        said = self.command("tasks_doctor")
        self.assertNotIn("error", said)
        self.assertIn("maxReceiveCount is 5", said)
        self.assertIn("0 dead letters", said)

    def test_what_burns_receives_and_what_waits_is_said(self) -> None:
        self.redrive(most=1)
        self.sqs.send_message(QueueUrl=self.dead, MessageBody="{}")
        said = self.command("tasks_doctor")
        self.assertRegex(said, r"warning +default +maxReceiveCount is 1")
        self.assertRegex(said, r"warning +default +1 dead letters")

    def test_dead_letters_that_die_first_and_a_wrong_target_are_errors(self) -> None:
        self.sqs.set_queue_attributes(
            QueueUrl=self.dead, Attributes={"MessageRetentionPeriod": "3600"}
        )
        other = self.sqs.create_queue(QueueName="other")["QueueUrl"]
        with self.assertRaises(CommandError) as caught:
            self.command("tasks_doctor")
        self.assertIn("1 of", str(caught.exception))
        wrong = self.tasks()
        wrong["default"]["OPTIONS"]["dead_letter_queue_urls"] = {"default": other}
        with self.settings(TASKS=wrong), self.assertRaises(CommandError):
            self.command("tasks_doctor")

    def test_a_queue_that_is_not_there_is_an_error(self) -> None:
        self.sqs.delete_queue(QueueUrl=self.url)
        with self.assertRaises(CommandError):
            self.command("tasks_doctor")


class SeedTest(CloudCase):
    def test_a_task_is_sent_by_the_clients_own_words(self) -> None:
        sqs_client.send_task(
            task_name="custom_processing", payload={"data": "example"}, delay_seconds=0
        )
        self.assertEqual(custom_processing({"data": "example"}), 7)
        self.command("tasks_worker", "--once", "--wait", "0")
        self.assertEqual(self.waiting(self.url), 0)

    def test_the_environments_names_are_settings(self) -> None:
        plain = {"default": {"BACKEND": BACKEND}}
        settings = {"AWS_SQS_QUEUE_URL": self.url, "AWS_SQS_DLQ_URL": self.dead}
        with self.settings(TASKS=plain, AWS_SQS_REGION="us-east-1", **settings):
            self.assertEqual(current().queues, {"default": self.url})
            self.assertEqual(current().dead_letter_queues, {"default": self.dead})
            self.assertEqual(current().region, "us-east-1")
            self.assertTrue(current().use_async)
            tasks.add.enqueue(1, 2)
        self.assertEqual(self.waiting(self.url), 1)


class ClientsTest(CloudCase):
    def test_threads_and_tasks_share_one_client(self) -> None:
        plain = tasks_setting(queue_urls={"default": self.url}, region_name="us-east-1")
        counted = mock.patch.object(boto3, "client", wraps=boto3.client)
        with self.settings(TASKS=plain), counted as made:
            declared = [django_task()(tasks.add.func) for _ in range(100)]
            self.assertFalse(made.called)
            threads = [
                threading.Thread(target=send_all, args=(declared[start : start + 5],))
                for start in (0, 50)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(self.waiting(self.url), 10)
        self.assertEqual(made.call_count, 1)


def send_all(declared) -> None:
    for one in declared:
        one.enqueue(1, 2)
