"""The services behind the stores, in this process: moto, one thread at a time.

Its transactions are not atomic, so nothing about concurrency is proved with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from fakes import HASH_KEY

REGION = "us-east-1"
CAMPAIGNS = "campaigns"
RECIPIENTS = "recipients"
BUCKET = "contacts"
TASKS = "tasks"
FILES = "files"
SIGNING_KEYS = {"k1": "a signing key of at least thirty-two characters"}
SMTP = {"host": "127.0.0.1", "username": "u", "password": "p"}


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Clients, and the environment in which a function finds what they hold."""

    dynamodb: Any
    s3: Any
    sqs: Any
    secrets: Any
    environment: dict[str, str]
    hooks: list[tuple[str, Callable[..., None]]] = field(default_factory=list)

    def on_dynamodb(self, event: str, hook: Callable[..., None]) -> None:
        """Call the hook at an event of the SDK, until the test ends."""
        self.dynamodb.meta.events.register(event, hook)
        self.hooks.append((event, hook))

    def close(self) -> None:
        """Forget the hooks: the client outlives the test."""
        for event, hook in self.hooks:
            self.dynamodb.meta.events.unregister(event, hook)

    def received(self, queue: str) -> list[Any]:
        """Return and delete up to ten bodies of a queue (DISPATCH or EMAIL)."""
        url = self.environment[f"{queue}_QUEUE_URL"]
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    def rows(self) -> list[dict[str, Any]]:
        """Return every item of the ledger."""
        return list(self.dynamodb.scan(TableName=RECIPIENTS)["Items"])


@dataclass(frozen=True, kw_only=True)
class Context:
    """What Lambda hands to a handler."""

    function_name: str = "sendmill-test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:sendmill-test"
    aws_request_id: str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
    seconds: int = 300

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the invocation."""
        return self.seconds * 1000


def make_cloud() -> Cloud:
    """Create what Terraform creates, with the same keys and indexes."""
    dynamodb, s3, sqs = (_client(name) for name in ("dynamodb", "s3", "sqs"))
    _table(dynamodb, CAMPAIGNS, "by_kind", ("g2pk", "S"), ("g2sk", "S"), "ALL")
    _table(dynamodb, RECIPIENTS, "due", ("g1pk", "S"), ("g1sk", "N"), "KEYS_ONLY")
    _tasks_table(dynamodb)
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=FILES)
    secrets = _client("secretsmanager")
    keys = {"hash": HASH_KEY.decode(), "kid": "k1", "keys": SIGNING_KEYS}
    secrets.create_secret(Name="keys", SecretString=json.dumps(keys))
    secrets.create_secret(Name="mail", SecretString=json.dumps(SMTP))
    return Cloud(
        dynamodb=dynamodb,
        s3=s3,
        sqs=sqs,
        secrets=secrets,
        environment={
            "ENVIRONMENT": "test",
            "CAMPAIGNS_TABLE": CAMPAIGNS,
            "RECIPIENTS_TABLE": RECIPIENTS,
            "CONTACTS_BUCKET": BUCKET,
            "DISPATCH_QUEUE_URL": sqs.create_queue(QueueName="dispatch")["QueueUrl"],
            "IMPORT_QUEUE_URL": sqs.create_queue(QueueName="import")["QueueUrl"],
            "EMAIL_QUEUE_URL": sqs.create_queue(QueueName="email")["QueueUrl"],
            "KEYS_SECRET_NAME": "keys",
            "MAIL_SECRET_NAME": "mail",
            "SES_CONFIGURATION_SET": "sendmill-test",
            "DEFAULT_FROM_EMAIL": "default@example.com",
            "AWS_SQS_QUEUE_URL": sqs.create_queue(QueueName="tasks")["QueueUrl"],
            "AWS_SQS_DLQ_URL": sqs.create_queue(QueueName="tasks-dlq")["QueueUrl"],
            "SENDMILL_TASK_BUCKET": FILES,
            "SENDMILL_TASK_RECEIPTS_TABLE": TASKS,
            "USE_ASYNC_TASKS": "True",
        },
    )


@cache
def _client(service: str) -> Any:
    """Return a client; making one takes longer than most tests."""
    return boto3.session.Session().client(
        service,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(signature_version="s3v4") if service == "s3" else None,
    )


def _table(
    dynamodb: Any,
    name: str,
    index: str,
    partition: tuple[str, str],
    sort: tuple[str, str],
    projection: str,
) -> None:
    keys = [("pk", "S"), ("sk", "S"), partition, sort]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys],
        KeySchema=_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": _schema(partition[0], sort[0]),
                "Projection": {"ProjectionType": projection},
            }
        ],
    )


def _tasks_table(dynamodb: Any) -> None:
    keys = ("pk", "g1pk", "g1sk")
    dynamodb.create_table(
        TableName=TASKS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=_schema("pk", "")[:1],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "recent",
                "KeySchema": _schema("g1pk", "g1sk"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
