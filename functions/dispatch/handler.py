"""Fan campaigns out (woken by SQS, one job a message).

What happens to a job:

- done: its messages are on their queues, and it is deleted;
- the ledger, the list or a queue could not be reached: it is seen again after the visibility
  timeout, and doing it twice changes nothing;
- nobody can act on it (no job, an unknown campaign): after its receives it lies in the
  dead-letter queue.

Jobs of one batch do not affect each other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sendmill import aws
from sendmill.dispatch import WORKER_FIELDS, Dispatcher, parse_job
from sendmill.errors import SendmillError
from sendmill.observe import logger, metrics, tracer
from sendmill.queue import QueueClient
from sendmill.rate import drain_seconds
from sendmill.secret import SecretStore
from sendmill.settings import DispatchSettings, load
from sendmill.store import AccountStore, CampaignStore, ListStore, RecipientStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(DispatchSettings)
dynamodb = aws.hot_dynamodb()
accounts = AccountStore(dynamodb, settings.campaigns_table)
dispatcher = Dispatcher(
    rows=RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table),
    book=CampaignStore(dynamodb, settings.campaigns_table),
    lists=ListStore(dynamodb, settings.campaigns_table, aws.s3(), settings.contacts_bucket),
    queues=QueueClient(
        aws.sqs(),
        dispatch_url=settings.dispatch_queue_url,
        email_url=settings.email_queue_url,
        fair=settings.fair_queue == "true",
    ),
    hash_key=SecretStore(aws.secretsmanager()).hash_key(settings.keys_secret_name),
    clock=lambda: int(time.time()),
    drain_seconds=lambda mails: drain_seconds(accounts.load(settings.aws_region), mails),
    extra_fields=WORKER_FIELDS,
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer which jobs of the batch are to be seen again (ReportBatchItemFailures)."""
    failures = []
    for record in event["Records"]:
        try:
            job = parse_job(record["body"])
            counts = dispatcher.do(job)
            metrics.add_metric(name="JobsDone", unit="Count", value=1)
            logger.info(
                "job_done",
                op=job.op,
                campaign_id=job.campaign_id,
                first=job.first,
                counts=counts,
            )
        except SendmillError as error:
            logger.exception("job_failed", reason=str(error), message_id=record["messageId"])
            metrics.add_metric(name="JobsFailed", unit="Count", value=1)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
