"""Name the ways of sending a batch that are measured side by side; each runs in its own process.

A design is a function that builds what lives as long as a Lambda does, and returns what one
invocation does with the text of a queue event.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Invoke = Callable[[str], None]
FROM = "News <noreply@example.com>"
TAGS = [{"Name": "campaign_id", "Value": "bench"}]


class Context:
    """Stand in for what Lambda hands to a handler."""

    function_name = "email-worker"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:email-worker"
    memory_limit_in_mb = 512

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"00000000-0000-4000-8000-{number:012}"

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's time-out."""
        return 290_000


class Log(io.TextIOWrapper):
    """Write to nowhere, as fast as to a pipe, and count."""

    def __init__(self) -> None:
        super().__init__(io.FileIO(os.devnull, "wb"), write_through=True)
        self.written = 0

    def write(self, text: str) -> int:
        """Write a part of a line."""
        self.written += len(text)
        return super().write(text)


log = Log()


def worker() -> Invoke:
    """Run Sendmill's own handler: parse, ledger, rate, claim, render, send, record, log."""
    handler = _load("email_worker").handler
    for kept in sys.modules["sendmill.observe"].logger.handlers:
        kept.stream = log
    sys.stdout = log  # metrics go there
    numbers = iter(range(1_000_000_000))

    def invoke(event: str) -> None:
        answer = handler(json.loads(event), Context(next(numbers)))
        if answer["batchItemFailures"]:
            raise SystemExit(f"the worker gave back {len(answer['batchItemFailures'])} messages")

    return invoke


def bare() -> Invoke:
    """Send mails that lie ready: what the worker's sending could cost at best."""
    import workload

    from sendmill import aws
    from sendmill.provider import SesProvider

    provider = SesProvider(aws.sesv2(""), configuration_set="bench")
    ready = workload.mails(1000)
    at = 0

    def invoke(event: str) -> None:
        nonlocal at
        count = len(json.loads(event)["Records"])
        found = provider.send_all([ready[(at + n) % len(ready)] for n in range(count)])
        at += count
        if any(outcome.fate != "accepted" for outcome in found):
            raise SystemExit(f"a mail was not accepted: {found[0]}")

    return invoke


def powertools() -> Invoke:
    """Send one after the other with boto3 under Powertools' BatchProcessor, without a ledger."""
    from aws_lambda_powertools.utilities.batch import (
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    client, render = _sesv2(1), _renderer()
    processor = BatchProcessor(event_type=EventType.SQS)

    def one(record: Any) -> None:
        client.send_email(**render(json.loads(record.body)))

    def invoke(event: str) -> None:
        found = process_partial_response(json.loads(event), one, processor)
        if found["batchItemFailures"]:
            raise SystemExit("a mail was not accepted")

    return invoke


def threads() -> Invoke:
    """Send with boto3 in ten threads, without a ledger."""
    client, render = _sesv2(10), _renderer()
    pool = ThreadPoolExecutor(10)

    def one(record: dict[str, Any]) -> None:
        client.send_email(**render(json.loads(record["body"])))

    def invoke(event: str) -> None:
        list(pool.map(one, json.loads(event)["Records"]))

    return invoke


def threads_ledger() -> Invoke:
    """Send with boto3 in 32 threads; each mail is written down before and after."""
    import boto3
    from botocore.config import Config

    client, render = _sesv2(32), _renderer()
    dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=32))
    pool = ThreadPoolExecutor(32)

    def one(record: dict[str, Any]) -> None:
        key = {"pk": {"S": "C#bench"}, "sk": {"S": record["messageId"]}}
        dynamodb.put_item(
            TableName="recipients",
            Item={**key, "st": {"S": "sending"}, "owner": {"S": "request-id"}, "att": {"N": "1"}},
            ConditionExpression="attribute_not_exists(pk)",
        )
        answer = client.send_email(**render(json.loads(record["body"])))
        dynamodb.update_item(
            TableName="recipients",
            Key=key,
            UpdateExpression="SET st = :st, mid = :mid",
            ExpressionAttributeValues={":st": {"S": "sent"}, ":mid": {"S": answer["MessageId"]}},
        )

    def invoke(event: str) -> None:
        list(pool.map(one, json.loads(event)["Records"]))

    return invoke


DESIGNS: dict[str, Callable[[], Invoke]] = {
    "worker": worker,
    "bare": bare,
    "powertools": powertools,
    "threads": threads,
    "threads_ledger": threads_ledger,
}


def _load(function: str) -> ModuleType:
    folder = ROOT / "functions" / function
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} holds no handler")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _sesv2(connections: int) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=connections)
    return boto3.client("sesv2", config=config)


def _renderer() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Render as careful programs do: templates compiled once, a text part of its own."""
    import workload
    from jinja2 import Environment

    html = Environment(autoescape=True).from_string(workload.BODY)
    plain = Environment(autoescape=False)  # noqa: S701  text
    subject = plain.from_string(workload.CONTENT.subject)
    text = plain.from_string(workload.TEXT)

    def render(message: dict[str, Any]) -> dict[str, Any]:
        fields = message["contact"]
        body = {
            "Html": {"Data": html.render(fields), "Charset": "UTF-8"},
            "Text": {"Data": text.render(fields), "Charset": "UTF-8"},
        }
        title = {"Data": subject.render(fields), "Charset": "UTF-8"}
        return {
            "FromEmailAddress": FROM,
            "Destination": {"ToAddresses": [fields["email"]]},
            "Content": {"Simple": {"Subject": title, "Body": body}},
            "EmailTags": TAGS,
            "ConfigurationSetName": "bench",
        }

    return render
