"""Mail with Celery on Redis, as a Django team would: the peer of the pipeline row.

Runs in a virtual environment of its own (scripts/requirements/bench.txt), two ways:

    celery -A celery_peer worker ...        the worker
    python celery_peer.py COUNT             queue so many mails, print the seconds that took
    python celery_peer.py marks COUNT       queue tasks that do nothing, print a call's median

Environment: REDIS_URL, and the AWS variables that lead to the sink.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from celery import Celery
from jinja2 import Environment

app = Celery("peer", broker=os.environ["REDIS_URL"], set_as_current=False)
app.conf.task_ignore_result = True
html = Environment(autoescape=True).from_string(
    "<p>Dear {{first_name}} of {{company}},</p><p>this is a load run.</p>"
)


@cache
def client() -> Any:
    """Return one client for each process of the worker."""
    return boto3.client("sesv2", config=Config(retries={"total_max_attempts": 1}))


@app.task(name="send_mail")  # type: ignore[untyped-decorator]  # Celery has no types
def send_mail(contact: dict[str, str]) -> None:
    """Render and send one mail."""
    body = html.render(contact)
    text = f"Dear {contact['first_name']} of {contact['company']},\n\nthis is a load run.\n"
    client().send_email(
        FromEmailAddress="noreply@example.com",
        Destination={"ToAddresses": [contact["email"]]},
        Content={
            "Simple": {
                "Subject": {"Data": f"Hello {contact['first_name']}!"},
                "Body": {"Html": {"Data": body}, "Text": {"Data": text}},
            }
        },
    )


@app.task(name="mark")  # type: ignore[untyped-decorator]  # Celery has no types
def mark(number: int) -> None:
    """Do next to nothing: append a byte to the file that both sides are counted by."""
    os.write(marks(), b".")


@cache
def marks() -> int:
    """Return the file of marks, opened once for each process."""
    return os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def queue_marks(count: int) -> None:
    """Queue so many of them; print the median of a call, in seconds."""
    spent = []
    for n in range(count):
        begun = time.perf_counter()
        mark.delay(n)
        spent.append(time.perf_counter() - begun)
    print(sorted(spent)[count // 2])


def main() -> None:
    """Queue the mails."""
    if sys.argv[1] == "marks":
        queue_marks(int(sys.argv[2]))
        return
    begun = time.monotonic()
    for n in range(int(sys.argv[1])):
        send_mail.delay(
            {"email": f"celery{n}@example.com", "first_name": f"Name{n}", "company": f"Company {n}"}
        )
    print(time.monotonic() - begun)


if __name__ == "__main__":
    main()
