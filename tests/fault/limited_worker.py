"""The real e-mail worker in a process of its own, woken as Lambda wakes it, until told to end.

    python limited_worker.py QUEUE_URL BATCH

takes up to BATCH messages at a time, hands them to the handler of functions/email_worker and
deletes what it does not ask to see again. Prints ``ready`` once its imports are done, and a line
for each batch. What its memory may be is the business of whoever started it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300


class Invocation:
    """What Lambda hands to a handler."""

    function_name = "email_worker"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:email_worker"

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"invocation-{number}-{time.time_ns()}"
        self._ends = time.monotonic() + SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the invocation."""
        return int(1000 * (self._ends - time.monotonic()))


def load() -> ModuleType:
    """Import the handler as Lambda does."""
    folder = ROOT / "functions" / "email_worker"
    sys.path[:0] = [str(folder), str(ROOT / "layers" / "sendmill" / "python")]
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_record(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the event of SQS shows it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def main() -> None:
    """Work."""
    url, batch = sys.argv[1], int(sys.argv[2])
    sqs, module = boto3.client("sqs"), load()
    print("ready", flush=True)
    number = 0
    while True:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=batch, AttributeNames=["All"], WaitTimeSeconds=1
        )
        records = [as_record(message) for message in answer.get("Messages", [])]
        if not records:
            continue
        number += 1
        kept = module.handler({"Records": records}, Invocation(number))
        names = {failure["itemIdentifier"] for failure in kept["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in names:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        print(json.dumps({"batch": len(records), "kept": len(names)}), flush=True)


if __name__ == "__main__":
    main()
