"""Look after the service: dead letters, background tasks, the account, the log."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sendmill.cli.failure import NotPermitted, NotReachable, NotThere, WrongUse
from sendmill.cli.place import Place, here, json_of

letters = typer.Typer(help="Messages that nobody could act on.", no_args_is_help=True)
tasks = typer.Typer(help="Background tasks.", no_args_is_help=True)
_LETTER = ("message_id", "age_seconds", "receives", "campaign_id", "reason")
_QUEUE = ("name", "waiting", "in_flight", "delayed", "oldest_seconds", "dead_letters")
_RUN = ("task_id", "task", "status", "attempts", "started_at", "finished_at", "error")
_ACCOUNT = (
    "region",
    "production",
    "enforcement",
    "stopped",
    "rate",
    "max_rate",
    "daily_quota",
    "sent_today",
    "reputation",
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_POLL_SECONDS = 2.0
Queue = Annotated[str, typer.Option(help="email, tasks, ... (email without it).")]


@letters.command("show")
@letters.command("list")
def show_letters(
    context: typer.Context,
    queue: Queue = "",
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
) -> None:
    """List dead letters, oldest first, with the reason."""
    place = here(context)
    place.out.show(place.api.get("/v1/dead-letters", queue=queue, limit=limit), *_LETTER)


@letters.command("redrive")
def redrive(context: typer.Context, queue: Queue = "") -> None:
    """Move every dead letter back to the queue it came from."""
    place = here(context)
    place.out.show(place.api.post("/v1/dead-letters/redrive", queue=queue))


@letters.command("purge")
def purge(
    context: typer.Context,
    confirm: Annotated[str, typer.Option(help="The name of the queue, again.")],
    queue: Queue = "",
) -> None:
    """Throw every dead letter away."""
    place = here(context)
    body = {"confirm": confirm}
    place.out.show(place.api.post("/v1/dead-letters/purge", body, queue=queue))


@tasks.command("show")
def show_tasks(context: typer.Context) -> None:
    """Show the queues of tasks, and what ran lately."""
    place = here(context)
    found = place.api.get("/v1/tasks")
    if place.out.as_json:
        place.out.show(found)
        return
    place.out.show({"items": found["queues"]}, *_QUEUE)
    place.out.show({"items": found["recent"]}, *_RUN)


@tasks.command("redrive")
def redrive_tasks(context: typer.Context, queue: str) -> None:
    """Move the dead letters of a task queue back to it."""
    place = here(context)
    place.out.show(place.api.post("/v1/tasks/redrive", {"queue": queue}))


@tasks.command("send")
def send_task(
    context: typer.Context,
    name: str,
    payload: Annotated[str, typer.Argument(help="JSON object.")] = "{}",
    delay: Annotated[float, typer.Option(help="Seconds.")] = 0,
    queue: Annotated[str, typer.Option(help="Queue by name.")] = "",
) -> None:
    """Send a task, with AWS credentials and AWS_SQS_QUEUE_URL of this shell."""
    from sendmill.errors import PermanentError, SendmillError
    from sendmill.tasks import configure, sqs_client

    configure(use_async=True)
    try:
        sent = sqs_client.send_task(
            name, json_of(payload, "the payload"), delay_seconds=delay, queue=queue or None
        )
    except PermanentError as error:
        raise WrongUse(str(error)) from error
    except SendmillError as error:
        raise NotReachable(str(error)) from error
    here(context).out.show(
        {"task_id": sent.task_id, "mode": sent.mode, "message_id": sent.message_id}
    )


def account(context: typer.Context) -> None:
    """Show quota, rate and standing of the SES account."""
    place = here(context)
    place.out.show(place.api.get("/v1/account"), *_ACCOUNT)


def logs(
    context: typer.Context,
    function: Annotated[str, typer.Argument(help="api, dispatch, email_worker, ...")],
    environment: Annotated[str, typer.Option("--env", help="dev, prod, ...")] = "",
    since: Annotated[str, typer.Option(help="How far back: 10m, 2h, 1d.")] = "10m",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until stopped.")] = False,
    match: Annotated[str, typer.Option("--filter", help="Pattern of CloudWatch Logs.")] = "",
    group: Annotated[str, typer.Option(help="Name of the log group itself.")] = "",
) -> None:
    """Show what a function logged, with AWS credentials of this shell."""
    place = here(context)
    found = re.fullmatch(r"(\d+)([smhd])", since)
    if not found:
        raise WrongUse(f"--since is a number with s, m, h or d (got {since!r})")
    if not (group or environment):
        raise WrongUse("say --env dev, or the --group itself")
    name = group or f"/aws/lambda/sendmill-{environment}-{function.replace('_', '-')}"
    start = int((time.time() - int(found[1]) * _UNITS[found[2]]) * 1000)
    _tail(place, name, start, match, follow=follow)


def _tail(place: Place, group: str, start: int, match: str, *, follow: bool) -> None:
    """Write events from a time on, each once."""
    client, seen = _logs_client(), set[str]()
    while True:
        for event in _events(client, group, start, match):
            known = event.get("eventId") or f"{event['timestamp']} {event['message']}"
            if known in seen:
                continue
            seen.add(known)
            start = max(start, int(event["timestamp"]))
            _write(place, event)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _events(client: Any, group: str, start: int, match: str) -> list[dict[str, Any]]:
    from botocore.exceptions import BotoCoreError, ClientError

    asked = {"logGroupName": group, "startTime": start}
    if match:
        asked["filterPattern"] = match
    try:
        pages = client.get_paginator("filter_log_events").paginate(**asked)
        found = [event for page in pages for event in page["events"]]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            raise NotThere(f"there is no log group {group}") from error
        if "Denied" in code or "Token" in code or "Signature" in code:
            raise NotPermitted(f"{code}: {error.response['Error']['Message']}") from error
        raise NotReachable(f"CloudWatch Logs: {code}") from error
    except BotoCoreError as error:
        raise NotReachable(f"CloudWatch Logs: {error}") from error
    return sorted(found, key=lambda event: int(event["timestamp"]))


def _logs_client() -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError

    make: Any = boto3.client
    try:
        return make("logs")
    except BotoCoreError as error:
        raise WrongUse(f"no AWS region or profile: {error}") from error


def _write(place: Place, event: dict[str, Any]) -> None:
    if place.out.as_json:
        place.out.show({"at": event["timestamp"] / 1000, "message": event["message"].rstrip()})
        return
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S")
    typer.echo(f"{at} {event['message'].rstrip()}")
