"""Make clients, each once; endpoints and credentials come from the environment alone.

What is called for every mail or every batch goes over :mod:`sendmill.wire`, the rest by boto3.
``FIPS_ENDPOINTS`` lists, by comma, the services to be called at their FIPS endpoints. The SDK's
own switch is for all services at once, and makes up names for those that have none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import boto3
from botocore.config import Config

from sendmill.provider.ses import LANES, client_config, prepare_send
from sendmill.store.hot_calls import HotCalls, prepare_read
from sendmill.wire import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

    from sendmill.wire.endpoint import Credentials

# Ledger and queue may be asked again by the SDK: every write there is conditional.
_PATIENT = Config(
    retries={"total_max_attempts": 6, "mode": "standard"},
    connect_timeout=3,
    read_timeout=10,
    max_pool_connections=16,
)
# Calls to the ledger that may run side by side: the rows of a chunk are written one by one.
_HOT_LANES = 32


def at(service: str, config: Config) -> Config:
    """Return the settings of a client, at the FIPS endpoint if the service is called there."""
    if service not in os.environ.get("FIPS_ENDPOINTS", "").split(","):
        return config
    return config.merge(Config(use_fips_endpoint=True))


def signing_links(config: Config) -> Config:
    """Return the settings of a client of S3 that signs links for browsers.

    The older signature, botocore's default for links in some regions, signs no length, and KMS and
    newer regions take none of it. Without the style a link leads to the endpoint of all regions,
    which answers for a new bucket elsewhere with a redirection that no upload follows.
    """
    config = config.merge(Config(signature_version="s3v4"))
    if not (os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")):
        config = config.merge(Config(s3={"addressing_style": "virtual"}))
    return at("s3", config)


def dynamodb() -> DynamoDBClient:
    """Return the client of the ledger."""
    return boto3.client("dynamodb", config=at("dynamodb", _PATIENT))


def sqs() -> SQSClient:
    """Return the client of the queues."""
    return boto3.client("sqs", config=at("sqs", _PATIENT))


def s3() -> S3Client:
    """Return the client of the contacts bucket."""
    return boto3.client("s3", config=signing_links(_PATIENT))


def secretsmanager() -> SecretsManagerClient:
    """Return the client of the secrets."""
    return boto3.client("secretsmanager", config=at("secretsmanager", _PATIENT))


def hot_dynamodb() -> DynamoDBClient:
    """Return the client of the ledger for a function that calls it for every batch."""
    client = dynamodb()
    endpoint = Endpoint(client, prepare_read, credentials=_credentials(), lanes=_HOT_LANES)
    return cast("DynamoDBClient", HotCalls(client, endpoint.find()))


def sesv2(region: str) -> Endpoint:
    """Return where mails are posted, in a region or in the function's own: one attempt each."""
    client = boto3.client("sesv2", region_name=region or None, config=at("sesv2", client_config()))
    return Endpoint(client, prepare_send, credentials=_credentials(), lanes=LANES).find()


def ses_account(region: str) -> SESV2Client:
    """Return the client that asks SES for the account, in a region or in the function's own."""
    return boto3.client("sesv2", region_name=region or None, config=at("sesv2", _PATIENT))


def scheduler() -> EventBridgeSchedulerClient:
    """Return the client of the timer."""
    return boto3.client("scheduler", config=at("scheduler", _PATIENT))


def _credentials() -> Credentials | None:
    """Return what refreshes itself, the same object that every client signs with."""
    session = boto3.DEFAULT_SESSION  # there is one: a client was made
    return session.get_credentials() if session else None
