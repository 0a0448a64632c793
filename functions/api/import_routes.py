"""Map the routes by which a file of contacts of any size becomes a list."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

from contact_bodies import AnnounceBody, StartBody
from contact_views import import_view, preview_view, ticket_view
from request import Answer, caller, json_answer
from sendmill.errors import StateConflict
from sendmill.importing import ImportDesk
from sendmill.observe import logger
from sendmill.roles import Role
from table import RouteTable

ImportId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of an import.")]
_TAG = "contact lists"
_PATH = "/v1/contact-lists/imports"
_VIEW = "contact_shapes:ImportProgress"


def add_import_routes(table: RouteTable, desk: ImportDesk) -> None:
    """Add the routes, bound to the domain."""

    @table.post(_PATH, role=Role.EDITOR, tag=_TAG, answers={201: "contact_shapes:ImportTicket"})
    def announce_import(body: AnnounceBody) -> Answer:
        """Announce a file of contacts of up to 500 MB and 2 million rows.

        The answer is a link to which the file is sent with PUT, without a token, within an hour.
        Then the import is started. With `list_id` the contacts are added to that list.
        """
        who = caller(table.router).subject
        found, ticket = desk.create(body.plain(), created_by=who)
        logger.info("import_announced", import_id=found.id, size=found.size, by=who)
        return json_answer(201, ticket_view(found, ticket))

    @table.post(f"{_PATH}/<import_id>/start", role=Role.EDITOR, tag=_TAG, answers={202: _VIEW})
    def start_import(import_id: ImportId, body: StartBody | None = None) -> Answer:
        """Read an uploaded file into a list.

        Asking again changes nothing but that an import that got stuck goes on.
        """
        found = desk.start(import_id, body.plain() if body else {})
        logger.info("import_started", import_id=import_id, by=caller(table.router).subject)
        return json_answer(202, import_view(found, None))

    @table.get(f"{_PATH}/<import_id>", role=Role.VIEWER, tag=_TAG, answers={200: _VIEW})
    def show_import(import_id: ImportId) -> Answer:
        """Show how far an import is.

        The list is there once it is `done`; rejected rows are at
        `/v1/contact-lists/{list_id}/rejected`, also of an import that failed.
        """
        found = desk.get(import_id)
        return json_answer(200, import_view(found, desk.sample(found)))

    @table.get(
        f"{_PATH}/<import_id>/preview",
        role=Role.EDITOR,
        tag=_TAG,
        answers={200: "contact_shapes:ImportPreview"},
    )
    def preview_import(import_id: ImportId) -> Answer:
        """Show the columns and first rows of an uploaded file, and a mapping to begin with."""
        sample = desk.sample(desk.get(import_id))
        if sample is None:
            raise StateConflict(f"import {import_id} has no file that could be looked at")
        return json_answer(200, preview_view(sample))
