"""What can be seen to be wrong is said before anything is sent, without asking AWS."""

from __future__ import annotations

from django.core.checks import run_checks
from django.test import SimpleTestCase

from tests.support import BACKEND, tasks_setting

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/tasks"
QUEUES = {"queue_urls": {"default": URL}, "dead_letter_queue_urls": {"default": f"{URL}-dlq"}}


class ChecksTest(SimpleTestCase):
    def found(self, *, deploy: bool = False, use_async: bool = True, **options: object) -> set[str]:
        settings = {
            "TASKS": tasks_setting(**options),
            "USE_ASYNC_TASKS": use_async,
            "AWS_SQS_QUEUE_URL": None,
            "AWS_SQS_DLQ_URL": None,
            # Django's test runner puts its own in place
            "EMAIL_BACKEND": "sendmill.contrib.django.mail.EmailBackend",
        }
        with self.settings(**settings):
            found = run_checks(include_deployment_checks=deploy)
        return {one.id for one in found if str(one.id).startswith("sendmill")}

    def test_good_settings_pass_also_for_production(self) -> None:
        self.assertEqual(self.found(deploy=True, receipts_table="receipts", **QUEUES), set())
        self.assertEqual(self.found(deploy=True, receipts="orm", **QUEUES), set())

    def test_each_wrong_setting_has_its_own_number(self) -> None:
        for number, options in (
            ("E001", {**QUEUES, "queue_url": URL}),
            ("E001", {**QUEUES, "fallback": {"retries": 3}}),
            ("E002", {}),
            ("E002", {**QUEUES, "priority_queues": {50: "urgent"}}),
            ("E003", {"queue_urls": URL}),
            ("E003", {**QUEUES, "on_commit": "never"}),
            ("E003", {**QUEUES, "fallback": {"on_uncertain": "guess"}}),
            ("E003", {**QUEUES, "result_store": "dynamodb"}),
            ("E003", {**QUEUES, "outbox": "no.such.Outbox"}),
            ("E005", {**QUEUES, "defaults": {"max_attempts": 0}}),
            ("E005", {**QUEUES, "tasks": {"add": {"retries": 5}}}),
        ):
            with self.subTest(number, options=options):
                self.assertIn(f"sendmill.{number}", self.found(**options))

    def test_a_store_in_the_database_needs_the_app(self) -> None:
        apps = ["django.contrib.contenttypes"]
        with self.settings(INSTALLED_APPS=apps, TASKS=tasks_setting(result_store="orm", **QUEUES)):
            from sendmill.contrib.django.compat import task_backends

            found = [one.id for one in task_backends["default"].check()]
        self.assertIn("sendmill.E004", found)

    def test_production_is_warned_of_what_is_fine_on_a_laptop(self) -> None:
        for number, use_async, options in (
            ("W001", False, {}),
            ("W002", True, QUEUES),
            ("W003", True, {"queue_urls": {"default": URL}, "receipts": "orm"}),
            ("W004", True, {"transport": "memory"}),
            ("W005", False, {}),
        ):
            with self.subTest(number):
                found = self.found(deploy=True, use_async=use_async, **options)
                self.assertIn(f"sendmill.{number}", found)
                self.assertEqual(self.found(use_async=use_async, **options), set())

    def test_other_backends_are_left_alone(self) -> None:
        dummy = BACKEND.replace("sendmill.contrib.django.backend.SqsLambdaBackend", _dummy())
        with self.settings(TASKS={"default": {"BACKEND": dummy}}):
            found = run_checks(include_deployment_checks=True)
        self.assertFalse([one for one in found if str(one.id).startswith("sendmill")])


def _dummy() -> str:
    from sendmill.contrib.django.compat import BaseTaskBackend

    return f"{BaseTaskBackend.__module__.rpartition('.')[0]}.dummy.DummyBackend"
