"""What could not be handled, and why."""

from __future__ import annotations

from collections.abc import Iterator

from operations.account import Account
from sendmill.dead_letters import DeadLetterQueue

SHOWN = 20
# Only these letters are in the shape of a mail, so only of these the reason is known here.
MAIL_QUEUE = "email"


def lines(account: Account) -> Iterator[str]:
    """Yield every dead-letter queue that holds something, with its oldest letters."""
    empty = []
    for name, _, url in account.queues():
        if not url:
            continue
        letters = DeadLetterQueue(
            account.client("sqs"), url, default_from="noreply@example.com"
        ).look(SHOWN)
        if not letters:
            empty.append(name)
            continue
        yield f"{name}: {len(letters)}{' or more' if len(letters) == SHOWN else ''}"
        for letter in letters:
            age = f"{letter.age_seconds // 3600} h {letter.age_seconds % 3600 // 60} min"
            reason = f"  {letter.campaign_id}  {letter.reason}" if name == MAIL_QUEUE else ""
            yield f"  {letter.message_id}  {age}, received {letter.receives} times{reason}"
    yield f"nothing in: {', '.join(empty)}" if empty else "no queue is empty"
    yield "Send them again or throw them away: docs/runbooks, or POST /v1/dead-letters/redrive."
