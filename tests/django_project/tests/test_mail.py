"""Mails of django.core.mail become tasks, complete."""

from __future__ import annotations

import base64
import warnings
from email import message_from_bytes, policy
from email.message import EmailMessage as Parsed

from django.core import mail
from django.core.mail import EmailMultiAlternatives, get_connection, send_mail
from django.db import transaction
from django.test import TransactionTestCase, override_settings

from sendmill.contrib.django.mail import EmailBackend, bare_address
from sendmill.tasks.errors import EnqueueUnreachable, PayloadTooLarge
from sendmill.tasks.transports.memory import SentTask
from tests.support import QuietCase, in_memory, tasks_setting

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
OURS = "sendmill.contrib.django.mail.EmailBackend"
# Nothing listens there.
AWAY = {
    "TASKS": tasks_setting(
        queue_urls={"default": "http://127.0.0.1:9/0/tasks"}, region_name="us-east-1"
    ),
    "USE_ASYNC_TASKS": True,
}


def parsed(task: SentTask) -> Parsed:
    return message_from_bytes(base64.b64decode(task.kwargs["mime"]), policy=policy.default)


@override_settings(EMAIL_BACKEND=OURS, DEFAULT_FROM_EMAIL="Gate <noreply@example.com>")
class MailTest(QuietCase):
    def setUp(self) -> None:
        super().setUp()
        # Django 6.1 announces settings of its own for mail, years ahead
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        warnings.filterwarnings("ignore", category=PendingDeprecationWarning)
        warnings.filterwarnings(
            "ignore", message=".*(MAILERS|mailers|get_connection|fail_silently).*"
        )

    def test_a_mail_is_a_task_for_each_recipient_with_all_of_it(self) -> None:
        letter = EmailMultiAlternatives(
            "Grüße", "Night\nshift", None, ["Ada <ada@example.com>"], bcc=["bob@bücher.example"]
        )
        letter.cc = ["eve@example.com"]
        letter.reply_to = ["desk@example.com"]
        letter.extra_headers["X-Report"] = "4"
        letter.attach_alternative("<p>Night</p>", "text/html")
        letter.attach("gate.png", b"\x89PNG\r\n\x00", "image/png")
        with in_memory() as memory:
            self.assertEqual(letter.send(), 1)
        self.assertEqual([task.name for task in memory.sent], ["send_email"] * 3)
        self.assertEqual(
            [task.kwargs["to"] for task in memory.sent],
            ["ada@example.com", "eve@example.com", "bob@xn--bcher-kva.example"],
        )
        self.assertEqual(len({task.kwargs["mime"] for task in memory.sent}), 1)
        task = memory.sent[0]
        self.assertEqual(task.kwargs["from_email"], "noreply@example.com")
        found = parsed(task)
        self.assertEqual(found["Subject"], "Grüße")
        self.assertEqual(found["From"], "Gate <noreply@example.com>")
        self.assertEqual((found["Reply-To"], found["X-Report"]), ("desk@example.com", "4"))
        self.assertIsNone(found["Bcc"])
        self.assertNotIn("bob", found.as_string())
        self.assertEqual(found.get_body(("html",)).get_content().strip(), "<p>Night</p>")
        self.assertEqual(found.get_body(("plain",)).get_content().split(), ["Night", "shift"])
        (attached,) = found.iter_attachments()
        self.assertEqual(attached.get_filename(), "gate.png")
        self.assertEqual(attached.get_content(), b"\x89PNG\r\n\x00")
        self.assertNotIn(b"\n", base64.b64decode(task.kwargs["mime"]).replace(b"\r\n", b""))

    def test_send_mail_waits_for_the_commit(self) -> None:
        with in_memory() as memory:
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                send_mail("Lost", "x", None, ["ada@example.com"])
                raise ZeroDivisionError
            with transaction.atomic():
                self.assertEqual(send_mail("Kept", "x", None, ["ada@example.com"]), 1)
                self.assertEqual(memory.sent, [])
        self.assertEqual([parsed(task)["Subject"] for task in memory.sent], ["Kept"])

    def test_many_mails_are_many_tasks_and_one_without_recipients_is_none(self) -> None:
        mails = [EmailMultiAlternatives("S", "b", None, to) for to in (["a@x.io"], [], ["b@x.io"])]
        with in_memory() as memory:
            self.assertEqual(EmailBackend().send_messages(mails), 2)
            self.assertEqual(EmailBackend().send_messages([]), 0)
        self.assertEqual(len(memory.sent), 2)

    def test_a_queue_that_is_away_is_silent_only_when_asked(self) -> None:
        letter = EmailMultiAlternatives("S", "b", None, ["ada@example.com"])
        with self.settings(**AWAY):
            with self.assertRaises(EnqueueUnreachable):
                EmailBackend().send_messages([letter])
            self.assertEqual(EmailBackend(fail_silently=True).send_messages([letter]), 0)

    def test_what_is_wrong_with_a_mail_is_never_silent(self) -> None:
        silent = EmailBackend(fail_silently=True)
        broken = EmailMultiAlternatives("S\nBcc: eve@example.com", "b", None, ["ada@example.com"])
        large = EmailMultiAlternatives("S", "b" * 400_000, None, ["ada@example.com"])
        with in_memory() as memory:
            with self.assertRaises(ValueError):
                silent.send_messages([broken])
            with self.assertRaises(PayloadTooLarge):
                silent.send_messages([large])
        self.assertEqual(memory.sent, [])

    def test_mails_can_have_a_queue_of_their_own(self) -> None:
        letter = EmailMultiAlternatives("S", "b", None, ["ada@example.com"])
        with in_memory() as memory:
            EmailBackend(queue="mail").send_messages([letter])
        self.assertEqual(memory.sent[0].queue, "mail")

    @override_settings(SENDMILL_DIRECT_EMAIL_BACKEND=LOCMEM, USE_ASYNC_TASKS=False)
    def test_with_synchronous_tasks_a_mail_leaves_at_once(self) -> None:
        with self.settings(TASKS=tasks_setting()):
            self.assertEqual(send_mail("Now", "x", None, ["ada@example.com"]), 1)
        self.assertEqual([sent.subject for sent in mail.outbox], ["Now"])

    @override_settings(SENDMILL_DIRECT_EMAIL_BACKEND=LOCMEM)
    def test_a_worker_of_the_project_mails_it_by_the_projects_own_settings(self) -> None:
        with in_memory() as memory:
            send_mail("Later", "x", None, ["ada@example.com"])
            self.assertEqual(mail.outbox, [])
            memory.run_all()
        (sent,) = mail.outbox
        self.assertEqual((sent.to, sent.message()["Subject"]), (["ada@example.com"], "Later"))

    def test_settings_choose_it(self) -> None:
        self.assertIsInstance(get_connection(), EmailBackend)


class AddressTest(TransactionTestCase):
    def test_an_address_is_taken_alone_and_in_ascii(self) -> None:
        self.assertEqual(bare_address('"Ada, L." <ada@example.com>'), "ada@example.com")
        self.assertEqual(bare_address("ada@bücher.example"), "ada@xn--bcher-kva.example")
        self.assertEqual(bare_address("webmaster"), "webmaster")
        for wrong in ("", "@example.com", "a@example.com\nBcc: b@example.com", "a\x00@example.com"):
            with self.subTest(wrong), self.assertRaises(ValueError):
                bare_address(wrong)
