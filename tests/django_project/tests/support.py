"""What the tests share: tasks that are kept in memory and run by the worker's own code."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
from django.core.management import call_command
from django.test import TransactionTestCase, override_settings
from moto import mock_aws

from sendmill.contrib.django.compat import Task
from sendmill.contrib.django.result_stores import shared_memory
from sendmill.tasks import clients
from sendmill.tasks.runtime import runtime
from sendmill.tasks.transports import Outgoing
from sendmill.tasks.transports.memory import MemoryTransport
from sendmill.tasks.uuid7 import new_id

# django.tasks, or django_tasks on 5.2
DJANGO_LOG = Task.__module__.removesuffix(".base")
BACKEND = "sendmill.contrib.django.backend.SqsLambdaBackend"


def tasks_setting(queues: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """Return TASKS with one backend of ours."""
    return {
        "default": {
            "BACKEND": BACKEND,
            "QUEUES": ["default"] if queues is None else queues,
            "OPTIONS": options,
        }
    }


@contextmanager
def in_memory(queues: list[str] | None = None, **options: Any) -> Iterator[MemoryTransport]:
    """Keep in memory what is sent in the block, with results and receipts in the database."""
    chosen = {"transport": "memory", "receipts": "orm", "result_store": "orm", **options}
    with override_settings(TASKS=tasks_setting(queues, **chosen), USE_ASYNC_TASKS=True):
        shared_memory.cache_clear()
        found = runtime().transport
        assert isinstance(found, MemoryTransport)
        yield found


class QuietCase(TransactionTestCase):
    """A test whose tasks fail on purpose: their tracebacks are in no log."""

    def setUp(self) -> None:
        """Silence both loggers until the test is over."""
        for name in ("sendmill.tasks", DJANGO_LOG):
            logger = logging.getLogger(name)
            self.addCleanup(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)


def body_of(path: str, *args: object) -> str:
    """Return a message for a task."""
    return json.dumps({"v": 1, "id": new_id(), "task": path, "args": args, "kwargs": {}})


def run_body(memory: MemoryTransport, body: str) -> int:
    """Have the worker handle a message that somebody else wrote."""
    memory.send(Outgoing(body=body, queue="default", task="?", task_id="?"))
    return memory.run_all()


class CloudCase(QuietCase):
    """A test with SQS in this process (moto): a queue, its dead-letter queue, and settings."""

    def setUp(self) -> None:
        """Make the queues."""
        super().setUp()
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        for context in (mock.patch.dict(os.environ, keys), mock_aws()):
            context.__enter__()
            self.addCleanup(context.__exit__, None, None, None)
        clients.forget_clients()
        self.addCleanup(clients.forget_clients)
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        self.dead = self._queue("tasks-dlq", MessageRetentionPeriod="1209600")
        self.redrive(most=5)
        self.enterContext(self.settings(TASKS=self.tasks(), USE_ASYNC_TASKS=True))

    def tasks(self, **options: Any) -> dict[str, Any]:
        """Return TASKS with these queues."""
        return tasks_setting(
            queue_urls={"default": self.url},
            dead_letter_queue_urls={"default": self.dead},
            region_name="us-east-1",
            receipts="orm",
            result_store="orm",
            **options,
        )

    def redrive(self, *, most: int) -> None:
        """Make the queue, or change after how many receives SQS moves a message."""
        policy = {"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": most}
        named = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "1800"}
        if hasattr(self, "url"):
            self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=named)
        else:
            self.url = self._queue("tasks", **named)

    def arn(self, url: str) -> str:
        """Return the ARN of a queue."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def waiting(self, url: str) -> int:
        """Return how many messages a queue holds, hidden ones too."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return sum(int(found["Attributes"][name]) for name in names)

    def command(self, *words: str, **options: Any) -> str:
        """Return what a command of manage.py prints."""
        said = io.StringIO()
        call_command(*words, stdout=said, **options)
        return said.getvalue()

    def _queue(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
