"""Make boto3 clients, each once; endpoints and credentials come from the environment alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from sendmill.provider.ses import client_config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

# Ledger and queue may be asked again by the SDK: every write there is conditional.
_PATIENT = Config(
    retries={"total_max_attempts": 6, "mode": "standard"},
    connect_timeout=3,
    read_timeout=10,
    max_pool_connections=16,
)


def dynamodb() -> DynamoDBClient:
    """Return the client of the ledger."""
    return boto3.client("dynamodb", config=_PATIENT)


def sqs() -> SQSClient:
    """Return the client of the queues."""
    return boto3.client("sqs", config=_PATIENT)


def s3() -> S3Client:
    """Return the client of the contacts bucket."""
    return boto3.client("s3", config=_PATIENT)


def secretsmanager() -> SecretsManagerClient:
    """Return the client of the secrets."""
    return boto3.client("secretsmanager", config=_PATIENT)


def sesv2(region: str) -> SESV2Client:
    """Return the client that sends, in a region or in the function's own: one attempt a call."""
    return boto3.client("sesv2", region_name=region or None, config=client_config())
