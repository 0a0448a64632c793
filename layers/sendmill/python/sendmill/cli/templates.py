"""Templates: keep them, and see what a contact would read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sendmill.cli.place import given, here, json_of, pairs, save, text_of

app = typer.Typer(help="Templates of mails.", no_args_is_help=True)
_PATH = "/v1/templates"
_TEMPLATE = ("template_id", "version", "name", "subject", "variables", "created_at", "created_by")
Body = Annotated[str, typer.Option(help="File with the HTML; - is standard input.")]
Text = Annotated[str, typer.Option(help="File with the plain text; made from the HTML without it.")]
Subject = Annotated[str, typer.Option(help="Subject; may hold {{ fields }}.")]
Default = Annotated[list[str] | None, typer.Option("--default", help="FIELD=VALUE if missing.")]


@app.command("show")
def show_templates(
    context: typer.Context,
    template_id: Annotated[str, typer.Argument(help="One; without it all of them.")] = "",
    version: Annotated[int, typer.Option(help="An older version.")] = 0,
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """Show a template with its body, or all templates."""
    place = here(context)
    if template_id:
        found = place.api.get(f"{_PATH}/{template_id}", version=version or "")
        place.out.show(found, *_TEMPLATE, "body", "text")
    else:
        place.out.show(place.api.pages(_PATH, limit), *_TEMPLATE)


@app.command("versions")
def show_versions(context: typer.Context, template_id: str) -> None:
    """List the versions of a template, newest first."""
    place = here(context)
    place.out.show(place.api.get(f"{_PATH}/{template_id}/versions"), *_TEMPLATE)


@app.command("create")
def create_template(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Name.")],
    subject: Subject,
    body: Body,
    text: Text = "",
    default: Default = None,
) -> None:
    """Keep a template."""
    place = here(context)
    asked = {"name": name, "subject": subject, **_bodies(body, text, default)}
    place.out.show(place.api.post(_PATH, asked), *_TEMPLATE)


@app.command("update")
def update_template(
    context: typer.Context,
    template_id: str,
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    subject: Subject = "",
    body: Body = "",
    text: Text = "",
    default: Default = None,
) -> None:
    """Make the next version of a template; what is not said stays."""
    place = here(context)
    before = place.api.get(f"{_PATH}/{template_id}")
    kept = {key: before.get(key) for key in ("name", "subject", "body", "text", "defaults")}
    changes = given(name=name, subject=subject) | _bodies(body, text, default)
    asked = given(**kept) | changes
    place.out.show(place.api.put(f"{_PATH}/{template_id}", asked), *_TEMPLATE)


@app.command("delete")
def delete_template(context: typer.Context, template_id: str) -> None:
    """Delete a template; campaigns keep theirs."""
    place = here(context)
    place.api.delete(f"{_PATH}/{template_id}")
    place.out.show({"deleted": template_id})


@app.command("preview")
def preview_template(
    context: typer.Context,
    body: Body,
    subject: Subject = "Preview",
    contact: Annotated[str, typer.Option(help="JSON object with email and fields.")] = "",
    list_id: Annotated[str, typer.Option("--list", help="Take a contact of this list.")] = "",
    contact_id: Annotated[str, typer.Option(help="That contact.")] = "",
    html: Annotated[str, typer.Option(help="Write the HTML to this file.")] = "",
) -> None:
    """Show what a contact would read; nothing is sent."""
    place = here(context)
    who: Any = json_of(contact, "--contact") if contact else None
    if not who and list_id and not contact_id:
        found = place.api.pages(f"/v1/contact-lists/{list_id}/contacts", 1)["items"]
        contact_id = found[0]["contact_id"] if found else ""
    if not who and not contact_id:
        who = {"email": "ada@example.com"}
    asked = {"subject": subject, "body": text_of(body)}
    asked |= given(contact=who, list_id=list_id, contact_id=contact_id)
    seen = place.api.post(f"{_PATH}/preview", asked)
    if html:
        save(seen["html"], html)
    place.out.show(seen, "subject", "variables", "missing", "text")


def _bodies(body: str, text: str, default: list[str] | None) -> dict[str, Any]:
    return given(
        body=text_of(body) if body else "",
        text=text_of(text) if text else "",
        defaults=pairs(default or [], "--default"),
    )
