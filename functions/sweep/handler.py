"""Look for whatever would otherwise wait for ever (woken every minute by EventBridge Scheduler).

Nothing is lost when a run fails: the next one, a minute later, finds the same. A run that could
not look after some shard or campaign looks after the others, says what it did, and fails. Two runs
at once do no harm: every write is conditional. The alarm on the missing heartbeat says when no run
comes to its end.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sendmill import aws
from sendmill.errors import RetryableError
from sendmill.observe import logger, metrics, tracer
from sendmill.provider.account import ask_account
from sendmill.queue import QueueClient
from sendmill.rate import SAFETY
from sendmill.settings import SweepSettings, load
from sendmill.store import AccountStore, CampaignStore, RecipientStore, TimelineStore
from sendmill.store.watermarks import WatermarkStore
from sendmill.sweep import Report, Reputation, Stream, Sweeper
from sendmill.timeline import Point

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(SweepSettings)
dynamodb = aws.dynamodb()
queues = QueueClient(
    aws.sqs(),
    dispatch_url=settings.dispatch_queue_url,
    email_url=settings.email_queue_url,
    fair=settings.fair_queue == "true",
)
timeline = TimelineStore(dynamodb, settings.campaigns_table)
accounts = AccountStore(dynamodb, settings.campaigns_table)
watermarks = WatermarkStore(dynamodb, settings.campaigns_table)
ses = aws.ses_account("")


def stream() -> Stream:
    """Say how far the events have come; without a feedback queue they never come."""
    if not settings.feedback_queue_url:
        return Stream()
    return Stream(
        last_send=watermarks.read(settings.ses_configuration_set).settled(int(time.time())),
        waiting=queues.waiting(settings.feedback_queue_url),
        dead=queues.waiting(settings.feedback_dlq_url),
    )


def refresh_account() -> None:
    """Ask SES for the account, and keep the answer for every worker; the ledger cannot wait."""
    # the time of the question: what SES says is as old as that
    asked_at = int(time.time())
    try:
        fresh = replace(
            ask_account(ses),
            asked_at=asked_at,
            safety=float(settings.rate_safety_factor or SAFETY),
        )
    except RetryableError as error:
        logger.warning("account_not_refreshed", reason=str(error))
        return
    accounts.save_quota(settings.aws_region, fresh)
    metrics.add_metric(
        name="AccountQuotaUsedPercent", unit="Percent", value=round(fresh.used_percent(), 2)
    )
    metrics.add_metric(name="AccountStopped", unit="Count", value=int(fresh.in_trouble()))


def note_progress(campaign_id: str, point: Point) -> None:
    """Note how far a campaign has come; the sweep goes on where that cannot be."""
    try:
        timeline.note(campaign_id, point)
    except RetryableError as error:
        logger.warning("progress_not_noted", reason=str(error))  # the next minute notes it


def tell(report: Report) -> None:
    """Say what a sweep did and saw, one that failed in part too, in one log line and in metrics."""
    said = asdict(report)
    logger.info("swept", **said)
    if report.skipped:
        # the oldest may wait where nobody looked: no figure is no comfort, and alarms
        del said["oldest_open_seconds"]
    for name, value in said.items():
        unit = "Seconds" if name.endswith("_seconds") else "Count"
        title = "".join(word.capitalize() for word in name.split("_"))
        metrics.add_metric(name=f"Sweep{title}", unit=unit, value=int(value))


sweeper = Sweeper(
    ledger=RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table),
    book=CampaignStore(dynamodb, settings.campaigns_table),
    queues=queues,
    stream=stream,
    account=lambda: accounts.load(settings.aws_region),
    clock=lambda: int(time.time()),
    reputation=Reputation(**json.loads(settings.reputation or "{}")),
    note=note_progress,
    tell=tell,
    home=settings.aws_region,
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep once; what was found stands in one log line and in metrics."""
    refresh_account()
    report = sweeper.sweep(owner=context.aws_request_id)
    metrics.add_metric(name="SweepHeartbeat", unit="Count", value=1)
    return asdict(report)
