"""Say what the JSON bodies of requests about templates may hold."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bodies import Body, ConfigBody

_Source = Annotated[str, Field(max_length=100_000)]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Defaults = Annotated[
    dict[str, str],
    Field(
        max_length=100,
        description="What stands for a field that is missing or empty.",
        examples=[{"first_name": "friend"}],
    ),
]


class TemplateBody(Body):
    """A template; saving it again makes its next version."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Newsletter"])]
    subject: Annotated[_Source, Field(examples=["Hello {{ first_name }}"])]
    body: Annotated[_Source, Field(examples=["<p>Dear {{ first_name }}</p>"])]
    text: Annotated[
        _Source | None, Field(description="Plain text; made from the body if left out.")
    ] = None
    defaults: _Defaults | None = None


class PreviewBody(Body):
    """A template, and somebody who would read it: a contact of a list, or one made up."""

    subject: _Source | None = None
    body: _Source | None = None
    text: _Source | None = None
    defaults: _Defaults | None = None
    contact: Annotated[dict[str, Any] | None, Field(examples=[{"email": "ada@example.com"}])] = None
    list_id: _Id | None = None
    contact_id: Annotated[str | None, Field(pattern=r"^[0-9]{1,7}-[0-9]{1,10}$")] = None
    config: ConfigBody | None = None
