"""Send the mails of the e-mail queue (woken by SQS, ten messages at a time).

What happens to a message:

- its mail was accepted, failed for ever, is suppressed, unknown or to be tried later: the ledger
  says so, and the message is deleted (what is due later, the sweep puts on the queue again);
- its recipient is busy in another worker: the message is deleted, the sweep watches the lease;
- nobody can act on it (no JSON, no contact, an unknown campaign): it is returned at once, and
  after three receives it lies in the dead-letter queue;
- the ledger cannot be reached: the messages are returned by the visibility timeout.

Messages of one batch do not affect each other. A message may come twice, at the same moment too:
the claim lets one worker send.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from sendmill import aws
from sendmill.batch import EmailBatch
from sendmill.delivery import Deliverer
from sendmill.observe import logger, metrics, tracer
from sendmill.provider import ProviderMailer, SesProvider
from sendmill.provider.account import ask_account
from sendmill.queue import QueueClient
from sendmill.secret import SecretStore
from sendmill.settings import WorkerSettings, load
from sendmill.store import AccountStore, CampaignStore, RecipientStore, SharedLimiter
from sendmill.unsubscribe import links_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(WorkerSettings)
dynamodb = aws.hot_dynamodb()
secrets = SecretStore(aws.secretsmanager())
links = links_of(settings.public_url, keyring=partial(secrets.keyring, settings.keys_secret_name))
batch = EmailBatch(
    deliverer=Deliverer(
        ledger=RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table),
        campaigns=CampaignStore(dynamodb, settings.campaigns_table),
        mailer=ProviderMailer(
            ses=lambda region: SesProvider(
                aws.sesv2(region), configuration_set=settings.ses_configuration_set
            ),
            secrets=secrets,
            default_secret_name=settings.mail_secret_name,
            home=settings.aws_region,
        ).prepare(),
        hash_key=secrets.hash_key(settings.keys_secret_name),
        clock=lambda: int(time.time()),
        jitter=random.random,
        sleep=time.sleep,
        limiter=SharedLimiter(
            AccountStore(dynamodb, settings.campaigns_table),
            ask=lambda region: ask_account(aws.ses_account(region)),
            home=settings.aws_region,
        ),
        links=links,
    ),
    queue=QueueClient(aws.sqs(), email_url=settings.email_queue_url),
    default_from=settings.default_from_email,
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer which messages of the batch are to be seen again (ReportBatchItemFailures)."""
    failures = batch.handle(
        event["Records"],
        owner=context.aws_request_id,
        remaining_seconds=context.get_remaining_time_in_millis() // 1000,
        logger=logger,
        metrics=metrics,
    )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}
