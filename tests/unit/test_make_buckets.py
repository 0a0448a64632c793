"""Before Terraform has a state, a script makes two buckets: in the right account, or nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import make_buckets

MOTO_ACCOUNT = "123456789012"
VALUES = """\
environment = "dev"
aws_region  = "us-east-1" # a remark
partition   = "aws"
"""


@pytest.fixture
def bootstrap(offline_aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bootstrap:
    return Bootstrap(tmp_path / "values.tfvars", monkeypatch)


class Bootstrap:
    """Runs the script with the values of an environment."""

    def __init__(self, values: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.values = values
        self.monkeypatch = monkeypatch

    def run(self, values: str = VALUES) -> int:
        self.values.write_text(values)
        words = ["make_buckets.py", "--values", str(self.values), "the-state", "the-artefacts"]
        self.monkeypatch.setattr(sys, "argv", words)
        return make_buckets.main()


def buckets() -> set[str]:
    return {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}


@mock_aws
def test_second_run_finds_what_the_first_one_made(
    bootstrap: Bootstrap, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.run() == 0
    assert buckets() == {"the-state", "the-artefacts"}
    assert "made the bucket the-state in 123456789012" in capsys.readouterr().err

    assert bootstrap.run() == 0
    assert capsys.readouterr().err == ""


@mock_aws
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            VALUES + 'allowed_account_ids = ["111111111111"]\n',
            "account 123456789012, which allowed_account_ids of dev does not list (111111111111)",
        ),
        (
            VALUES.replace('"aws"', '"aws-us-gov"'),
            "belongs in partition aws-us-gov, but these credentials are of aws",
        ),
    ],
)
def test_wrong_place_is_one_sentence_and_nothing_is_made(
    bootstrap: Bootstrap, capsys: pytest.CaptureFixture[str], values: str, sentence: str
) -> None:
    assert bootstrap.run(values) == 1
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert buckets() == set()


@mock_aws
def test_the_right_account_and_the_emulators_partition_pass(bootstrap: Bootstrap) -> None:
    assert bootstrap.run(VALUES + f'allowed_account_ids = ["{MOTO_ACCOUNT}"]\n') == 0
    gov = VALUES.replace('"aws"', '"aws-us-gov"').replace("us-east-1", "us-gov-west-1")
    assert bootstrap.run(gov + "emulated = true\n") == 0


class ClosedS3:
    """Answers as S3 does for a bucket of somebody else."""

    def head_bucket(self, **_: str) -> None:
        answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "HeadBucket")


def test_a_name_that_is_taken_is_one_sentence() -> None:
    with pytest.raises(make_buckets.WrongPlaceError, match="The name ours is taken by another"):
        make_buckets.make_bucket(ClosedS3(), "ours", "us-east-1", MOTO_ACCOUNT)
