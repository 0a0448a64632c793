"""Which tests of others do not hold for us, and why; all others have to pass.

Keys end the id of a test. A key that names no test is an error, so the lists cannot grow stale.
"""

from __future__ import annotations

_OWN_IDS = "ours makes its ids itself: they sort by time"
_OTHER_STORE = "looks into the rows, indexes or queries of that backend's own table"
_OTHER_COMMAND = "is about the options of that backend's own commands"
_LOCKS = "is about locks on that backend's table: here SQS hands out the messages"
_PROCESS = "starts that backend's own worker program"

DJANGO = {
    "ImmediateBackendTestCase.test_cannot_pass_run_after": (
        "ours takes run_after: with synchronous tasks it is ignored with a warning, so that a "
        "developer's machine needs no other code"
    ),
    "DummyBackendTestCase.test_refresh_result": "changes an entry of the dummy's own list",
    "DummyBackendTestCase.test_refresh_result_async": "changes an entry of the dummy's own list",
    "DummyBackendTransactionTestCase.test_doesnt_wait_until_transaction_commit_by_default": (
        "ours waits; OPTIONS['on_commit'] = False makes it not wait"
    ),
    "CustomTaskTestCase.*": "brings a task class and a backend of its own; ours is not asked",
    "CustomBackendTestCase.*": "brings a backend of its own; ours is not asked",
}
# Django 6.1's tests on releases that lack what they are about.
BEFORE_61 = {
    "TaskTestCase.test_pickle_task": "tasks can be pickled from Django 6.1 on",
    "TaskTestCase.test_pickle_task_result": "tasks can be pickled from Django 6.1 on",
    "TaskTestCase.test_unpickle_arbitrary_string": "tasks can be pickled from Django 6.1 on",
    "TaskTestCase.test_unpickle_non_task_object": "tasks can be pickled from Django 6.1 on",
    "TaskTestCase.test_run_after_in_decorator": "the decorator takes more words from 6.1 on",
}
DJANGO_TASKS_DB = {
    "DatabaseBackendTestCase.test_invalid_task_path": _OTHER_STORE,
    "DatabaseBackendTestCase.test_missing_task_path": _OTHER_STORE,
    "DatabaseBackendTestCase.test_task_name": _OTHER_STORE,
    "DatabaseBackendTestCase.test_database_backend_app_missing": "names its own app",
    "DatabaseBackendTestCase.test_priority_range_check": _OTHER_STORE,
    "DatabaseBackendTestCase.test_index_scan_for_ready": _OTHER_STORE,
    "DatabaseBackendTestCase.test_run_after_null_0016_migration": _OTHER_STORE,
    "DatabaseBackendTestCase.test_run_after_tz": _OTHER_STORE,
    "DatabaseBackendTestCase.test_custom_id_function": _OWN_IDS,
    "DatabaseBackendTestCase.test_unknown_id_function": _OWN_IDS,
    "DatabaseBackendTestCase.test_postgres_db_id_function": _OWN_IDS,
    "DatabaseBackendTestCase.test_postgres_id_function_expression": _OWN_IDS,
    "DatabaseBackendWorkerTestCase.test_doesnt_process_different_backend": (
        "a queue belongs to one backend here, and its worker runs whatever is on it"
    ),
    "*.test_exclude_queues_requires_processing_all_queues": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_unknown_backend": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_incorrect_backend": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_negative_interval": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_infinite_interval": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_fractional_interval": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_zero_interval": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_negative_max_tasks": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_zero_max_tasks": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_too_long_worker_id": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_empty_worker_id": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_max_tasks": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_verbose_logging": _OTHER_COMMAND,
    "DatabaseBackendWorkerTestCase.test_run_after": "SQS or Scheduler delays: no table",
    "DatabaseBackendWorkerTestCase.test_run_after_priority": _OTHER_STORE,
    "DatabaseBackendWorkerTestCase.test_invalid_task_path": _OTHER_STORE,
    "DatabaseBackendWorkerTestCase.test_missing_task_path": _OTHER_STORE,
    "DatabaseBackendWorkerTestCase.test_task_import_string": _OTHER_STORE,
    "DatabaseBackendWorkerTestCase.test_worker_with_locked_rows": _LOCKS,
    "DatabaseTaskResultTestCase.*": _LOCKS,
    "ConnectionExclusiveTranscationTestCase.*": _LOCKS,
    "DatabaseBackendPruneTaskResultsTestCase.*": _OTHER_COMMAND,
    "DatabaseWorkerProcessTestCase.*": _PROCESS,
    "CompatTestCase.*": "is about its own module",
    "DBTaskResultOrderingTestCase.*": _OTHER_STORE,
    "AdminTestCase.*": "is about its own admin page",
}
