"""Contact lists: import a file of any size, look at what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.progress import Progress, TaskID

from sendmill.cli.failure import Failure, WrongUse
from sendmill.cli.http import upload
from sendmill.cli.place import Place, given, here, pairs, save

app = typer.Typer(help="Contact lists.", no_args_is_help=True)
_LIST = ("list_id", "name", "rows", "accepted", "rejected", "fields", "created_at")
_PERSON = ("contact_id", "line", "email", "fields")
_PATH = "/v1/contact-lists"
_POLL_SECONDS = 1.0
_OVER = ("done", "failed")
_ERASED = ("lists", "recipients")


@app.command("show")
def show_lists(
    context: typer.Context,
    list_id: Annotated[str, typer.Argument(help="One list; without it all of them.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """Show a list, or all lists, newest first."""
    place = here(context)
    if list_id:
        place.out.show(place.api.get(f"{_PATH}/{list_id}"), *_LIST, "note")
    else:
        place.out.show(place.api.pages(_PATH, limit), *_LIST)


@app.command("import")
def import_list(
    context: typer.Context,
    file: Path,
    name: Annotated[str, typer.Option(help="Name of the list; the file's without it.")] = "",
    add_to: Annotated[str, typer.Option(help="Add to the list of this id.")] = "",
    column: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=FIELD, as often as needed.")
    ] = None,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Refuse the file for one bad row.")
    ] = False,
    delimiter: Annotated[str, typer.Option(help="What separates columns.")] = "",
    encoding: Annotated[str, typer.Option(help="How the file is written.")] = "",
) -> None:
    """Upload a CSV file and wait until it is a list. Exit code 1 when it is refused."""
    place = here(context)
    try:
        size = file.stat().st_size
        source = file.open("rb")
    except OSError as error:
        raise WrongUse(f"{file}: {error}") from error
    body = given(
        name=name or file.stem,
        filename=file.name,
        list_id=add_to,
        mapping=pairs(column or [], "--map"),
        all_or_nothing=all_or_nothing or None,
        delimiter=delimiter,
        encoding=encoding,
    )
    with source, place.out.progress() as bars:
        found = _import(place, {**body, "size": size}, source, bars)
    place.out.show(
        found, "list_id", "import_id", "name", "status", "rows", "accepted", "rejected", "reason"
    )
    if found["status"] == "failed":
        raise Failure(f"the import was refused: {found['reason']}")


@app.command("rejected")
def show_rejected(
    context: typer.Context,
    list_id: str,
    output: Annotated[
        str, typer.Option("--output", "-o", help="File; - is standard output.")
    ] = "-",
) -> None:
    """Write the rows that the newest import rejected, with line and reason, as CSV."""
    place = here(context)
    save("".join(place.api.texts(f"{_PATH}/{list_id}/rejected")), output)


@app.command("contacts")
def show_contacts(
    context: typer.Context,
    list_id: str,
    query: Annotated[str, typer.Option(help="Part of an address or a name.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """List the contacts of a list."""
    place = here(context)
    found = place.api.pages(f"{_PATH}/{list_id}/contacts", limit, query=query)
    place.out.show(found, *_PERSON)


@app.command("add-contact")
def add_contact(
    context: typer.Context,
    list_id: str,
    email: str,
    fields: Annotated[list[str] | None, typer.Option("--field", help="NAME=VALUE.")] = None,
) -> None:
    """Add somebody to a list; campaigns that were started keep theirs."""
    place = here(context)
    body = {"email": email, **given(fields=pairs(fields or [], "--field"))}
    place.out.show(place.api.post(f"{_PATH}/{list_id}/contacts", body), *_PERSON)


@app.command("change-contact")
def change_contact(
    context: typer.Context,
    list_id: str,
    contact_id: str,
    email: Annotated[str, typer.Option(help="Another address.")] = "",
    fields: Annotated[list[str] | None, typer.Option("--field", help="NAME=VALUE.")] = None,
) -> None:
    """Change a contact's address, or some of its fields."""
    place = here(context)
    body = given(email=email, fields=pairs(fields or [], "--field"))
    place.out.show(place.api.patch(f"{_PATH}/{list_id}/contacts/{contact_id}", body), *_PERSON)


@app.command("remove-contact")
def remove_contact(context: typer.Context, list_id: str, contact_id: str) -> None:
    """Take somebody out of a list."""
    place = here(context)
    place.api.delete(f"{_PATH}/{list_id}/contacts/{contact_id}")
    place.out.show({"removed": contact_id})


@app.command("rename")
def rename_list(context: typer.Context, list_id: str, name: str) -> None:
    """Give a list another name."""
    place = here(context)
    place.out.show(place.api.patch(f"{_PATH}/{list_id}", {"name": name}), *_LIST)


@app.command("delete")
def delete_list(
    context: typer.Context,
    list_id: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a list."""
    if not yes:
        typer.confirm(f"Delete the list {list_id}?", abort=True, err=True)
    place = here(context)
    place.api.delete(f"{_PATH}/{list_id}")
    place.out.show({"deleted": list_id})


@app.command("erase")
def erase_person(
    context: typer.Context,
    email: str,
    confirm: Annotated[str, typer.Option(help="The same address again.")],
) -> None:
    """Erase a person from every list and every campaign; only the hash stays suppressed."""
    place = here(context)
    body = {"email": email, "confirm": confirm}
    found = place.api.post("/v1/contacts/erase", body)
    counts = {name: found.get(name, 0) for name in _ERASED}
    while found.get("cursor"):  # much to look through takes several answers
        found = place.api.post("/v1/contacts/erase", {**body, "cursor": found["cursor"]})
        counts = {name: counts[name] + found.get(name, 0) for name in _ERASED}
    place.out.show({**found, **counts})


class _Counted:
    """Tell a bar how much of a file was read."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], object]) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self._tell(len(found))
        return found


def _import(place: Place, body: dict[str, Any], source: BinaryIO, bars: Progress) -> dict[str, Any]:
    api = place.api
    ticket = api.post(f"{_PATH}/imports", body)
    sending = bars.add_task("uploading", total=body["size"], note="")
    counted: Any = _Counted(source, lambda n: bars.advance(sending, n))
    upload(ticket["upload"]["url"], counted, body["size"], ticket["upload"]["headers"])
    path = f"{_PATH}/imports/{ticket['import_id']}"
    found = api.post(f"{path}/start", given(mapping=body.get("mapping")))
    reading = bars.add_task("reading", total=body["size"], note="")
    while found["status"] not in _OVER:
        _draw(bars, reading, found)
        time.sleep(_POLL_SECONDS)
        found = api.get(path)
    return dict(found)


def _draw(bars: Progress, bar: TaskID, found: dict[str, Any]) -> None:
    rejected = sum(found["rejected"].values())
    note = f"{found['rows']:,} rows, {rejected:,} rejected"
    bars.update(bar, completed=found["bytes_read"], note=note)
