"""Clients go where the environment says: FIPS endpoints for the services listed, and no other."""

from __future__ import annotations

import pytest

from sendmill import aws
from sendmill.tasks.builtin import wiring
from sendmill.tasks.clients import client, forget_clients
from sendmill.tasks.config import override


@pytest.fixture
def govcloud(offline_aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-gov-west-1")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.mark.usefixtures("govcloud")
def test_only_what_is_listed_is_called_at_its_fips_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIPS_ENDPOINTS", "dynamodb,s3,secretsmanager,sesv2,sqs")
    made = {
        client.meta.service_model.service_name: client.meta.endpoint_url
        for client in (
            aws.dynamodb(),
            aws.s3(),
            aws.secretsmanager(),
            aws.ses_account(""),
            aws.sqs(),
            aws.scheduler(),
        )
    }
    assert made == {
        "dynamodb": "https://dynamodb-fips.us-gov-west-1.amazonaws.com",
        "s3": "https://s3-fips.us-gov-west-1.amazonaws.com",
        "secretsmanager": "https://secretsmanager-fips.us-gov-west-1.amazonaws.com",
        "sesv2": "https://email-fips.us-gov-west-1.amazonaws.com",
        "sqs": "https://sqs.us-gov-west-1.amazonaws.com",  # the plain name is the FIPS one there
        "scheduler": "https://scheduler.us-gov-west-1.amazonaws.com",
    }


@pytest.mark.usefixtures("govcloud")
def test_the_clients_of_tasks_go_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIPS_ENDPOINTS", "dynamodb,s3,secretsmanager,sesv2,sqs")
    forget_clients()
    wiring.forget()
    with override(claim_check_bucket="files", region="us-gov-west-1"):
        link = wiring.report_writer().files.link("exports/a.csv", seconds=60, name="a.csv")
    claim_checks, schedules = client("s3", "us-gov-west-1"), client("scheduler", "us-gov-west-1")
    forget_clients()
    wiring.forget()
    assert link.startswith("https://files.s3-fips.us-gov-west-1.amazonaws.com/exports/a.csv?")
    assert claim_checks.meta.endpoint_url == "https://s3-fips.us-gov-west-1.amazonaws.com"
    assert schedules.meta.endpoint_url == "https://scheduler.us-gov-west-1.amazonaws.com"


@pytest.mark.usefixtures("govcloud")
def test_without_a_list_nothing_is() -> None:
    assert aws.dynamodb().meta.endpoint_url == "https://dynamodb.us-gov-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "host"),
    [("us-west-2", "contacts.s3.us-west-2"), ("us-gov-west-1", "contacts.s3.us-gov-west-1")],
)
def test_a_link_leads_to_the_bucket_in_its_own_region(
    offline_aws: None, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    link = aws.s3().generate_presigned_url("put_object", Params={"Bucket": "contacts", "Key": "k"})
    assert link.startswith(f"https://{host}.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256")


def test_a_link_of_an_emulator_leads_to_its_address(
    offline_aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    link = aws.s3().generate_presigned_url("put_object", Params={"Bucket": "contacts", "Key": "k"})
    assert link.startswith("http://127.0.0.1:4566/contacts/k?")
