"""Send many contacts through the emulator, check that all are accounted for, print rates.

Parameters:  --contacts N  how many (default 10,000)
Environment: EMULATOR_PORT
Exit code:   0 only when every contact has exactly one mail
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

from stack import Stack

PATIENCE_SECONDS = 1800


def main() -> int:
    """Run the load; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=10_000)
    contacts = parser.parse_args().contacts
    stack = Stack.local()
    stack.sign_in()
    started = time.monotonic()
    campaign = start(stack, contacts)
    imported = time.monotonic()
    campaign, dispatched = watch(stack, campaign["campaign_id"])
    over = time.monotonic()
    mails = Counter(mail["to"][0] for mail in stack.delivered(campaign_id=campaign["campaign_id"]))
    print(f"status                 {campaign['status']}, states {campaign['states']}")
    print(f"mails in the mailbox   {sum(mails.values())}, to {len(mails)} addresses")
    print(f"import                 {imported - started:.1f} s")
    print(f"start to dispatched    {dispatched - imported:.1f} s")
    print(f"start to the last mail {over - imported:.1f} s")
    print(f"mails per second       {contacts / (over - imported):.0f} (start to the last mail)")
    right = campaign["states"] == {"accepted": contacts} and set(mails.values()) == {1}
    return 0 if right and len(mails) == contacts else 1


def start(stack: Stack, contacts: int) -> dict[str, Any]:
    """Import the contacts and start a campaign for them."""
    rows = "".join(f"load{n}@example.com,Name{n},Company {n}\n" for n in range(contacts))
    found = stack.request(
        "POST",
        "/v1/contact-lists?name=load",
        f"email,first_name,company\n{rows}".encode(),
        content_type="text/csv",
    )
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "Load",
            "list_id": found["list_id"],
            "subject": "Hello {{first_name}}!",
            "body": "<p>Dear {{first_name}} of {{company}},</p><p>this is a load run.</p>",
            "config": {"from_email": "noreply@example.com"},
        },
    )
    path = f"/v1/campaigns/{campaign['campaign_id']}/start"
    started: dict[str, Any] = stack.request("POST", path)
    return started


def watch(stack: Stack, campaign_id: str) -> tuple[dict[str, Any], float]:
    """Print progress until the campaign is over; return it, and when all was dispatched."""
    dispatched = 0.0
    began = last = time.monotonic()
    while True:
        campaign: dict[str, Any] = stack.request("GET", f"/v1/campaigns/{campaign_id}")
        now = time.monotonic()
        if not dispatched and campaign["dispatched"]:
            dispatched = now
        if now - last > 10:
            print(f"{now - began:6.0f} s  {campaign['status']} {campaign['states']}", flush=True)
            last = now
        if campaign["status"] not in ("planning", "running"):
            return campaign, dispatched or now
        if now - began > PATIENCE_SECONDS:
            return campaign, dispatched or now
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
