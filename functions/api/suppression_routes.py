"""Map the routes of the suppression list to the domain: list, add, import, export, remove."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from bodies import SuppressionBody, read_as
from params import AddressHash, Cursor, Limit
from problems import problem
from request import (
    Answer,
    body_bytes,
    caller,
    csv_answer,
    json_answer,
    json_body,
    kind_of_body,
    no_content,
)
from sendmill.observe import logger
from sendmill.roles import Role
from sendmill.suppression import SuppressionList
from table import RouteTable
from views import imported_view, page_view, suppression_csv, suppression_view

# Lambda takes 6 MB a request, a third of it lost to base64.
MAX_UPLOAD_BYTES = 4_000_000
_SOURCE = "api"
_TAG = "suppressions"
Erase = Annotated[bool, Query(description="Remove the address, and keep its hash in force.")]


def add_suppression_routes(table: RouteTable, suppressions: SuppressionList) -> None:
    """Add the routes of the list of addresses that must not be mailed."""
    router = table.router

    @table.get(
        "/v1/suppressions",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "shapes:SuppressionPage"},
    )
    def show_suppressions(cursor: Cursor = "", limit: Limit = 100) -> Answer:
        """List the addresses that must not be mailed."""
        found, following = suppressions.rows(cursor=cursor, limit=limit)
        return json_answer(200, page_view([suppression_view(one) for one in found], following))

    @table.post(
        "/v1/suppressions",
        role=Role.EDITOR,
        tag=_TAG,
        answers={201: "shapes:SuppressionView", 200: "shapes:ImportView"},
        takes=("application/json bodies:SuppressionBody", "text/csv"),
    )
    def add_suppressions() -> Answer:
        """Add an address (JSON), or import a file of them (CSV)."""
        if kind_of_body(router) == "text/csv":
            return _import(table, suppressions)
        body = read_as(SuppressionBody, json_body(router))
        found = suppressions.add(body.email, reason=body.reason, source=_SOURCE)
        by = caller(router).subject
        logger.info("suppressed", address_hash=found.hash, reason=body.reason, by=by)
        return json_answer(201, suppression_view(found))

    @table.get("/v1/suppressions/export", role=Role.VIEWER, tag=_TAG, answers={200: "text/csv"})
    def export_suppressions(cursor: Cursor = "") -> Answer:
        """Download the list; `X-Next-Cursor` says where the next part of a long one begins."""
        found, following = suppressions.rows(cursor=cursor)
        return csv_answer(suppression_csv(found), filename="suppressions.csv", cursor=following)

    @table.delete("/v1/suppressions/<hash>", role=Role.ADMIN, tag=_TAG, answers={204: ""})
    def remove_suppression(hash: AddressHash, erase: Erase = False) -> Answer:
        """Let an address be mailed again, or erase it and leave its hash in force."""
        if erase:
            suppressions.erase(hash)
        else:
            suppressions.remove(hash)
        event = "suppression_erased" if erase else "suppression_removed"
        logger.info(event, address_hash=hash, by=caller(router).subject)
        return no_content()


def _import(table: RouteTable, suppressions: SuppressionList) -> Answer:
    data = body_bytes(table.router)
    if len(data) > MAX_UPLOAD_BYTES:
        return problem(413, f"a file has at most {MAX_UPLOAD_BYTES} bytes (got {len(data)})")
    found = suppressions.load(data, source="import")
    logger.info(
        "suppressions_imported",
        accepted=found.accepted,
        rejected=len(found.rejected),
        by=caller(table.router).subject,
    )
    return json_answer(200, imported_view(found))
