"""Say what the JSON of answers about imports and contacts looks like (see :mod:`shapes`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shapes import Count, Next, Rejected, Seconds, Shape


class UploadTicket(Shape):
    """How a file is uploaded: no token, these headers, exactly so many bytes."""

    url: str
    method: Literal["PUT"]
    headers: dict[str, str]


class ImportTicket(Shape):
    """A file that may now be uploaded."""

    import_id: str
    list_id: str
    upload: UploadTicket
    expires_at: Seconds


class ImportProgress(Shape):
    """How far an import is; rejected and accepted rows add up to rows."""

    import_id: str
    list_id: str
    name: str
    filename: str
    status: Literal["awaiting_upload", "uploaded", "running", "done", "failed"]
    reason: Annotated[str, Field(description="Why it failed.")]
    note: Annotated[str, Field(description="What should be looked at although it went well.")]
    size: Count
    bytes_read: Count
    rows: Count
    accepted: Count
    rejected: Rejected
    columns: list[str]
    sample: Annotated[list[list[str]], Field(description="First rows, before it is started.")]
    delimiter: str
    encoding: str
    mapping: dict[str, str]
    all_or_nothing: bool
    created_at: Seconds
    started_at: int
    finished_at: int


class ImportPreview(Shape):
    """What an uploaded file looks like, and how it may be read."""

    columns: list[str]
    sample: list[list[str]]
    delimiter: str
    encoding: str
    suggested_mapping: dict[str, str]


class ContactView(Shape):
    """A contact of a list."""

    contact_id: str
    line: int
    email: str
    fields: dict[str, str]


class ContactPage(Shape):
    """A page of contacts; a search may answer with few or none and go on at the cursor."""

    items: list[ContactView]
    cursor: Next


class Erasure(Shape):
    """What an erasure found; it is complete when there is no cursor."""

    lists: Annotated[Count, Field(description="Lists the person was in.")]
    recipients: Annotated[Count, Field(description="Campaigns the person was a recipient of.")]
    complete: bool
    cursor: Next
