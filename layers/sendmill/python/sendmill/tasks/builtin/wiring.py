"""Build what the built-in tasks need, once, from the environment of the process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as ClientConfig

from sendmill import aws
from sendmill.campaign import config_from_mapping
from sendmill.errors import InvalidSettings
from sendmill.provider import ProviderMailer, SesProvider
from sendmill.secret import SecretStore
from sendmill.settings import TaskFileSettings, TaskSettings, load
from sendmill.store import RecipientStore
from sendmill.tasks.builtin.email import Notifier
from sendmill.tasks.builtin.file_store import FileStore
from sendmill.tasks.builtin.files import ReportWorker
from sendmill.tasks.builtin.letters import LetterTemplates
from sendmill.tasks.builtin.notification import Sender, chosen_sender
from sendmill.tasks.builtin.people import People
from sendmill.tasks.builtin.reports import LinkMailer, ReportWriter
from sendmill.tasks.builtin.send_log import SendLog
from sendmill.tasks.builtin.texts import TEXTS
from sendmill.tasks.client import sqs_client
from sendmill.tasks.config import current

# Where a function, or an application that runs its tasks itself, may bring templates along.
_PACKAGED = Path(os.environ.get("LAMBDA_TASK_ROOT") or ".") / "templates"
_LONGEST_TEMPLATE = 200_000


@lru_cache(maxsize=1)
def report_worker() -> ReportWorker:
    """Return what works off guard reports."""
    return ReportWorker(files=_files(), send=_send, now=_now)


@lru_cache(maxsize=1)
def report_writer() -> ReportWriter:
    """Return what writes reports."""
    return ReportWriter(files=_files(), send=_send, now=_now)


@lru_cache(maxsize=1)
def link_mailer() -> LinkMailer:
    """Return what mails links to reports."""
    minutes = int(load(TaskFileSettings).sendmill_task_link_minutes or 5)
    return LinkMailer(files=_files(), notifier=notifier(), link_seconds=60 * minutes)


def notifier() -> Sender:
    """Return what mails; raises InvalidSettings naming what the environment lacks."""
    return chosen_sender() or notifier_of_the_environment()


def forget() -> None:
    """Build everything anew: for tests that change the environment."""
    for made in (
        _settings,
        _files,
        notifier_of_the_environment,
        report_worker,
        report_writer,
        link_mailer,
    ):
        made.cache_clear()


@lru_cache(maxsize=1)
def _settings() -> TaskSettings:
    return load(TaskSettings)


@lru_cache(maxsize=1)
def _files() -> FileStore:
    config = current()
    if not config.claim_check_bucket:
        raise InvalidSettings("the environment lacks SENDMILL_TASK_BUCKET")
    settings = ClientConfig(
        retries={"total_max_attempts": 4, "mode": "standard"},
        connect_timeout=3,
        read_timeout=20,
    )
    client = boto3.client(
        "s3", region_name=config.region or None, config=aws.signing_links(settings)
    )
    return FileStore(client=client, bucket=config.claim_check_bucket)


@lru_cache(maxsize=1)
def notifier_of_the_environment() -> Notifier:
    """Return what mails by SES or SMTP; raises InvalidSettings naming what is missing."""
    settings = _settings()
    dynamodb = aws.dynamodb()
    secrets = SecretStore(aws.secretsmanager())
    rows = RecipientStore(dynamodb, settings.recipients_table, "")
    service = "smtp" if settings.sendmill_task_email_service == "smtp" else "ses"

    def suppressed(key: str) -> str:
        return rows.read([], suppression_keys=[key])[1].get(key, "")

    return Notifier(
        config=config_from_mapping(
            {"email_service": service, "from_email": settings.default_from_email}
        ),
        people=People(read=_files().text),
        templates=LetterTemplates(sources=(_from_bucket, _from_package, TEXTS.get)),
        suppressed=suppressed,
        mailer=ProviderMailer(
            ses=lambda region: SesProvider(
                aws.sesv2(region), configuration_set=settings.ses_configuration_set
            ),
            secrets=secrets,
            default_secret_name=settings.mail_secret_name,
            home=settings.aws_region,
        ),
        log=SendLog(client=dynamodb, table=settings.sendmill_task_receipts_table),
        hash_key=secrets.hash_key(settings.keys_secret_name),
    )


def _from_bucket(name: str) -> str | None:
    return _files().text(f"templates/{name}", limit=_LONGEST_TEMPLATE)


def _from_package(name: str) -> str | None:
    try:
        return (_PACKAGED / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _send(task: str, task_id: str, payload: Mapping[str, Any]) -> object:
    """Send a task of ours; one that was sent before under this id runs once all the same."""
    return sqs_client.send_task(task, dict(payload), task_id=task_id)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
