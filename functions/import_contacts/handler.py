"""Read uploaded files of contacts into lists (woken by SQS, one import a message).

What happens to a message:

- the import is over, or another run holds it: it is deleted;
- time is running out: the cursor is kept, a new message asks for the rest, this one is deleted;
- the table, the bucket or the queue could not be reached: it is seen again after the visibility
  timeout, and the import goes on at its cursor;
- nobody can act on it (no import id, an unknown import): after its receives it lies in the
  dead-letter queue.

A file that cannot be read makes the import ``failed`` with the reason, and is no error here.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sendmill import aws
from sendmill.errors import InvalidMessage, SendmillError
from sendmill.import_run import Importer
from sendmill.observe import logger, metrics, tracer
from sendmill.queue import QueueClient
from sendmill.settings import ImportSettings, load
from sendmill.store import ImportBook, ListStore, UploadDepot

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(ImportSettings)
dynamodb, s3 = aws.dynamodb(), aws.s3()
lists = ListStore(dynamodb, settings.campaigns_table, s3, settings.contacts_bucket)
importer = Importer(
    book=ImportBook(dynamodb, settings.campaigns_table, lists),
    depot=UploadDepot(s3, settings.contacts_bucket),
    lists=lists,
    queue=QueueClient(aws.sqs(), import_url=settings.import_queue_url),
    clock=lambda: int(time.time()),
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again (ReportBatchItemFailures)."""
    failures = []
    for record in event["Records"]:
        try:
            go_on(record, context)
        except SendmillError as error:
            logger.exception("import_broke_off", reason=str(error), message_id=record["messageId"])
            metrics.add_metric(name="ImportsBrokenOff", unit="Count", value=1)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def go_on(record: dict[str, Any], context: LambdaContext) -> None:
    """Go on with the import that a message names."""
    import_id = import_of(record["body"])
    found = importer.run(
        import_id,
        owner=f"{context.aws_request_id}/{record['messageId']}",
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    status = found.status if found else "held_or_over"
    metrics.add_metric(name="ImportRuns", unit="Count", value=1)
    rows = found.cursor.rows if found else 0
    logger.info("import_run", import_id=import_id, status=status, rows=rows)


def import_of(body: str) -> str:
    """Return the import that a message names; raises InvalidMessage."""
    try:
        return str(json.loads(body)["import_id"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidMessage(f"body must name an import ({error!r})") from error
