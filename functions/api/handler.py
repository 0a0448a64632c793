"""Answer the HTTP API (woken by API Gateway; every route but /u demands a token).

A request is either done or refused: errors come back as RFC 9457 problem details that name what
was wrong, and a failure of a service behind the API is a 503 that may be asked again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from gate import make_app
from headers import secured
from routes import build_routes
from sendmill import aws
from sendmill.backlog import WorkQueues, queues_from_json
from sendmill.campaign import UnknownPolicy
from sendmill.contact_book import ContactBook
from sendmill.drafts import Desk
from sendmill.erasure import Eraser
from sendmill.importing import ImportDesk
from sendmill.lifecycle import Office
from sendmill.observe import logger, metrics, tracer
from sendmill.provider import ProviderMailer, SesProvider
from sendmill.provider.identity import ask_dmarc, ask_identities, ask_sender
from sendmill.queue import QueueClient
from sendmill.rate import Account
from sendmill.roles import GROUPS_CLAIM
from sendmill.secret import SecretStore
from sendmill.settings import ApiSettings, load
from sendmill.store import (
    AccountStore,
    AnswerStore,
    CampaignStore,
    ContactArchive,
    ImportBook,
    ListStore,
    RecipientSearch,
    RecipientStore,
    SuppressionStore,
    TemplateStore,
    TimelineStore,
    UploadDepot,
)
from sendmill.stored_template import TemplateDesk
from sendmill.suppression import SuppressionList
from sendmill.tasks.receipts.recent import RecentTasks
from sendmill.template_trial import TemplateTrial
from sendmill.timer import ScheduleTimer
from sendmill.unsubscribe import Unsubscriber

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load(ApiSettings)
dynamodb, s3 = aws.dynamodb(), aws.s3()
lists = ListStore(dynamodb, settings.campaigns_table, s3, settings.contacts_bucket)
campaigns = CampaignStore(dynamodb, settings.campaigns_table)
rows = RecipientStore(dynamodb, settings.recipients_table, settings.campaigns_table)
shelf = SuppressionStore(dynamodb, settings.recipients_table)
secret_store = SecretStore(aws.secretsmanager())
hash_key = secret_store.hash_key(settings.keys_secret_name)


def now() -> int:
    """Return seconds since 1970."""
    return int(time.time())


def new_id(kind: str) -> str:
    """Return an id that says what it is of."""
    return f"{kind}_{now()}{secrets.token_hex(4)}"


templates = TemplateDesk(
    shelf=TemplateStore(dynamodb, settings.campaigns_table),
    trial=TemplateTrial(),
    clock=now,
    new_id=new_id,
)
office = Office(
    lists=lists,
    campaigns=campaigns,
    queue=QueueClient(aws.sqs(), dispatch_url=settings.dispatch_queue_url),
    timer=ScheduleTimer(
        aws.scheduler(),
        group=settings.schedule_group,
        role_arn=settings.schedule_role_arn,
        queue_arn=settings.dispatch_queue_arn,
    ),
    clock=now,
    new_id=new_id,
    default_from=settings.default_from_email,
    unknown_policy=settings.unknown_policy or UnknownPolicy.AUTO,
    templates=templates.shelf,
    trial=templates.trial,
)
imports = ImportDesk(
    book=ImportBook(dynamodb, settings.campaigns_table, lists),
    depot=UploadDepot(s3, settings.contacts_bucket),
    lists=lists,
    queue=QueueClient(aws.sqs(), import_url=settings.import_queue_url),
    clock=now,
    new_id=new_id,
)
book = ContactBook(lists=lists, campaigns=campaigns, new_token=lambda: secrets.token_hex(8))
eraser = Eraser(
    book=book,
    archive=ContactArchive(s3, settings.contacts_bucket),
    ledger=rows,
    campaigns=campaigns,
    suppressions=shelf,
    hash_key=hash_key,
    clock=now,
)
queues = WorkQueues(
    aws.sqs(),
    queues_from_json(
        settings.task_queues,
        email_url=settings.email_queue_url,
        email_dead_letter_url=settings.email_dlq_url,
    ),
    default_from=settings.default_from_email,
)
receipts = RecentTasks(dynamodb, settings.sendmill_task_receipts_table)
accounts = AccountStore(dynamodb, settings.campaigns_table)


def account(region: str) -> Account:
    """Return what is known of the SES account in a region, or in the function's own."""
    return accounts.load(region or settings.aws_region)


def recent_tasks() -> list[dict[str, Any]]:
    """Return the last tasks that began; none where no table says which."""
    if not settings.sendmill_task_receipts_table:
        return []
    return [asdict(one) for one in receipts.list(now=time.time())]


desk = Desk(
    office=office,
    shelf=campaigns,
    parts=lists,
    mailer=ProviderMailer(
        ses=lambda region: SesProvider(
            aws.sesv2(region), configuration_set=settings.ses_configuration_set
        ),
        secrets=secret_store,
        default_secret_name=settings.mail_secret_name,
        home=settings.aws_region,
    ),
    account=account,
    ask_sender=lambda config: ask_sender(aws.ses_account(config.aws_region), config.from_email),
    ask_dmarc=ask_dmarc,
    monotonic=time.monotonic,
    approval_over=int(settings.approval_over_recipients or 0),
    # the default is an address of mail_domain, to which the roles that send are bound
    own_domain=settings.default_from_email.rpartition("@")[2],
)
table = build_routes(
    office,
    lists=lists,
    campaigns=campaigns,
    suppressions=SuppressionList(shelf=shelf, hash_key=hash_key, clock=now),
    unsubscriber=Unsubscriber(
        rows=rows,
        suppressions=shelf,
        keyring=partial(secret_store.keyring, settings.keys_secret_name),
        hash_key=hash_key,
        clock=now,
    ),
    desk=desk,
    search=RecipientSearch(dynamodb, settings.recipients_table),
    timeline=TimelineStore(dynamodb, settings.campaigns_table),
    queues=queues,
    account=account,
    identities=lambda: ask_identities(aws.ses_account("")),
    imports=imports,
    book=book,
    eraser=eraser,
    templates=templates,
    recent_tasks=recent_tasks,
    region=settings.aws_region,
    environment=settings.environment,
    sign_in=settings.sign_in,
    upload_url=partial(
        s3.generate_presigned_url,
        "get_object",
        Params={"Bucket": settings.contacts_bucket, "Key": "any"},
    ),
)
app = make_app(
    table,
    answers=AnswerStore(dynamodb, settings.campaigns_table),
    groups_claim=settings.roles_claim or GROUPS_CLAIM,
)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    started = time.monotonic()
    answer = secured(app.resolve(event, context))
    metrics.add_metric(name="RequestsAnswered", unit="Count", value=1)
    logger.info(
        "request_answered",
        route=event.get("routeKey"),
        status=answer["statusCode"],
        milliseconds=int((time.monotonic() - started) * 1000),
    )
    return answer
