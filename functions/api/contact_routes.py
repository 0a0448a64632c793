"""Map the routes of a list's contacts, of the list itself, and the one that erases a person."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

from contact_bodies import ContactBody, ContactChange, EraseBody, RenameBody
from contact_views import contact_view, erasure_view
from params import Cursor, Limit, ListId, Search
from request import Answer, caller, json_answer, no_content
from sendmill.contact import address_hash
from sendmill.contact_book import ContactBook
from sendmill.erasure import Eraser
from sendmill.observe import logger
from sendmill.roles import Role
from table import RouteTable
from views import list_view, page_view

ContactId = Annotated[
    str, Path(pattern=r"^[0-9]{1,7}-[0-9]{1,10}$", description="Id of a contact in its list.")
]
_TAG = "contacts"


def add_contact_routes(table: RouteTable, book: ContactBook, eraser: Eraser) -> None:
    """Add the routes, bound to the domain."""
    _contacts(table, book)
    _lists(table, book)
    _erasing(table, eraser)


def _contacts(table: RouteTable, book: ContactBook) -> None:
    at = "/v1/contact-lists/<list_id>/contacts"
    view = "contact_shapes:ContactView"

    @table.get(at, role=Role.VIEWER, tag=_TAG, answers={200: "contact_shapes:ContactPage"})
    def show_contacts(
        list_id: ListId, query: Search = "", cursor: Cursor = "", limit: Limit = 100
    ) -> Answer:
        """List contacts in the order of the file, or find some by a part of address or name.

        In a large list a search answers with what it found so far: go on while there is a cursor.
        """
        found, following = book.page(list_id, query=query, cursor=cursor, limit=limit)
        return json_answer(200, page_view([contact_view(one) for one in found], following))

    @table.post(at, role=Role.EDITOR, tag=_TAG, answers={201: view})
    def add_contact(list_id: ListId, body: ContactBody) -> Answer:
        """Add a contact to a list.

        The change makes the list's next revision; a campaign that was started keeps its own.
        """
        entry = book.add(list_id, {**(body.fields or {}), "email": body.email})
        _log(table, "contact_added", list_id, entry.id)
        return json_answer(201, contact_view(entry))

    @table.patch(f"{at}/<contact_id>", role=Role.EDITOR, tag=_TAG, answers={200: view})
    def edit_contact(list_id: ListId, contact_id: ContactId, body: ContactChange) -> Answer:
        """Change a contact: its address, or single fields."""
        said = {**(body.fields or {}), **({"email": body.email} if body.email is not None else {})}
        entry = book.edit(list_id, contact_id, said)
        _log(table, "contact_changed", list_id, contact_id)
        return json_answer(200, contact_view(entry))

    @table.delete(f"{at}/<contact_id>", role=Role.EDITOR, tag=_TAG, answers={204: ""})
    def remove_contact(list_id: ListId, contact_id: ContactId) -> Answer:
        """Take a contact out of a list."""
        book.remove(list_id, contact_id)
        _log(table, "contact_removed", list_id, contact_id)
        return no_content()


def _lists(table: RouteTable, book: ContactBook) -> None:
    at = "/v1/contact-lists/<list_id>"

    @table.patch(at, role=Role.EDITOR, tag="contact lists", answers={200: "shapes:ListView"})
    def rename_list(list_id: ListId, body: RenameBody) -> Answer:
        """Give a list another name."""
        return json_answer(200, list_view(book.rename(list_id, body.name)))

    @table.delete(at, role=Role.ADMIN, tag="contact lists", answers={204: ""})
    def delete_list(list_id: ListId) -> Answer:
        """Delete a list with its contacts; refused while a campaign still reads it."""
        book.delete(list_id)
        _log(table, "list_deleted", list_id, "")
        return no_content()


def _erasing(table: RouteTable, eraser: Eraser) -> None:
    @table.post(
        "/v1/contacts/erase",
        role=Role.ADMIN,
        tag=_TAG,
        answers={200: "contact_shapes:Erasure"},
    )
    def erase_contact(body: EraseBody) -> Answer:
        """Erase a person from every list and every campaign; a suppression stays as a hash.

        Where there is much to look through the answer has a cursor: ask again with it, until
        `complete` is true. What this cannot reach is told in docs/contacts.md.
        """
        context = table.router.lambda_context
        found = eraser.erase(
            body.email,
            confirm=body.confirm,
            cursor=body.cursor,
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        logger.info(
            "contact_erased",
            address_hash=address_hash(eraser.hash_key, body.email.strip()),
            complete=not found.cursor,
            by=caller(table.router).subject,
        )
        return json_answer(200, erasure_view(found))


def _log(table: RouteTable, event: str, list_id: str, contact_id: str) -> None:
    logger.info(event, list_id=list_id, contact_id=contact_id, by=caller(table.router).subject)
