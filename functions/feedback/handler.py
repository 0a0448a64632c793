"""Take SES's events into the ledger (woken by SQS, which an SNS topic feeds).

What happens to a message:

- an event of a mail of ours: addresses that bounced for ever or complained are suppressed, the
  recipient's row hears the news, and the message is deleted; twice or late, it changes nothing;
- an event of another sender of the account, an open or a click, SES's own greeting, and
  whatever another topic or configuration set sent: counted and deleted;
- what ought to be an event and is none: returned, and after its receives it lies in the
  dead-letter queue;
- the ledger cannot be reached: the whole batch is seen again after the visibility timeout.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from sendmill import aws
from sendmill.errors import RetryableError
from sendmill.feedback import Heard, Listener
from sendmill.observe import logger, metrics, tracer
from sendmill.secret import SecretStore
from sendmill.settings import FeedbackSettings, load
from sendmill.store import RecipientStore, SuppressionStore, WatermarkStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(FeedbackSettings)
dynamodb = aws.dynamodb()
listener = Listener(
    ledger=RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table),
    suppressions=SuppressionStore(dynamodb, settings.recipients_table),
    watermarks=WatermarkStore(dynamodb, settings.campaigns_table),
    hash_key=SecretStore(aws.secretsmanager()).hash_key(settings.keys_secret_name),
    clock=lambda: int(time.time()),
    configuration_set=settings.ses_configuration_set,
    topic_arn=settings.feedback_topic_arn,
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again (ReportBatchItemFailures)."""
    records = event["Records"]
    try:
        heard = listener.listen(
            [record["body"] for record in records], owner=context.aws_request_id
        )
    except RetryableError as error:
        logger.warning("events_not_taken", reason=str(error), events=len(records))
        metrics.add_metric(name="EventsNotTaken", unit="Count", value=len(records))
        return _failures(record["messageId"] for record in records)
    for one in heard:
        _tell(one)
    counts = Counter(one.outcome for one in heard)
    logger.info("events_taken", events=len(records), outcomes=dict(counts))
    for outcome, count in counts.items():
        metrics.add_metric(name=f"Events_{outcome}", unit="Count", value=count)
    return _failures(
        record["messageId"] for record, one in zip(records, heard, strict=True) if one.malformed
    )


def _tell(one: Heard) -> None:
    """Write one line for a row that changed, and for what should not have come."""
    if one.changed:
        logger.info(
            "news_heard",
            news=one.outcome,
            reason=one.reason,
            campaign_id=one.campaign_id,
            recipient_id=one.rid,
            attempt=one.attempt,
            provider_id=one.message_id,
        )
    elif one.malformed or one.outcome.startswith("foreign"):
        logger.warning("event_refused", outcome=one.outcome, reason=one.reason)


def _failures(message_ids: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in message_ids]}
