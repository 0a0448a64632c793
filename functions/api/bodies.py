"""Say what the JSON bodies of requests may hold.

Types alone: whether a template compiles or a list exists is for the domain to say (400, 404).
Built when first needed, since a cold start pays for every model that it makes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

B = TypeVar("B", bound=BaseModel)

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Monthly newsletter"])]
_Address = Annotated[str, Field(max_length=320, examples=["noreply@example.com"])]
_Template = Annotated[str, Field(max_length=100_000)]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Seconds = Annotated[int, Field(ge=0, le=2**53)]


class Body(BaseModel):
    """A JSON object whose unknown members are ignored; a number is no text, and true no number."""

    model_config = ConfigDict(strict=True, defer_build=True)

    def plain(self) -> dict[str, Any]:
        """Return what the request said, without what it left out."""
        return self.model_dump(exclude_none=True)


class ConfigBody(Body):
    """Through what, and in whose name, mails leave."""

    email_service: Annotated[str | None, Field(description="`ses` (default) or `smtp`.")] = None
    from_email: _Address | None = None
    reply_to: _Address | None = None
    aws_region: Annotated[str | None, Field(max_length=40)] = None
    aws_secret_name: Annotated[str | None, Field(max_length=512)] = None


class CampaignBody(Body):
    """A new campaign."""

    name: _Name | None = None
    campaign_name: Annotated[_Name | None, Field(description="The same as `name`.")] = None
    list_id: _Id | None = None
    template_id: Annotated[
        _Id | None, Field(description="Copy subject and body from this template.")
    ] = None
    template_version: Annotated[
        int | None, Field(ge=1, le=999_999, description="Of this version; else of the newest.")
    ] = None
    subject: _Template | None = None
    body: _Template | None = None
    text: Annotated[
        _Template | None, Field(description="Plain text; made from the body if left out.")
    ] = None
    defaults: Annotated[
        dict[str, str] | None,
        Field(max_length=100, description="What stands for a field that is missing or empty."),
    ] = None
    config: ConfigBody | None = None
    unknown_policy: Literal["auto", "hold", "resend"] | None = None


class EditBody(CampaignBody):
    """What is to change of a draft; what is left out stays."""


class CloneBody(Body):
    """What the copy is to be called."""

    name: _Name | None = None


class ApproveBody(Body):
    """What a person looked at, by the `approval.digest` that the campaign was shown with."""

    digest: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


class StartBody(Body):
    """The warnings of the checklist that a person has seen and accepts, by their ids."""

    accept_warnings: Annotated[list[str] | None, Field(max_length=20)] = None


class TestBody(Body):
    """To whom a test is mailed, and as which contact (the line of the list) it is rendered."""

    to: Annotated[list[Annotated[str, Field(max_length=320)]], Field(min_length=1, max_length=5)]
    contact_id: Annotated[str | None, Field(max_length=64)] = None


class QueueBody(Body):
    """The name of a queue, as `GET /v1/tasks` shows it."""

    queue: Annotated[str, Field(min_length=1, max_length=40)]


class ScheduleBody(Body):
    """When a campaign starts, in seconds since 1970, and how late it still may."""

    start_at: _Seconds
    max_late_seconds: _Seconds = 3600


class RetryBody(Body):
    """Which failures are tried again: all, or those whose reason starts like this."""

    reason: Annotated[str | None, Field(max_length=200)] = None


class ResolveBody(Body):
    """What becomes of recipients whose mail may or may not have been taken."""

    how: Literal["resend", "fail"]


class SuppressionBody(Body):
    """An address that must not be mailed."""

    email: Annotated[str, Field(max_length=320)]
    reason: Annotated[str, Field(max_length=40)] = "manual"


class PurgeBody(Body):
    """The name of the queue, said again by whoever throws its letters away."""

    confirm: Annotated[str | None, Field(max_length=200)] = None


def read_as(kind: type[B], raw: object) -> B:
    """Return a body that a route reads by itself; raises RequestValidationError."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error
