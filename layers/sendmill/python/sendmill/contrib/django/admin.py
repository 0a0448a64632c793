"""Admin pages to look at; nothing can be changed there but a result sent again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from sendmill.contrib.django.models import TaskReceipt, TaskRecord, UnsentTask
from sendmill.contrib.django.results import result_of
from sendmill.contrib.django.results_orm import OrmResults


class ReadOnlyAdmin(admin.ModelAdmin):
    """Show rows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: ``tasks_prune`` deletes what is old."""
        return False


@admin.register(TaskRecord)
class TaskRecordAdmin(ReadOnlyAdmin):
    """Show what became of tasks; send those that failed once more, as new tasks."""

    list_display = ("id", "task", "status", "queue_name", "enqueued_at", "finished_at")
    list_filter = ("status", "queue_name", "task")
    search_fields = ("id", "task")
    date_hierarchy = "enqueued_at"
    actions = ("send_again",)

    @admin.action(description="Send again, as new tasks", permissions=["requeue"])
    def send_again(self, request: HttpRequest, rows: Any) -> None:
        """Send the tasks of failed rows."""
        sent = 0
        for row in rows.filter(status=TaskRecord.Status.FAILED):
            record = OrmResults().read(row.pk)
            if record is not None:
                task = result_of({**record, "run_after": None}).task
                task.enqueue(*record["args"], **record["kwargs"])
                sent += 1
        self.message_user(request, f"{sent} sent", messages.SUCCESS)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to change tasks."""
        return bool(request.user.has_perm("sendmill.change_taskrecord"))


@admin.register(TaskReceipt)
class TaskReceiptAdmin(ReadOnlyAdmin):
    """Show who runs or has run a task."""

    list_display = ("key", "task", "completed", "attempts", "error", "updated_at")
    list_filter = ("completed",)
    search_fields = ("key", "task")


@admin.register(UnsentTask)
class UnsentTaskAdmin(ReadOnlyAdmin):
    """Show what waits for its queue."""

    list_display = ("task_id", "queue", "created_at")
    search_fields = ("task_id",)
