"""Map the routes of contact lists that are small enough to come in one request."""

from __future__ import annotations

from params import MAX_PAGE, Cursor, Limit, ListId, Name
from problems import problem
from request import Answer, body_bytes, caller, csv_answer, json_answer
from sendmill.contact_list import rejected_csv
from sendmill.errors import InvalidContactList
from sendmill.lifecycle import Office
from sendmill.roles import Role
from sendmill.store import ListStore
from table import RouteTable
from views import list_view, page_view, rejected_view

# Lambda takes 6 MB a request, a third of it lost to base64; larger files come by S3 upload.
MAX_UPLOAD_BYTES = 4_000_000
# What one answer carries of a file, with room for what JSON escapes.
MAX_ANSWER_BYTES = 3_500_000
_TAG = "contact lists"


def add_list_routes(table: RouteTable, office: Office, lists: ListStore) -> None:
    """Add the routes, bound to the domain."""
    router = table.router

    @table.post(
        "/v1/contact-lists",
        role=Role.EDITOR,
        tag=_TAG,
        answers={201: "shapes:ImportedListView"},
        takes=("text/csv",),
    )
    def import_list(name: Name = "") -> Answer:
        """Import a CSV file of up to 4 MB.

        Its first row names the columns, one of which is `email`. What cannot be mailed is rejected
        with line and reason; larger files come by `POST /v1/contact-lists/imports`.
        """
        data = body_bytes(router)
        if len(data) > MAX_UPLOAD_BYTES:
            return problem(413, f"a file has at most {MAX_UPLOAD_BYTES} bytes (got {len(data)})")
        found = office.import_list(data, name=name.strip(), created_by=caller(router).subject)
        rejected = office.rejected_rows(found.id)
        return json_answer(
            201, list_view(found) | {"rejected_rows": rejected_view(rejected[:MAX_PAGE])}
        )

    @table.get("/v1/contact-lists", role=Role.VIEWER, tag=_TAG, answers={200: "shapes:ListPage"})
    def show_lists(cursor: Cursor = "", limit: Limit = 100) -> Answer:
        """List contact lists, newest first."""
        found, following = lists.list(cursor=cursor, limit=limit)
        return json_answer(200, page_view([list_view(one) for one in found], following))

    @table.get(
        "/v1/contact-lists/<list_id>",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "shapes:ListView"},
    )
    def show_list(list_id: ListId) -> Answer:
        """Show a contact list."""
        return json_answer(200, list_view(office.contact_list(list_id)))

    @table.get(
        "/v1/contact-lists/<list_id>/rejected",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "text/csv"},
    )
    def show_rejected(list_id: ListId, cursor: Cursor = "") -> Answer:
        """Download the rows that the newest import rejected, with line and reason.

        What is longer than an answer comes in pieces: `X-Next-Cursor` is where the next begins.
        """
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 16):
            raise InvalidContactList(f"cursor must be one that a page gave (got {cursor[:80]!r})")
        page = lists.rejected_page(list_id, start=int(cursor or 0), limit=MAX_ANSWER_BYTES)
        text, following = page or (rejected_csv(office.rejected_rows(list_id)), 0)
        filename = f"{list_id}-rejected.csv"
        return csv_answer(text, filename=filename, cursor=str(following or ""))
