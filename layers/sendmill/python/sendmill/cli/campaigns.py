"""Campaigns: make, check, try, start, follow, stop, and see what became of everybody."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from sendmill.cli.failure import Failure, NotPermitted, NotReachable, WrongUse
from sendmill.cli.place import Place, given, here, save, text_of

app = typer.Typer(help="Campaigns.", no_args_is_help=True)
_PATH = "/v1/campaigns"
_ROW = ("campaign_id", "campaign_name", "status", "total", "states", "created_at")
_VIEW = (
    "campaign_id",
    "campaign_name",
    "status",
    "reason",
    "list_id",
    "subject",
    "total",
    "states",
    "news",
    "rejected",
    "rate_per_second",
    "eta_seconds",
    "created_by",
    "created_at",
)
_PERSON = ("email", "state", "reason", "news", "attempts", "line", "updated_at")
# How a campaign ends, and whether that is well.
_ENDS = {"complete": True, "complete_with_unknown": False, "cancelled": False, "refused": False}
# Where nothing moves until somebody says so.
_WAITS = ("draft", "scheduled", "paused")
_POLL_SECONDS = 2.0
_PATIENCE = 30

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it has ended.")]
Accept = Annotated[
    list[str] | None, typer.Option("--accept-warning", help="Id of a check that only warns.")
]


@app.command("show")
def show_campaigns(
    context: typer.Context,
    campaign_id: Annotated[str, typer.Argument(help="One; without it all of them.")] = "",
    status: Annotated[str, typer.Option(help="Those with this status.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """Show a campaign, or all campaigns, newest first."""
    place = here(context)
    if campaign_id:
        place.out.show(place.api.get(f"{_PATH}/{campaign_id}"), *_VIEW)
    else:
        place.out.show(place.api.pages(_PATH, limit, status=status), *_ROW)


@app.command("create")
def create_campaign(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Name.")],
    list_id: Annotated[str, typer.Option("--list", help="Contact list.")],
    subject: Annotated[str, typer.Option(help="Subject; may hold {{ fields }}.")] = "",
    body: Annotated[str, typer.Option(help="File with the HTML; - is standard input.")] = "",
    template: Annotated[str, typer.Option(help="ID or ID:VERSION instead of a body.")] = "",
    sender: Annotated[str, typer.Option("--from", help="Address that it is sent from.")] = "",
    reply_to: Annotated[str, typer.Option(help="Address that answers go to.")] = "",
    service: Annotated[str, typer.Option(help="ses or smtp.")] = "",
    region: Annotated[str, typer.Option(help="Region of SES.")] = "",
    unknown: Annotated[str, typer.Option(help="auto, hold or resend.")] = "",
) -> None:
    """Create a campaign as a draft; nothing is sent."""
    if bool(body) == bool(template):
        raise WrongUse("say either --body FILE with --subject, or --template ID")
    place = here(context)
    config = given(from_email=sender, reply_to=reply_to, email_service=service, aws_region=region)
    asked = given(
        name=name,
        list_id=list_id,
        subject=subject,
        body=text_of(body) if body else "",
        config=config,
        unknown_policy=unknown,
        **_template(template),
    )
    place.out.show(place.api.post(_PATH, asked), *_VIEW)


@app.command("edit")
def edit_campaign(
    context: typer.Context,
    campaign_id: str,
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    list_id: Annotated[str, typer.Option("--list", help="Another contact list.")] = "",
    subject: Annotated[str, typer.Option(help="Another subject.")] = "",
    body: Annotated[str, typer.Option(help="File with another HTML; - is standard input.")] = "",
    template: Annotated[str, typer.Option(help="ID or ID:VERSION of another template.")] = "",
    sender: Annotated[str, typer.Option("--from", help="Another sender.")] = "",
    reply_to: Annotated[str, typer.Option(help="Another address for answers.")] = "",
) -> None:
    """Change a draft; what is not said stays."""
    place = here(context)
    asked = given(
        name=name,
        list_id=list_id,
        subject=subject,
        body=text_of(body) if body else "",
        config=given(from_email=sender, reply_to=reply_to),
        **_template(template),
    )
    if not asked:
        raise WrongUse("say what is to change")
    place.out.show(place.api.patch(f"{_PATH}/{campaign_id}", asked), *_VIEW)


@app.command("clone")
def clone_campaign(
    context: typer.Context,
    campaign_id: str,
    name: Annotated[str, typer.Option(help="Name of the copy.")] = "",
) -> None:
    """Make a new draft of a campaign."""
    place = here(context)
    body = given(name=name) or None
    place.out.show(place.api.post(f"{_PATH}/{campaign_id}/clone", body), *_VIEW)


@app.command("delete")
def delete_campaign(context: typer.Context, campaign_id: str) -> None:
    """Delete a draft."""
    place = here(context)
    place.api.delete(f"{_PATH}/{campaign_id}")
    place.out.show({"deleted": campaign_id})


@app.command("preflight")
def preflight(context: typer.Context, campaign_id: str) -> None:
    """Check whether a campaign may start. Exit code 1 when an error blocks it."""
    place = here(context)
    found = place.api.get(f"{_PATH}/{campaign_id}/preflight")
    if place.out.as_json:
        place.out.show(found)
    else:
        place.out.show({"items": found["checks"]}, "level", "id", "title", "detail", "fix")
        place.out.show(found.get("estimate") or {})
    if not found["ready"]:
        raise Failure("the campaign cannot start: see the checks that failed")


@app.command("test")
def test_campaign(
    context: typer.Context,
    campaign_id: str,
    to: Annotated[list[str], typer.Option(help="Address, up to five times.")],
    contact_id: Annotated[str, typer.Option(help="Whose fields are shown.")] = "",
) -> None:
    """Mail a test of a campaign. Exit code 1 when one of the addresses was not mailed."""
    place = here(context)
    asked = {"to": to, **given(contact_id=contact_id)}
    found = place.api.post(f"{_PATH}/{campaign_id}/test", asked)
    place.out.show(found)
    if found.get("failed"):
        raise Failure(f"{len(found['failed'])} of {len(to)} tests were not sent")


@app.command("approve")
def approve(context: typer.Context, campaign_id: str) -> None:
    """Approve what another person wants to send."""
    place = here(context)
    place.out.show(place.api.post(f"{_PATH}/{campaign_id}/approve"), *_VIEW)


@app.command("start")
def start(
    context: typer.Context, campaign_id: str, accept_warning: Accept = None, watch: Watch = False
) -> None:
    """Start a campaign; asking twice starts it once."""
    place = here(context)
    body = given(accept_warnings=accept_warning or []) or None
    found = place.api.post(f"{_PATH}/{campaign_id}/start", body)
    _shown_or_followed(place, found, watch)


@app.command("schedule")
def schedule(
    context: typer.Context,
    campaign_id: str,
    at: Annotated[str, typer.Option(help="2026-12-24T08:00:00+01:00, or seconds since 1970.")],
    max_late: Annotated[int, typer.Option(help="Seconds after which it starts no more.")] = 3600,
) -> None:
    """Start a campaign at a time."""
    place = here(context)
    body = {"start_at": moment(at), "max_late_seconds": max_late}
    place.out.show(place.api.post(f"{_PATH}/{campaign_id}/schedule", body), *_VIEW)


@app.command("watch")
def watch_campaign(context: typer.Context, campaign_id: str) -> None:
    """Follow a campaign. Exit code 0 when it is complete, 1 when it ended otherwise."""
    place = here(context)
    _shown_or_followed(place, place.api.get(f"{_PATH}/{campaign_id}"), True)


@app.command("pause")
def pause(context: typer.Context, campaign_id: str) -> None:
    """Stop sending within seconds; who waits goes on waiting."""
    _asked_to(context, campaign_id, "pause")


@app.command("resume")
def resume(context: typer.Context, campaign_id: str, watch: Watch = False) -> None:
    """Go on with a paused campaign."""
    _asked_to(context, campaign_id, "resume", watch=watch)


@app.command("cancel")
def cancel(context: typer.Context, campaign_id: str) -> None:
    """End a campaign: nobody who still waits is mailed."""
    _asked_to(context, campaign_id, "cancel")


@app.command("retry")
def retry(
    context: typer.Context,
    campaign_id: str,
    reason: Annotated[str, typer.Option(help="Those whose reason starts like this.")] = "",
    watch: Watch = False,
) -> None:
    """Try failed recipients again."""
    _asked_to(context, campaign_id, "retry", given(reason=reason) or None, watch=watch)


@app.command("resolve")
def resolve(
    context: typer.Context,
    campaign_id: str,
    how: Annotated[str, typer.Option(help="resend or fail.")],
) -> None:
    """Settle recipients whose mail may or may not have been taken."""
    _asked_to(context, campaign_id, "resolve", {"how": how})


@app.command("recipients")
def recipients(
    context: typer.Context,
    campaign_id: str,
    state: Annotated[str, typer.Option(help="Those in this state.")] = "",
    reason: Annotated[str, typer.Option(help="Those whose reason starts like this.")] = "",
    query: Annotated[str, typer.Option(help="Part of an address.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 is all.")] = 100,
) -> None:
    """List who is in which state, and why."""
    place = here(context)
    asked = {"state": state, "reason": reason, "query": query}
    place.out.show(place.api.pages(f"{_PATH}/{campaign_id}/recipients", limit, **asked), *_PERSON)


@app.command("export")
def export(
    context: typer.Context,
    campaign_id: str,
    state: Annotated[str, typer.Option(help="Those in this state.")] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", help="File; - is standard output.")
    ] = "-",
) -> None:
    """Write the recipients as CSV."""
    place = here(context)
    path = f"{_PATH}/{campaign_id}/recipients/export"
    save("".join(place.api.texts(path, state=state)), output)


@app.command("failures")
def failures(context: typer.Context, campaign_id: str) -> None:
    """Group the failures by their reason, with advice."""
    place = here(context)
    found = place.api.get(f"{_PATH}/{campaign_id}/failures")
    place.out.show(found, "count", "state", "reason", "retryable", "advice")


def moment(text: str) -> int:
    """Return a time in seconds since 1970; one without a zone is this machine's."""
    if text.isdecimal():
        return int(text)
    try:
        # in the hour that a night leaves out, astimezone() of Python 3.11 is an hour off
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise WrongUse(f"--at is no time: {error}") from error


def _template(said: str) -> dict[str, Any]:
    """Return what ``ID`` or ``ID:VERSION`` says."""
    template_id, colon, version = said.partition(":")
    if colon and not version.isdecimal():
        raise WrongUse(f"--template is ID or ID:VERSION (got {said!r})")
    return given(template_id=template_id, template_version=int(version or 0) or None)


def _asked_to(
    context: typer.Context, campaign_id: str, verb: str, body: object = None, *, watch: bool = False
) -> None:
    place = here(context)
    _shown_or_followed(place, place.api.post(f"{_PATH}/{campaign_id}/{verb}", body), watch)


def _shown_or_followed(place: Place, found: dict[str, Any], watch: bool) -> None:
    if watch:
        found = _follow(place, found)
    place.out.show(found, *_VIEW)
    if watch and not _ENDS.get(found["status"], found["status"] in _WAITS):
        raise Failure(f"the campaign is {found['status']}: {found.get('reason') or 'see failures'}")


def _follow(place: Place, found: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign that has ended, or waits for somebody."""
    api, path, missed = place.api, f"{_PATH}/{found['campaign_id']}", 0
    with place.out.progress() as bars:
        bar = bars.add_task(found["campaign_name"], total=None, note="")
        while found["status"] not in _ENDS and found["status"] not in _WAITS:
            states = found["states"]
            waiting = sum(states.get(name, 0) for name in ("pending", "sending", "retry"))
            done = sum(states.values()) - waiting
            note = ", ".join(f"{name} {count:,}" for name, count in sorted(states.items()))
            bars.update(bar, total=found["total"] or None, completed=done, note=note)
            time.sleep(_POLL_SECONDS)
            try:
                found, missed = api.get(path), 0
            except NotPermitted:
                raise
            except NotReachable:
                missed += 1
                if missed > _PATIENCE:
                    raise
    sys.stderr.flush()
    return found
