"""Answer the HTTP API (woken by API Gateway; every route demands a token).

A request is either done or refused: errors come back as RFC 9457 problem details that name what
was wrong, and a failure of a service behind the API is a 503 that may be asked again.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from routes import build_routes
from sendmill import aws
from sendmill.lifecycle import Office
from sendmill.observe import logger, metrics, tracer
from sendmill.queue import QueueClient
from sendmill.settings import ApiSettings, load
from sendmill.store import CampaignStore, ListStore, RecipientStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(ApiSettings)
dynamodb = aws.dynamodb()
lists = ListStore(dynamodb, settings.campaigns_table, aws.s3(), settings.contacts_bucket)
campaigns = CampaignStore(dynamodb, settings.campaigns_table)
office = Office(
    lists=lists,
    campaigns=campaigns,
    rows=RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table),
    queue=QueueClient(aws.sqs(), dispatch_url=settings.dispatch_queue_url),
    clock=lambda: int(time.time()),
    new_id=lambda kind: f"{kind}_{int(time.time())}{secrets.token_hex(4)}",
    default_from=settings.default_from_email,
)
app = APIGatewayHttpResolver()
app.include_router(build_routes(office, lists=lists, campaigns=campaigns))


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    started = time.monotonic()
    answer = app.resolve(event, context)
    logger.info(
        "request_answered",
        route=event.get("routeKey"),
        status=answer["statusCode"],
        milliseconds=int((time.monotonic() - started) * 1000),
    )
    return answer
