"""Run the background tasks of a queue (woken by SQS).

Applications put them there, and EventBridge Scheduler and S3 may too.

What happens to a message:

- its task ran, now or before, or there was nothing to do: the message is deleted;
- its task failed and may be tried again: it comes back after the pause of its attempt;
- it failed for the third time, or in a way that will not pass, or nobody knows the task or can
  read the message: it is copied to the dead-letter queue with the reason, and deleted;
- the time of this invocation is over, or another worker runs the task: it comes back later, and
  that counts as no attempt.

Messages of one batch do not affect each other. A message may come twice, at the same moment too: a
receipt lets one worker run it. Tasks of your own go into task_handlers.py.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import task_handlers
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from sendmill import aws
from sendmill.observe import logger, metrics, tracer
from sendmill.tasks import TaskEvent, configure, lambda_handler, listen
from sendmill.tasks.config import current
from sendmill.tasks.receipts.dynamodb import DynamoReceipts

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Receipts are two writes a task: the lean client does them in a quarter of boto3's time.
receipts = DynamoReceipts(current().receipts_table, dynamodb=aws.hot_dynamodb())
configure(modules=("sendmill.tasks.builtin", task_handlers.__name__), receipts=receipts)
# The lines of the package become ours: JSON, and without addresses.
logging.getLogger("sendmill")
copy_config_to_registered_loggers(logger, include={"sendmill"})


@listen
def count(event: TaskEvent) -> None:
    """Count what happened to a task."""
    metrics.add_metric(name=f"Tasks_{event.name}", unit="Count", value=1)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again (ReportBatchItemFailures)."""
    answer = lambda_handler(event, context)
    messages, kept = len(event["Records"]), len(answer["batchItemFailures"])
    logger.info("batch_handled", messages=messages, kept=kept)
    metrics.add_metric(name="Task_messages", unit="Count", value=messages)
    return answer
