"""Stock Django tasks, sent through the backend and run by the worker's own code."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.test import TransactionTestCase, override_settings
from django.utils import timezone
from guards import tasks
from guards.models import GuardReport

from sendmill.contrib.django.compat import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    signals,
    task_backends,
)
from sendmill.contrib.django.events import task_event
from sendmill.contrib.django.models import TaskRecord
from sendmill.tasks.errors import DelayTooLong, EnqueueUnreachable, UnknownQueue
from tests.support import (
    DJANGO_LOG,
    QuietCase,
    body_of,
    in_memory,
    run_body,
    tasks_setting,
)


class RunTest(QuietCase):
    def test_a_task_waits_until_the_worker_has_run_it(self) -> None:
        report = GuardReport.objects.create(title="Night shift at gate 4")
        with in_memory() as memory:
            result = tasks.count_words.enqueue(report.pk)
            self.assertEqual(result.status, TaskResultStatus.READY)
            self.assertEqual(tasks.count_words.get_result(result.id), result)
            memory.run_all()
            self.assertEqual(result.status, TaskResultStatus.READY)
            result.refresh()
        self.assertEqual(result.return_value, 5)
        self.assertEqual(result.attempts, 1)
        self.assertLessEqual(result.enqueued_at, result.started_at)
        self.assertLessEqual(result.started_at, result.finished_at)
        report.refresh_from_db()
        self.assertEqual((report.words, report.runs), (5, 1))

    def test_results_are_found_in_memory_too(self) -> None:
        with in_memory(result_store="memory", receipts="memory") as memory:
            result = tasks.add.enqueue(1, b=2)
            memory.run_all()
            found: list[object] = []
            reader = threading.Thread(
                target=lambda: found.append(tasks.add.get_result(result.id).return_value)
            )
            reader.start()
            reader.join()
        self.assertEqual(found, [3])

    def test_a_coroutine_runs(self) -> None:
        with in_memory() as memory:
            result = tasks.add_async.enqueue(2, 3)
            memory.run_all()
            result.refresh()
        self.assertEqual(result.return_value, 5)

    def test_the_task_knows_its_attempt_and_is_tried_again(self) -> None:
        with in_memory() as memory:
            result = tasks.which_attempt.enqueue(until=3)
            memory.run_all()
            result.refresh()
        self.assertEqual(result.return_value, 3)
        self.assertEqual(result.attempts, 3)
        self.assertEqual([e.exception_class for e in result.errors], [RuntimeError] * 2)
        self.assertEqual(memory.dead, [])

    def test_the_third_failure_is_the_last_and_a_dead_letter_says_why(self) -> None:
        finished = []
        signals.task_finished.connect(
            lambda task_result, **_: finished.append(task_result.status),
            weak=False,
            dispatch_uid="t",
        )
        self.addCleanup(signals.task_finished.disconnect, dispatch_uid="t")
        with in_memory() as memory:
            result = tasks.fail.enqueue("no power at gate 4")
            memory.run_all()
            result.refresh()
        self.assertEqual(result.status, TaskResultStatus.FAILED)
        self.assertEqual(len(result.errors), 3)
        self.assertEqual(result.errors[0].exception_class, ValueError)
        self.assertIn("ValueError: no power at gate 4", result.errors[0].traceback)
        self.assertEqual(finished, [TaskResultStatus.FAILED])
        ((_, reason),) = memory.dead
        self.assertEqual(reason["reason"], "attempts_exhausted")
        self.assertIn("no power", reason["error"])

    def test_a_value_that_is_no_json_fails_the_task_and_does_not_run_it_again(self) -> None:
        report = GuardReport.objects.create(title="Gate")
        with in_memory() as memory:
            result = tasks.return_no_json.enqueue(report.pk)
            memory.run_all()
            result.refresh()
        self.assertEqual(result.status, TaskResultStatus.FAILED)
        self.assertEqual(result.attempts, 1)
        self.assertEqual(result.errors[0].exception_class, TypeError)
        report.refresh_from_db()
        self.assertEqual(report.runs, 1)

    def test_a_message_that_comes_twice_runs_once(self) -> None:
        report = GuardReport.objects.create(title="Gate")
        with in_memory() as memory:
            tasks.count_words.enqueue(report.pk)
            memory.send(memory.sent[0].message)
            memory.run_all()
        report.refresh_from_db()
        self.assertEqual(report.runs, 1)

    def test_a_task_of_another_process_is_found_by_its_path(self) -> None:
        with in_memory() as memory:
            result = tasks.add.enqueue(1, 2)
            TaskRecord.objects.all().delete()
            memory.run_all()
            self.assertEqual(tasks.add.get_result(result.id).return_value, 3)

    def test_a_renamed_task_is_found_by_its_old_path(self) -> None:
        aliases = {"guards.old.sum_up": "guards.tasks.add"}
        with in_memory(aliases=aliases) as memory:
            body = body_of("guards.old.sum_up", 4, 5)
            self.assertEqual(run_body(memory, body), 1)
            self.assertEqual(memory.dead, [])
            self.assertEqual(TaskRecord.objects.get().return_value, 9)

    def test_nothing_outside_the_installed_apps_is_imported_for_a_message(self) -> None:
        for path in ("subprocess.check_output", "os.getcwd", "guards.tasks.nothing", "nowhere.x"):
            with self.subTest(path), in_memory() as memory:
                run_body(memory, body_of(path))
                ((_, reason),) = memory.dead
                self.assertEqual(reason["reason"], "unknown_task")

    def test_what_a_receiver_of_a_signal_raises_fails_no_task(self) -> None:
        def broken(**_: object) -> None:
            raise RuntimeError("receiver")

        for signal in (signals.task_enqueued, signals.task_started, signals.task_finished):
            signal.connect(broken, weak=False, dispatch_uid="broken")
            self.addCleanup(signal.disconnect, dispatch_uid="broken")
        dispatch = logging.getLogger("django.dispatch")
        dispatch.setLevel(logging.CRITICAL)
        self.addCleanup(dispatch.setLevel, logging.NOTSET)
        with in_memory() as memory:
            result = tasks.add.enqueue(1, 2)
            memory.run_all()
            result.refresh()
        self.assertEqual(result.status, TaskResultStatus.SUCCESSFUL)

    def test_events_of_the_worker_are_a_signal(self) -> None:
        seen = []
        task_event.connect(
            lambda event, **_: seen.append((event.name, event.task)), weak=False, dispatch_uid="t"
        )
        self.addCleanup(task_event.disconnect, dispatch_uid="t")
        with in_memory() as memory:
            tasks.add.enqueue(1, 2)
            memory.run_all()
        name = "guards.tasks.add"
        self.assertEqual(seen, [("enqueued", name), ("started", name), ("succeeded", name)])

    def test_a_dead_letter_that_never_ran_settles_its_result(self) -> None:
        with in_memory(defaults={"timeout": 1}) as memory:
            result = tasks.add.enqueue(1, 2)
            TaskRecord.objects.update(kwargs={"c": 3})
            body = memory.waiting.pop().message
            wrong = body.body.replace('"args":[1,2]', '"args":[1,2,3]')
            self.assertNotEqual(wrong, body.body)
            run_body(memory, wrong)
            result.refresh()
        self.assertEqual(result.status, TaskResultStatus.FAILED)


class ModesTest(TransactionTestCase):
    def test_synchronous_tasks_run_at_once_and_keep_their_error(self) -> None:
        with override_settings(TASKS=tasks_setting(result_store="orm"), USE_ASYNC_TASKS=False):
            done = tasks.add.enqueue(1, 2)
            with self.assertLogs(DJANGO_LOG, "ERROR"):
                failed = tasks.fail.enqueue("no")
            self.assertEqual(tasks.add.get_result(done.id).return_value, 3)
        self.assertEqual(done.return_value, 3)
        self.assertEqual(failed.status, TaskResultStatus.FAILED)
        self.assertEqual(failed.attempts, 1)

    def test_without_a_store_there_are_no_results_and_no_queries(self) -> None:
        with override_settings(TASKS=tasks_setting(), USE_ASYNC_TASKS=False):
            with self.assertNumQueries(0):
                result = tasks.add.enqueue(1, 2)
            self.assertFalse(task_backends["default"].supports_get_result)
            with self.assertRaises(NotImplementedError):
                tasks.add.get_result(result.id)

    def test_an_unknown_id_is_no_result(self) -> None:
        for store in ("orm", "memory"):
            with self.subTest(store), in_memory(result_store=store):
                with self.assertRaises(TaskResultDoesNotExist):
                    tasks.add.get_result("018f")
                with self.assertRaises(TaskResultDoesNotExist):
                    tasks.add.get_result("x" * 500)

    async def test_everything_has_an_async_side(self) -> None:
        with in_memory() as memory:
            result = await tasks.add.aenqueue(1, 2)
            found = await tasks.add.aget_result(result.id)
            self.assertEqual(found, result)
            await result.arefresh()
        self.assertEqual(memory.sent[0].args, [1, 2])

    def test_a_queue_that_is_away_raises_with_the_id(self) -> None:
        url = "http://127.0.0.1:9/000000000000/tasks"
        options = {"queue_urls": {"default": url}, "region_name": "us-east-1"}
        away = self.settings(TASKS=tasks_setting(**options), USE_ASYNC_TASKS=True)
        with away, self.assertRaises(EnqueueUnreachable) as caught:
            tasks.add.enqueue(1, 2)
        self.assertTrue(caught.exception.task_id)

    def test_a_task_may_run_here_when_its_queue_is_away(self) -> None:
        url = "http://127.0.0.1:9/000000000000/tasks"
        options = {
            "queue_urls": {"default": url},
            "region_name": "us-east-1",
            "result_store": "orm",
            "tasks": {"add": {"sync_fallback": True}},
        }
        with self.settings(TASKS=tasks_setting(**options), USE_ASYNC_TASKS=True):
            with self.assertLogs("sendmill.tasks", "ERROR"):
                result = tasks.add.enqueue(1, 2)
            self.assertEqual(result.return_value, 3)
            self.assertEqual(tasks.add.get_result(result.id).return_value, 3)


class QueueTest(QuietCase):
    def test_priorities_choose_a_queue_where_a_map_says_so(self) -> None:
        ladder = {50: "urgent", -100: "slow", 0: "default"}
        queues = ["default", "urgent", "slow", "files"]
        with in_memory(queues, priority_queues=ladder) as memory:
            tasks.add.enqueue(1, 1)
            tasks.add.using(priority=70).enqueue(1, 1)
            tasks.add.using(priority=-1).enqueue(1, 1)
            tasks.add.using(priority=70, queue_name="files").enqueue(1, 1)
        self.assertEqual(
            [task.queue for task in memory.sent], ["default", "urgent", "slow", "files"]
        )

    def test_without_such_a_map_there_are_no_priorities(self) -> None:
        with in_memory(), self.assertRaises(InvalidTask):
            tasks.add.using(priority=1)

    def test_a_task_that_runs_later_is_delayed(self) -> None:
        with in_memory() as memory:
            tasks.add.using(run_after=timezone.now() + timedelta(seconds=600)).enqueue(1, 1)
        self.assertAlmostEqual(memory.sent[0].delay_seconds, 600, delta=2)

    @override_settings(USE_TZ=False)
    def test_a_time_without_a_zone_is_the_projects_own(self) -> None:
        with in_memory() as memory:
            soon = timezone.now() + timedelta(seconds=600)
            self.assertTrue(timezone.is_naive(soon))
            with self.assertRaises(InvalidTask):
                tasks.add.using(run_after=soon + timedelta(hours=1)).enqueue(1, 1)
            result = tasks.add.using(run_after=soon).enqueue(1, 1)
            self.assertAlmostEqual(memory.sent[0].delay_seconds, 600, delta=2)
            self.assertEqual(tasks.add.get_result(result.id), result)
            run_body(memory, body_of("guards.tasks.add", 4, 5))
            rows = TaskRecord.objects.filter(status="SUCCESSFUL")
            self.assertEqual([row.return_value for row in rows], [9])

    def test_over_fifteen_minutes_needs_a_scheduler(self) -> None:
        later = timezone.now() + timedelta(hours=1)
        with in_memory():
            with self.assertRaises(InvalidTask) as caught:
                tasks.add.using(run_after=later).enqueue(1, 1)
            self.assertIsInstance(caught.exception, DelayTooLong)
            self.assertEqual(TaskRecord.objects.count(), 0)

    def test_an_unknown_queue_is_refused(self) -> None:
        with in_memory(), self.assertRaises(InvalidTask):
            tasks.add.using(queue_name="nowhere")

    def test_a_queue_without_url_is_refused_before_the_transaction_commits(self) -> None:
        setting = tasks_setting(queue_urls={"mail": "http://127.0.0.1:9/0/mail"})
        asked = self.settings(TASKS=setting, USE_ASYNC_TASKS=True, AWS_SQS_QUEUE_URL=None)
        with asked, self.assertRaises(UnknownQueue):
            tasks.add.enqueue(1, 2)

    def test_policies_come_from_the_options_by_name_or_path(self) -> None:
        options = {"fail": {"max_attempts": 1}, "guards.tasks.add": {"timeout": 7}}
        with in_memory(tasks=options, defaults={"timeout": 5}) as memory:
            backend = task_backends["default"]
            self.assertEqual(backend.policy(tasks.add).timeout, 7)
            self.assertEqual(backend.policy(tasks.fail).timeout, 5)
            tasks.fail.enqueue("x")
            memory.run_all()
        self.assertEqual(memory.sent[0].receives, 1)
