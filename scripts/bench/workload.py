"""Make the work that every row of the benchmark does: one campaign, its rows, its queue events.

A mail has a subject with one field, 3.5 KB of HTML with six and the text made from it: 5 KB as a
request to SES. Contacts differ, so nothing can be reused from one mail to the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3

from sendmill.campaign import Campaign, Config, Content, Service, Status
from sendmill.contact import Contact, recipient_id
from sendmill.ledger import Row
from sendmill.mail import Mail
from sendmill.message import Message, message_body
from sendmill.store import CampaignStore, RecipientStore
from sendmill.template import compile_content

CAMPAIGN_ID = "campaign_1790000000bench"
HASH_KEY = b"0123456789abcdef0123456789abcdef"  # what the sink's secret holds
NOW = 1_790_000_000
_PARAGRAPH = (
    '<tr><td style="padding:0 24px 16px;font:16px/24px Arial,Helvetica,sans-serif;color:#333333">'
    '<p style="margin:0 0 16px">A desk that answers within a day: '
    '<a href="https://example.com/news/{n}?c={{{{ company }}}}" style="color:#0b5cad">'
    "what changed</a>.</p></td></tr>\n"
)
BODY = (
    "<!doctype html><html><head><title>News</title></head><body>\n"
    '<table role="presentation" width="600" align="center">\n'
    "<tr><td><h1>Dear {{ first_name }} {{ last_name }},</h1></td></tr>\n"
    + "".join(_PARAGRAPH.format(n=n) for n in range(12))
    + "<p>Your office is {{ city }}, your number {{ account }}; we write to {{ email }}.</p>\n"
    "</td></tr></table></body></html>\n"
)
# The text part of those who write one themselves.
TEXT = (
    "Dear {{ first_name }} {{ last_name }},\n\n"
    + "".join(
        "A desk that answers within a day: "
        f"what changed <https://example.com/news/{n}?c={{{{ company }}}}>.\n\n"
        for n in range(12)
    )
    + "Your office: {{ city }}, your number: {{ account }}; sent to {{ email }}.\n"
)
CONTENT = Content(
    subject="Hello {{ first_name }}!",
    body=BODY,
    config=Config(email_service=Service.SES, from_email="News <noreply@example.com>"),
)


def contacts(count: int) -> Iterator[Contact]:
    """Yield contacts, each with five fields beside the address."""
    for n in range(count):
        yield Contact(
            email=f"person.{n}@mail-{n % 7}.example.com",
            fields={
                "first_name": f"Ada{n}",
                "last_name": "Lovelace & Söhne",
                "company": f"Analytical Engines {n % 97} <Ltd>",
                "city": "Bournemouth",
                "account": f"A-{n:08}",
            },
        )


def rows(count: int) -> list[Row]:
    """Return the rows that dispatch would have made."""
    return [
        Row(
            campaign_id=CAMPAIGN_ID,
            rid=recipient_id(HASH_KEY, CAMPAIGN_ID, contact.email),
            contact=contact,
            chunk=0,
            line=n + 2,
            due=NOW,
            created_at=NOW,
            updated_at=NOW,
        )
        for n, contact in enumerate(contacts(count))
    ]


def mails(count: int) -> list[Mail]:
    """Return the mails as the worker would hand them to SES."""
    compiled = compile_content(CONTENT)
    return [
        Mail(
            config=CONTENT.config,
            to=row.contact.email,
            rendered=compiled.render(row.contact.template_fields()),
            campaign_id=row.campaign_id,
            rid=row.rid,
            attempt=1,
        )
        for row in rows(count)
    ]


def seed(recipients: int) -> None:
    """Put the campaign and its rows where the environment's endpoint says."""
    dynamodb = boto3.client("dynamodb")
    CampaignStore(dynamodb, "campaigns").add(
        Campaign(
            id=CAMPAIGN_ID,
            name="Bench",
            content=CONTENT,
            status=Status.RUNNING,
            created_at=NOW,
            rows=recipients,
            expected=recipients,
            total=recipients,
            chunks=1,
            chunks_done=1,
        )
    )
    RecipientStore(dynamodb, "recipients", "campaigns").put_all(rows(recipients))


def events(recipients: int, batch: int) -> list[str]:
    """Return queue events as Lambda receives them: JSON text of ``batch`` records each."""
    records = [
        _record(n, message_body(Message(campaign_id=CAMPAIGN_ID, contact=contact)))
        for n, contact in enumerate(contacts(recipients))
    ]
    whole = range(0, len(records) - batch + 1, batch)
    return [json.dumps({"Records": records[at : at + batch]}) for at in whole]


def _record(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"{number:08}-1111-4222-8333-123456789012",
        "receiptHandle": "A" * 400,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1790000000000",
            "SenderId": "AROAEXAMPLE:dispatch",
            "ApproximateFirstReceiveTimestamp": "1790000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:email",
        "awsRegion": "us-east-1",
    }
