"""Rows for those who keep results, receipts or unsent tasks in their database."""

from __future__ import annotations

from django.db import models


class TaskRecord(models.Model):
    """What became of one task: the store ``result_store = "orm"``."""

    class Status(models.TextChoices):
        """Django's own statuses of a result."""

        READY = "READY", "Ready"
        RUNNING = "RUNNING", "Running"
        FAILED = "FAILED", "Failed"
        SUCCESSFUL = "SUCCESSFUL", "Successful"

    id = models.CharField(primary_key=True, max_length=64)
    task = models.CharField(max_length=255)
    queue_name = models.CharField(max_length=80)
    priority = models.SmallIntegerField(default=0)
    run_after = models.DateTimeField(null=True)
    backend = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.READY)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    return_value = models.JSONField(null=True)
    errors = models.JSONField(default=list)
    worker_ids = models.JSONField(default=list)
    enqueued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    last_attempted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """The newest first."""

        ordering = ("-enqueued_at",)
        verbose_name = "task"
        indexes = (
            models.Index(fields=["-enqueued_at"], name="sendmill_task_newest"),
            models.Index(fields=["status", "finished_at"], name="sendmill_task_status"),
        )

    def __str__(self) -> str:
        return f"{self.task} {self.id} {self.status}"


class TaskReceipt(models.Model):
    """Who runs a task, and who has run it: the store ``receipts = "orm"``."""

    key = models.CharField(primary_key=True, max_length=255)
    task = models.CharField(max_length=255)
    completed = models.BooleanField(default=False)
    owner = models.CharField(max_length=80, default="")
    lease_until = models.FloatField(default=0, help_text="seconds since 1970")
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, default="")
    updated_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Found by age, when old ones are pruned."""

        indexes = (models.Index(fields=["updated_at"], name="sendmill_receipt_age"),)

    def __str__(self) -> str:
        return self.key


class UnsentTask(models.Model):
    """A task that waits for its queue to come back: ``outbox = "orm"``."""

    task_id = models.CharField(primary_key=True, max_length=128)
    queue = models.CharField(max_length=80)
    body = models.TextField()
    group = models.CharField(max_length=128, default="")
    not_before = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The oldest first."""

        ordering = ("created_at",)
        indexes = (models.Index(fields=["created_at"], name="sendmill_unsent_age"),)

    def __str__(self) -> str:
        return self.task_id
