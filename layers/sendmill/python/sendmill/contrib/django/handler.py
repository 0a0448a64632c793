"""Be the Lambda function that runs a project's tasks: ``sendmill.contrib.django.handler``.

Pack the project with it, set ``DJANGO_SETTINGS_MODULE``, and name ``lambda_handler`` of this module
as the function's handler; its event source mapping must have ``ReportBatchItemFailures``. A
worker's ``USE_ASYNC_TASKS`` only says what becomes of the tasks that it sends itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again."""
    _set_up()
    from django.db import connections, reset_queries

    from sendmill.tasks.worker.handler import lambda_handler as handle

    reset_queries()
    try:
        return handle(event, context)
    finally:
        # a frozen function keeps no connection that the database would close meanwhile
        connections.close_all()


@lru_cache(maxsize=1)
def _set_up() -> None:
    """Set Django up at the first call: the time before it is limited to ten seconds."""
    import django

    django.setup()
