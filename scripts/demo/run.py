"""Send the shipped list of 500 contacts through the stack, and show that it adds up.

Parameters:  --contacts FILE  another list (CSV)
Environment: EMULATOR_PORT
Exit code:   0 only when the states add up to the rows of the file and every mail is in the mailbox
"""

from __future__ import annotations

import argparse
import email
import email.policy
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from stack import Stack

HERE = Path(__file__).resolve().parent
PATIENCE_SECONDS = 240
console = Console()


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=Path, default=HERE / "contacts.csv")
    contacts = parser.parse_args().contacts
    stack = Stack.local()
    stack.sign_in()
    console.print(f"\n[bold]1[/] Upload {contacts.name}")
    found = upload(stack, contacts)
    console.print(f"[bold]2[/] Create a campaign for its {found['accepted']} good rows, start it")
    campaign = create_and_start(stack, found["list_id"])
    console.print("[bold]3[/] API -> SQS -> dispatch -> SQS -> e-mail worker -> SES stand-in\n")
    campaign = watch(stack, campaign["campaign_id"])
    show_states(campaign, found)
    mails = stack.delivered(campaign_id=campaign["campaign_id"])
    if mails:
        show_mail(stack, mails[0])
    show_next(stack, campaign)
    return judge(campaign, len(mails))


def upload(stack: Stack, contacts: Path) -> dict[str, Any]:
    """Import the list, show its rejected rows, and return what the API said."""
    found: dict[str, Any] = stack.request(
        "POST",
        f"/v1/contact-lists?name={contacts.stem}",
        contacts.read_bytes(),
        content_type="text/csv",
    )
    table = Table(title=f"{len(found['rejected_rows'])} of {found['rows']} rows were rejected")
    table.add_column("line", justify="right")
    table.add_column("reason")
    for row in found["rejected_rows"]:
        table.add_row(str(row["line"]), row["reason"])
    console.print(table)
    return found


def create_and_start(stack: Stack, list_id: str) -> dict[str, Any]:
    """Create the demo's campaign and start it."""
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Monthly Newsletter",
            "list_id": list_id,
            "subject": "Hello {{first_name}}!",
            "body": (HERE / "template.html").read_text(encoding="utf-8"),
            "config": {"email_service": "ses", "from_email": "noreply@example.com"},
        },
    )
    started: dict[str, Any] = stack.request(
        "POST", f"/v1/campaigns/{campaign['campaign_id']}/start"
    )
    return started


def watch(stack: Stack, campaign_id: str) -> dict[str, Any]:
    """Show the campaign's progress until it is over; return its last state."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=50),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=console,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task("planning", total=None, rate="")
        while True:
            campaign: dict[str, Any] = stack.request("GET", f"/v1/campaigns/{campaign_id}")
            states = campaign["states"]
            done = sum(states.get(name, 0) for name in ("accepted", "failed", "suppressed"))
            rate = f"{done / max(0.001, time.monotonic() - started):.0f} mails/s"
            bar.update(
                task,
                total=campaign["total"],
                completed=done,
                description=campaign["status"],
                rate=rate,
            )
            if campaign["status"] not in ("planning", "running"):
                return campaign
            if time.monotonic() - started > PATIENCE_SECONDS:
                return campaign
            time.sleep(0.3)


def show_states(campaign: dict[str, Any], found: dict[str, Any]) -> None:
    """Show state -> count, adding up to the rows of the file."""
    table = Table(title="\nEvery row of the file, accounted for")
    table.add_column("state")
    table.add_column("rows", justify="right")
    for state, count in sorted(campaign["states"].items()):
        table.add_row(state, str(count))
    table.add_row("rejected: invalid", str(found["rejected"]["invalid"]))
    table.add_row("rejected: duplicate", str(found["rejected"]["duplicate"]), end_section=True)
    table.add_row("[bold]sum", f"[bold]{accounted(campaign)}")
    table.add_row("[bold]rows in the file", f"[bold]{campaign['rows']}")
    console.print(table)


def accounted(campaign: dict[str, Any]) -> int:
    """Return how many rows have a state or a rejection."""
    rejected: dict[str, int] = campaign["rejected"]
    states: dict[str, int] = campaign["states"]
    return sum(states.values()) + sum(rejected.values())


def show_mail(stack: Stack, mail: dict[str, Any]) -> None:
    """Show one mail as its recipient reads it."""
    raw = stack.mailbox("GET", f"/messages/{mail['message_id']}")
    parsed = email.message_from_string(raw, EmailMessage, policy=email.policy.default)
    text = parsed.get_body(("plain",))
    lines = [f"{name}: {parsed[name]}" for name in ("From", "To", "Subject")]
    body = text.get_content() if text else ""
    console.print(Panel("\n".join([*lines, "", body.strip()]), title="One of the mails", width=78))


def show_next(stack: Stack, campaign: dict[str, Any]) -> None:
    """Say where to go from here."""
    who = f"{stack.outputs['api_url']}/v1/campaigns/{campaign['campaign_id']}/recipients"
    console.print(
        f"""
Where to go next
  the mailbox        {stack.mailbox_url}/
  who got it         GET {who}
  the AWS command    eval "$(make -s env ENV=local)"; aws sqs list-queues
  the tests          make test
  stop it            make down
"""
    )


def judge(campaign: dict[str, Any], mails: int) -> int:
    """Return 0 if the states add up and each accepted recipient has one mail."""
    sent = campaign["states"].get("accepted", 0)
    if campaign["status"] != "complete":
        reason = f" ({campaign['reason']})" if campaign["reason"] else ""
        console.print(f"[red]The campaign is {campaign['status']}{reason}, not complete.")
        return 1
    if accounted(campaign) != campaign["rows"] or sent != mails:
        console.print(
            f"[red]It does not add up: {accounted(campaign)} of {campaign['rows']} rows, "
            f"{sent} accepted, {mails} mails."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
