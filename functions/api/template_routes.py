"""Map the routes of templates: save, look at, preview, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from params import Cursor, Limit
from request import Answer, caller, json_answer, no_content
from sendmill.campaign import Content, content_from_mapping
from sendmill.contact import contact_from_mapping
from sendmill.contact_book import ContactBook
from sendmill.dispatch import WORKER_FIELDS
from sendmill.errors import InvalidCampaign
from sendmill.observe import logger
from sendmill.roles import Role
from sendmill.stored_template import NO_SENDER, TemplateDesk
from sendmill.template import compile_content, preview
from table import RouteTable
from template_bodies import PreviewBody, TemplateBody
from template_views import template_summary, template_view
from views import page_view

TemplateId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a template.")]
Version = Annotated[int, Query(ge=0, le=999_999, description="Which version; 0 is the newest.")]
# A content that compiles within a few tenths of a second, whatever is in it; larger ones are tried
# in a process of their own first.
_HARMLESS_CHARS = 10_000
_TAG = "templates"
_PATH = "/v1/templates"
_VIEW = "template_shapes:TemplateView"


def add_template_routes(table: RouteTable, desk: TemplateDesk, book: ContactBook) -> None:
    """Add the routes, bound to the domain."""
    _saving(table, desk)
    _looking(table, desk)
    _previewing(table, desk, book)


def _saving(table: RouteTable, desk: TemplateDesk) -> None:
    @table.post(_PATH, role=Role.EDITOR, tag=_TAG, answers={201: _VIEW})
    def create_template(body: TemplateBody) -> Answer:
        """Save a template; its variables are found."""
        made = desk.create(body.plain(), created_by=caller(table.router).subject)
        return json_answer(201, template_view(made))

    @table.put(f"{_PATH}/<template_id>", role=Role.EDITOR, tag=_TAG, answers={200: _VIEW})
    def save_template(template_id: TemplateId, body: TemplateBody) -> Answer:
        """Save a template again: its next version.

        Versions never change, and no campaign does because its template was saved again.
        """
        who = caller(table.router).subject
        return json_answer(200, template_view(desk.save(template_id, body.plain(), created_by=who)))

    @table.delete(f"{_PATH}/<template_id>", role=Role.EDITOR, tag=_TAG, answers={204: ""})
    def delete_template(template_id: TemplateId) -> Answer:
        """Delete a template; campaigns made from it keep what they copied."""
        desk.delete(template_id)
        logger.info("template_deleted", template_id=template_id, by=caller(table.router).subject)
        return no_content()


def _looking(table: RouteTable, desk: TemplateDesk) -> None:
    page = "template_shapes:TemplatePage"

    @table.get(_PATH, role=Role.VIEWER, tag=_TAG, answers={200: page})
    def show_templates(cursor: Cursor = "", limit: Limit = 100) -> Answer:
        """List templates, the latest saved first."""
        found, following = desk.shelf.list(cursor=cursor, limit=limit)
        return json_answer(200, page_view([template_summary(one) for one in found], following))

    @table.get(f"{_PATH}/<template_id>", role=Role.VIEWER, tag=_TAG, answers={200: _VIEW})
    def show_template(template_id: TemplateId, version: Version = 0) -> Answer:
        """Show a template as it is now, or one of its versions."""
        return json_answer(200, template_view(desk.get(template_id, version)))

    @table.get(f"{_PATH}/<template_id>/versions", role=Role.VIEWER, tag=_TAG, answers={200: page})
    def show_versions(template_id: TemplateId) -> Answer:
        """List the versions of a template, newest first."""
        found = desk.versions(template_id)
        return json_answer(200, page_view([template_summary(one) for one in found], ""))


def _previewing(table: RouteTable, desk: TemplateDesk, book: ContactBook) -> None:
    @table.post(
        f"{_PATH}/preview",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "template_shapes:PreviewView"},
    )
    def preview_template(body: PreviewBody) -> Answer:
        """Show what a contact would read; nothing is sent.

        The contact is one of a list (`list_id`, `contact_id`) or made up (`contact`). A field that
        it lacks is named in `missing` and stands in brackets; a campaign would be refused.
        """
        content = content_from_mapping(body.plain(), default_from=NO_SENDER.from_email)
        if _size(content) > _HARMLESS_CHARS:
            desk.trial(content)
        fields = {**WORKER_FIELDS, **_reader(body, book)}
        rendered, missing = preview(content, fields)
        return json_answer(
            200,
            {
                "subject": rendered.subject,
                "text": rendered.text,
                "html": rendered.html,
                "variables": sorted(compile_content(content).variables),
                "missing": missing,
            },
        )


def _reader(body: PreviewBody, book: ContactBook) -> Mapping[str, Any]:
    if body.list_id and body.contact_id:
        return book.contact(body.list_id, body.contact_id).contact.template_fields()
    if body.contact is None:
        raise InvalidCampaign("contact must be an object, or list_id and contact_id must name one")
    return contact_from_mapping(body.contact).template_fields()


def _size(content: Content) -> int:
    return len(content.subject) + len(content.body) + len(content.text)
