"""The tasks that every installation has, in a project of Django's."""

from __future__ import annotations

import io
import json

import boto3
from common.tasks import process_guard_report, send_notification_email
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from guards.files import hand_in
from guards.models import GuardReport
from PIL import Image

from sendmill.contrib.django.people import find_user
from sendmill.tasks.builtin import wiring
from tests.support import CloudCase, QuietCase, in_memory, tasks_setting

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


class PeopleTest(QuietCase):
    def setUp(self) -> None:
        super().setUp()
        users = get_user_model().objects
        self.ada = users.create_user("ada", "ada@example.com", first_name="Ada")

    def notify(self) -> None:
        send_notification_email(
            user_id=self.ada.pk,
            subject="Welcome!",
            template_name="emails/welcome.html",
            context={"name": "John"},
        )

    def test_the_address_of_a_user_travels_with_the_task(self) -> None:
        with in_memory() as memory:
            self.notify()
        self.assertEqual(
            memory.sent[0].kwargs,
            {
                "user_id": self.ada.pk,
                "subject": "Welcome!",
                "template_name": "emails/welcome.html",
                "context": {"name": "John"},
                "email": "ada@example.com",
            },
        )

    @override_settings(SENDMILL_DIRECT_EMAIL_BACKEND=LOCMEM, DEFAULT_FROM_EMAIL="desk@example.com")
    def test_with_synchronous_tasks_the_same_call_mails_at_once(self) -> None:
        with self.settings(TASKS=tasks_setting(), USE_ASYNC_TASKS=False):
            self.notify()
        (sent,) = mail.outbox
        self.assertEqual((sent.to, sent.from_email), (["ada@example.com"], "desk@example.com"))
        self.assertEqual(sent.subject, "Welcome!")
        self.assertIn("Hello John", sent.alternatives[0][0])
        self.assertIn("Hello John", sent.body)

    def test_a_guard_report_is_one_task(self) -> None:
        with in_memory() as memory:
            process_guard_report(report_id=456)
        self.assertEqual(memory.sent[0].name, "guard_report")
        self.assertEqual(memory.sent[0].kwargs, {"report_id": 456})

    def test_who_is_unknown_has_no_address(self) -> None:
        for wrong in (0, "nobody", "x" * 500):
            with self.subTest(wrong):
                self.assertIsNone(find_user(wrong))
        get_user_model().objects.create_user("mute", "")
        self.assertIsNone(find_user(get_user_model().objects.get(username="mute").pk))


class ReportTest(CloudCase):
    @override_settings(
        SENDMILL_DIRECT_EMAIL_BACKEND=LOCMEM, TASK_FILES_BUCKET="files", USE_ASYNC_TASKS=False
    )
    def test_with_synchronous_tasks_a_report_is_worked_off_at_once(self) -> None:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="files")
        picture = io.BytesIO()
        Image.new("RGB", (800, 600)).save(picture, "JPEG")
        files = [SimpleUploadedFile("gate.jpg", picture.getvalue())]
        report = GuardReport.objects.create(title="Gate 4")
        wiring.forget()
        self.addCleanup(wiring.forget)
        with self.settings(TASKS=tasks_setting(claim_check_bucket="files")):
            hand_in(report, files, "boss@example.com")
        found = s3.get_object(Bucket="files", Key=f"reports/{report.pk}/result.json")
        self.assertEqual(json.load(found["Body"])["status"], "done")
        (letter,) = mail.outbox
        self.assertEqual(letter.to, ["boss@example.com"])
        self.assertEqual(letter.subject, f"Report {report.pk}: done")
