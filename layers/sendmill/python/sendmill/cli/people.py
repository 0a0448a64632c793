"""Sign in and out; keep the list of those who must not be mailed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from sendmill.cli import signin
from sendmill.cli.failure import WrongUse
from sendmill.cli.place import given, here, save

suppressions = typer.Typer(help="Addresses that must not be mailed.", no_args_is_help=True)
_COLUMNS = ("email", "reason", "source", "at", "address_hash")


def login(
    context: typer.Context,
    client_id: Annotated[str, typer.Option(help="Sign a program in, by its client's id.")] = "",
    scope: Annotated[str, typer.Option(help="Scope of a program, sendmill/ROLE.")] = "",
    token_endpoint: Annotated[str, typer.Option(help="Where programs get tokens.")] = "",
    port: Annotated[int, typer.Option(help="Port that the browser comes back to.")] = signin.PORT,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Sign in: with a browser, or as a program whose secret is in SENDMILL_CLIENT_SECRET."""
    place = here(context)
    session = place.session
    if not session.api_url:
        raise WrongUse("say where: sendmill login --api-url https://...")
    oidc: dict[str, str] = {} if token_endpoint else signin.settings_of(session.api_url)
    endpoint = token_endpoint or oidc.get("token_endpoint", "")
    secret = os.environ.get("SENDMILL_CLIENT_SECRET", "")
    client = client_id or (os.environ.get("SENDMILL_CLIENT_ID", "") if secret else "")
    if client:
        if not secret:
            raise WrongUse("a program's secret is read from SENDMILL_CLIENT_SECRET")
        found = signin.as_program(endpoint, client_id=client, secret=secret, scope=scope)
    else:
        open_it = {} if browser else {"browse": lambda _: None}
        found = signin.as_person(oidc, tell=place.out.say, port=port, **open_it)
    session.keep(
        api_url=session.api_url,
        token_endpoint=endpoint,
        client_id=client or oidc.get("client_id", ""),
        scope=scope,
        **found,
    )
    place.out.say(f"Signed in to {session.api_url} (profile {session.name}).")
    place.out.show(place.api.get("/v1/me"), "subject", "email", "role", "expires_at")


def logout(context: typer.Context) -> None:
    """Forget the tokens of this profile."""
    place = here(context)
    place.out.show({"signed_out": place.session.forget()})


def whoami(context: typer.Context) -> None:
    """Say who is signed in, and with which role."""
    place = here(context)
    place.out.show(place.api.get("/v1/me"), "subject", "email", "role", "expires_at")


@suppressions.command("show")
def show_suppressions(
    context: typer.Context,
    query: Annotated[str, typer.Option(help="Part of an address.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """List addresses that must not be mailed."""
    place = here(context)
    place.out.show(place.api.pages("/v1/suppressions", limit, query=query), *_COLUMNS)


@suppressions.command("add")
def add_suppression(
    context: typer.Context,
    email: str,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Have an address mailed no more."""
    place = here(context)
    body = {"email": email, **given(reason=reason)}
    place.out.show(place.api.post("/v1/suppressions", body), *_COLUMNS)


@suppressions.command("remove")
def remove_suppression(context: typer.Context, address: str) -> None:
    """Let an address be mailed again, named by its address_hash or by itself."""
    place = here(context)
    place.out.show({"removed": _remove(place.api, address)})


@suppressions.command("import")
def import_suppressions(context: typer.Context, file: Path) -> None:
    """Add every address of a CSV file."""
    place = here(context)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WrongUse(f"{file}: {error}") from error
    place.out.show(place.api.send_csv("/v1/suppressions", data), "rows", "accepted", "rejected")


@suppressions.command("export")
def export_suppressions(
    context: typer.Context,
    output: Annotated[
        str, typer.Option("--output", "-o", help="File; - is standard output.")
    ] = "-",
) -> None:
    """Write the list as CSV."""
    place = here(context)
    save("".join(place.api.texts("/v1/suppressions/export")), output)


def _remove(api: Any, address: str) -> str:
    found = address
    if "@" in address:
        rows = api.pages("/v1/suppressions", query=address)["items"]
        same = [row for row in rows if row["email"].lower() == address.lower()]
        if not same:
            raise WrongUse(f"{address} is not on the list by its address; name its address_hash")
        found = same[0]["address_hash"]
    api.delete(f"/v1/suppressions/{found}")
    return str(found)
