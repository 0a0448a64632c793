"""What a task cannot be given is refused where it is called, and the same in every mode."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from django.db import models
from django.test import SimpleTestCase
from django.utils.safestring import mark_safe
from guards import tasks

from sendmill.contrib.django.execution import plain
from tests.support import in_memory, tasks_setting

# A port on which nothing listens: what is refused must be refused before anybody is asked.
NOWHERE = {"queue_urls": {"default": "http://127.0.0.1:9/0/x"}, "region_name": "us-east-1"}
MODES = {
    "sync": {"TASKS": tasks_setting(), "USE_ASYNC_TASKS": False},
    "memory": {"TASKS": tasks_setting(transport="memory"), "USE_ASYNC_TASKS": True},
    "sqs": {"TASKS": tasks_setting(**NOWHERE), "USE_ASYNC_TASKS": True},
}


class Color(models.TextChoices):
    RED = "red"


class ArgumentsTest(SimpleTestCase):
    def refusals(self, task, *args: object, **kwargs: object) -> set[tuple[str, str]]:
        """Return the errors of all three modes: one, when they are the same."""
        found = set()
        for settings in MODES.values():
            with self.settings(**settings), self.assertRaises(TypeError) as caught:
                task.enqueue(*args, **kwargs)
            found.add((type(caught.exception).__name__, str(caught.exception)))
        return found

    def test_a_call_that_does_not_fit_the_signature_is_refused(self) -> None:
        for args, kwargs in (((1,), {}), ((1, 2, 3), {}), ((1, 2), {"nope": 3}), ((), {"a": 1})):
            with self.subTest(args=args, kwargs=kwargs):
                ((kind, said),) = self.refusals(tasks.add, *args, **kwargs)
                self.assertEqual(kind, "InvalidTaskCall")
                self.assertIn("guards.tasks.add(a: int, b: int)", said)

    def test_the_context_is_no_argument_of_the_caller(self) -> None:
        ((kind, _),) = self.refusals(tasks.which_attempt, object(), 1, 2)
        self.assertEqual(kind, "PayloadNotSerializable")
        ((kind, _),) = self.refusals(tasks.which_attempt, 1, 2)
        self.assertEqual(kind, "InvalidTaskCall")

    def test_what_would_not_come_back_is_refused_with_what_to_pass_instead(self) -> None:
        for value, said in (
            (float("nan"), "finite"),
            (float("inf"), "finite"),
            ({1: "x"}, "keys must be str"),
            (dt.datetime(2026, 11, 23, tzinfo=dt.UTC), "isoformat"),
            ({1, 2}, "sorted"),
            (uuid.UUID(int=1), "str(value)"),
            (Decimal(1), "str(value)"),
            (object(), "pass an id"),
        ):
            with self.subTest(value=value):
                ((kind, message),) = self.refusals(tasks.take_anything, {"deep": [value]})
                self.assertEqual(kind, "PayloadNotSerializable")
                self.assertIn(said, message)
                self.assertIn("args[0].deep[0]", message)

    def test_what_django_takes_is_taken(self) -> None:
        given = {"t": (1, 2), "b": b"text", "c": Color.RED, "s": mark_safe("<b>")}
        found = plain(given, "kwargs")
        self.assertEqual(found, {"t": [1, 2], "b": "text", "c": "red", "s": "<b>"})
        self.assertEqual({type(value) for value in found.values()}, {list, str})

    def test_the_task_sees_the_same_in_every_mode(self) -> None:
        given = [1, 1.5, None, True, "ä\x00", {"k": [(1,)]}]
        with self.settings(**MODES["sync"]):
            synchronous = tasks.take_anything.enqueue(*given, key=(1,)).return_value
        with in_memory(receipts="memory", result_store="memory") as memory:
            result = tasks.take_anything.enqueue(*given, key=(1,))
            memory.run_all()
            result.refresh()
        self.assertEqual(synchronous, result.return_value)
        self.assertEqual(synchronous, [[1, 1.5, None, True, "ä\x00", {"k": [[1]]}], {"key": [1]}])
