"""Say what the JSON of answers looks like; imported for the OpenAPI document and by tests alone.

The functions of :mod:`views` make what these describe: tests compare each answer with its shape,
and no time is spent on that when a request is answered.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sendmill.campaign import Service, Status, UnknownPolicy
from sendmill.ledger import State
from sendmill.suppression import Reason

Seconds = Annotated[int, Field(description="Seconds since 1970.", examples=[1795435200])]
Count = Annotated[int, Field(ge=0)]
Next = Annotated[str, Field(description="Where the next page begins; empty on the last one.")]


class Shape(BaseModel):
    """An object with these members and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ProblemError(Shape):
    """One field that is wrong."""

    field: str
    value: str
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = []


class Me(Shape):
    """Who asks."""

    subject: str
    email: str
    role: str
    roles: list[str]
    expires_at: Seconds


class Rejected(Shape):
    """How many rows were rejected."""

    invalid: Count
    duplicate: Count


class RejectedRow(Shape):
    """A row that was rejected, and why."""

    line: int
    reason: str


class ListView(Shape):
    """A contact list: accepted and rejected add up to rows."""

    list_id: str
    name: str
    created_at: Seconds
    rows: Count
    accepted: Count
    rejected: Rejected
    fields: list[str]
    revision: Annotated[Count, Field(description="How often its contacts were changed.")]
    note: Annotated[str, Field(description="What should be looked at, if anything.")]


class ImportedListView(ListView):
    """A contact list that was just imported."""

    rejected_rows: list[RejectedRow]


class ListPage(Shape):
    """A page of contact lists."""

    items: list[ListView]
    cursor: Next


class ConfigView(Shape):
    """Through what, and in whose name, mails leave."""

    email_service: Service
    from_email: str
    aws_region: str
    aws_secret_name: str
    reply_to: str


class ScheduleView(Shape):
    """When a campaign starts, and when it is too late to; 0 when it is not scheduled."""

    start_at: int
    start_by: int


class ApprovalView(Shape):
    """Whether a second person must approve, and whether one did, as the campaign is now."""

    needed: bool
    approved: bool
    by: str
    at: int
    digest: Annotated[
        str,
        Field(description="Stands for the content and the list as shown; for `POST .../approve`."),
    ]


class CampaignView(Shape):
    """A campaign: the states add up to the total, and with the rejected rows to the rows."""

    campaign_id: str
    campaign_name: str
    status: Status
    reason: str
    list_id: str
    list_revision: Count
    template_id: Annotated[str, Field(description="What it was made from, if from a template.")]
    template_version: Count
    created_at: Seconds
    rows: Count
    rejected: Rejected
    total: Count
    dispatched: bool
    states: dict[State, int]
    news: dict[str, int]
    subject: str
    config: ConfigView
    unknown_policy: UnknownPolicy
    schedule: ScheduleView
    approval: ApprovalView
    created_by: str
    edited_by: str
    started_by: str
    changed_at: int


class PointView(Shape):
    """How many mails were accepted and failed by this time."""

    at: Seconds
    accepted: int
    failed: int


class QuotaView(Shape):
    """Mails a second, and mails left today; -1 without a daily quota."""

    rate: float
    left: int


class CampaignWhole(CampaignView):
    """A campaign with its body and how fast it goes."""

    body: str
    text: str
    defaults: dict[str, str]
    timeline: Annotated[list[PointView], Field(max_length=121)]
    rate_per_second: float
    eta_seconds: int
    quota: QuotaView


class CheckView(Shape):
    """One line of the checklist."""

    id: str
    level: Literal["ok", "warning", "error"]
    title: str
    detail: str
    fix: str


class EstimateView(Shape):
    """What a campaign will take; quota_left is -1 without a daily quota."""

    recipients: Count
    seconds: Count
    cost_usd: float
    quota_left: int


class PreflightView(Shape):
    """The checklist before a start."""

    ready: bool
    checks: list[CheckView]
    estimate: EstimateView


class TestSent(Shape):
    """A test mail that was taken."""

    to: str
    message_id: str


class TestFailed(Shape):
    """A test mail that was not."""

    to: str
    reason: str


class TestView(Shape):
    """What became of test mails."""

    sent: list[TestSent]
    failed: list[TestFailed]


class FailureView(Shape):
    """Recipients who failed alike, and what to do."""

    reason: str
    state: State
    count: Count
    advice: str
    retryable: bool


class FailureGroups(Shape):
    """What went wrong, the most frequent first."""

    items: list[FailureView]
    complete: bool


class CampaignPage(Shape):
    """A page of campaigns."""

    items: list[CampaignView]
    cursor: Next


class RecipientView(Shape):
    """A recipient of a campaign."""

    recipient_id: str
    email: str
    state: State
    reason: str
    line: int
    news: str
    attempts: Count
    provider_message_id: str
    updated_at: Seconds


class RecipientPage(Shape):
    """A page of recipients."""

    items: list[RecipientView]
    cursor: Next


class SuppressionView(Shape):
    """An address that must not be mailed."""

    address_hash: str
    email: str
    reason: Reason
    source: str
    at: Seconds


class SuppressionPage(Shape):
    """A page of suppressions."""

    items: list[SuppressionView]
    cursor: Next


class ImportView(Shape):
    """What an import came to."""

    rows: Count
    accepted: Count
    rejected: Count
    rejected_rows: list[RejectedRow]


class DeadLetterView(Shape):
    """A message that nobody could act on."""

    message_id: str
    sent_at: Seconds
    age_seconds: Count
    receives: Count
    campaign_id: str
    reason: str


class MoveView(Shape):
    """How far the newest redrive has come."""

    status: str
    moved: Count
    to_move: Count


class DeadLetters(Shape):
    """Dead letters, oldest first."""

    items: list[DeadLetterView]
    redrive: MoveView


class QueueView(Shape):
    """How many messages are on a queue.

    AWS knows it by url_name, and its dead-letter queue by dead_letter_name.
    """

    name: str
    url_name: str
    dead_letter_name: str
    waiting: Count
    in_flight: Count
    delayed: Count
    oldest_seconds: int | None
    dead_letters: Count


class TaskView(Shape):
    """A background task that ran lately."""

    task_id: str
    task: str
    status: str
    attempts: Count
    started_at: int
    finished_at: int
    error: str


class TasksView(Shape):
    """Queues and the tasks that ran lately."""

    queues: list[QueueView]
    recent: list[TaskView]


class Redrive(Shape):
    """A redrive that was begun."""

    redrive: MoveView


class Purged(Shape):
    """That every dead letter is gone."""

    purged: Literal[True]


class IdentityView(Shape):
    """An address or a domain that may send; dkim and mail_from are SES's words."""

    name: str
    verified: bool
    dkim: str
    mail_from: str


class ReputationView(Shape):
    """What became of the mails of the newest campaigns."""

    bounce_rate: float
    complaint_rate: float
    sent: Count
    level: Literal["ok", "warning", "danger"]


class AccountView(Shape):
    """What SES allows, and what is made of it; a daily quota below 0 is none."""

    region: str
    rate: float
    max_rate: float
    daily_quota: float
    sent_today: float
    production: bool
    enforcement: str
    stopped: str
    asked_at: int
    safety: float
    factor: float
    factor_at: int
    identities: list[IdentityView]
    reputation: ReputationView
