"""Admin pages show, and change nothing but that a failed task is sent again."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from guards import tasks

from sendmill.contrib.django.models import TaskRecord
from tests.support import QuietCase, in_memory

PAGE = "/admin/sendmill/taskrecord/"


class AdminTest(QuietCase):
    def setUp(self) -> None:
        super().setUp()
        self.client.force_login(get_user_model().objects.create_superuser("root", "", "x"))

    def test_tasks_are_shown_and_cannot_be_changed(self) -> None:
        with in_memory():
            result = tasks.add.enqueue(1, 2)
        self.assertContains(self.client.get(PAGE), result.id)
        self.assertEqual(self.client.get(f"{PAGE}{result.id}/change/").status_code, 200)
        for path in ("add/", f"{result.id}/delete/"):
            self.assertEqual(self.client.get(PAGE + path).status_code, 403)
        for name in ("taskreceipt", "unsenttask"):
            self.assertEqual(self.client.get(f"/admin/sendmill/{name}/").status_code, 200)

    def test_failed_tasks_are_sent_again_and_others_are_not(self) -> None:
        with in_memory(defaults={"max_attempts": 1}) as memory:
            failed, done = tasks.fail.enqueue("no power"), tasks.add.enqueue(1, 2)
            memory.run_all()
            chosen = {"action": "send_again", "_selected_action": [failed.id, done.id]}
            self.client.post(PAGE, chosen)
        self.assertEqual(
            [task.name for task in memory.waiting], ["guards.tasks.fail"], "one, and once"
        )
        self.assertEqual(memory.waiting[0].args, ["no power"])
        self.assertEqual(TaskRecord.objects.filter(status="READY").count(), 1)
