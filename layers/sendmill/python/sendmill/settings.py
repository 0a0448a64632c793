"""Read a function's settings from its environment, once, when it starts cold.

A setting that is missing fails the start with its name, all missing ones at once, instead of the
first message an hour later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TypeVar

from sendmill.errors import InvalidSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Settings of the API function."""

    environment: str
    campaigns_table: str
    recipients_table: str
    contacts_bucket: str
    dispatch_queue_url: str
    keys_secret_name: str
    default_from_email: str = ""
    mail_secret_name: str = ""
    schedule_group: str = ""
    unknown_policy: str = "auto"
    schedule_role_arn: str = ""
    dispatch_queue_arn: str = ""
    aws_region: str = ""
    email_queue_url: str = ""
    email_dlq_url: str = ""
    roles_claim: str = ""
    import_queue_url: str = ""
    sign_in: str = ""
    ses_configuration_set: str = ""
    approval_over_recipients: str = ""
    task_queues: str = ""
    sendmill_task_receipts_table: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """Settings of the sweep function; ``reputation`` is JSON (see :mod:`sendmill.sweep`)."""

    environment: str
    campaigns_table: str
    recipients_table: str
    dispatch_queue_url: str
    email_queue_url: str
    aws_region: str
    feedback_queue_url: str = ""
    feedback_dlq_url: str = ""
    ses_configuration_set: str = ""
    reputation: str = ""
    fair_queue: str = ""
    rate_safety_factor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """Settings of the dispatch function."""

    environment: str
    campaigns_table: str
    recipients_table: str
    contacts_bucket: str
    dispatch_queue_url: str
    email_queue_url: str
    keys_secret_name: str
    aws_region: str = ""
    fair_queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Settings of the function that imports contacts."""

    environment: str
    campaigns_table: str
    contacts_bucket: str
    import_queue_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of the e-mail worker."""

    environment: str
    campaigns_table: str
    recipients_table: str
    email_queue_url: str
    keys_secret_name: str
    ses_configuration_set: str = ""
    mail_secret_name: str = ""
    default_from_email: str = ""
    aws_region: str = ""
    public_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSettings:
    """Settings of the feedback function."""

    environment: str
    campaigns_table: str
    recipients_table: str
    keys_secret_name: str
    ses_configuration_set: str = ""
    feedback_topic_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFileSettings:
    """Settings of the tasks that work on files: also where an application runs them itself."""

    sendmill_task_link_minutes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """Settings by which the task processor mails, beside :mod:`sendmill.tasks.config`."""

    recipients_table: str
    keys_secret_name: str
    sendmill_task_receipts_table: str
    default_from_email: str
    sendmill_task_email_service: str = ""
    ses_configuration_set: str = ""
    mail_secret_name: str = ""
    aws_region: str = ""


def load(kind: type[T], environment: Mapping[str, str] | None = None) -> T:
    """Return settings of this kind; each field is read from the variable of its name.

    Raises InvalidSettings naming every variable that is missing or empty.
    """
    found = os.environ if environment is None else environment
    values = {field.name: found.get(field.name.upper(), "") for field in fields(kind)}  # type: ignore[arg-type]
    required = [field.name for field in fields(kind) if field.default is MISSING]  # type: ignore[arg-type]
    missing = [name.upper() for name in required if not values[name]]
    if missing:
        raise InvalidSettings(f"the environment lacks {', '.join(missing)}")
    return kind(**values)
