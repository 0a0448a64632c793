"""Say what the JSON of answers about templates looks like (see :mod:`shapes`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shapes import Count, Next, Seconds, Shape


class TemplateSummary(Shape):
    """A version of a template, without its text."""

    template_id: str
    version: Count
    name: str
    subject: str
    variables: Annotated[list[str], Field(description="Fields that it uses.")]
    created_at: Seconds
    created_by: str


class TemplateView(TemplateSummary):
    """A version of a template."""

    body: str
    text: str
    defaults: dict[str, str]


class TemplatePage(Shape):
    """A page of templates."""

    items: list[TemplateSummary]
    cursor: Next


class PreviewView(Shape):
    """What a contact would read."""

    subject: str
    text: str
    html: str
    variables: list[str]
    missing: Annotated[
        list[str], Field(description="Fields that the contact lacks; they stand in brackets.")
    ]
