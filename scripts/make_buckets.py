"""Make the buckets of an account if they are not there, after a look at whose account it is.

Terraform comes after this and compares account and partition itself; by then a bucket would stand
in the wrong place already. Says one sentence and exits with 1 when anything is not as it should be.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

HOME_REGION = "us-east-1"  # the one region that must not be named


class WrongPlaceError(Exception):
    """The credentials are of another account or partition, or a name is somebody else's."""


def main() -> int:
    """Make what is missing, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--values", type=Path, required=True, help="values of the environment")
    parser.add_argument("buckets", nargs="+")
    arguments = parser.parse_args()
    values = read_values(arguments.values.read_text())
    region = values["aws_region"]
    try:
        make: Any = boto3.client
        account = check_place(values, make("sts", region_name=region).get_caller_identity())
        s3 = make("s3", region_name=region)
        for bucket in arguments.buckets:
            if make_bucket(s3, bucket, region, account):
                print(f"made the bucket {bucket} in {account}", file=sys.stderr)
    except WrongPlaceError as error:
        print(error, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(
            f"AWS would not say or do it with these credentials (AWS_PROFILE?): {error}",
            file=sys.stderr,
        )
        return 1
    return 0


def read_values(text: str) -> dict[str, str]:
    """Return the values of a tfvars file that has one a line; quotes stay on those in lists."""
    pairs = re.findall(r"^(\w+) *= *(.*?) *(?:#.*)?$", text, flags=re.MULTILINE)
    return {name: value.strip('"') for name, value in pairs}


def check_place(values: dict[str, str], identity: dict[str, str]) -> str:
    """Return the account of these credentials; raise WrongPlaceError when it is not the one."""
    account, partition = identity["Account"], identity["Arn"].split(":")[1]
    name, wanted = values["environment"], values["partition"]
    allowed = re.findall(r"\d{12}", values.get("allowed_account_ids", ""))
    if values.get("emulated") != "true" and partition != wanted:
        raise WrongPlaceError(
            f"Environment {name} belongs in partition {wanted}, but these credentials are of "
            f"{partition}: check AWS_PROFILE. Nothing was made."
        )
    if allowed and account not in allowed:
        raise WrongPlaceError(
            f"These credentials belong to account {account}, which allowed_account_ids of {name} "
            f"does not list ({', '.join(allowed)}): check AWS_PROFILE. Nothing was made."
        )
    return account


def make_bucket(s3: Any, bucket: str, region: str, account: str) -> bool:
    """Make a bucket; return whether it was missing. Raise WrongPlaceError if it is another's."""
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise WrongPlaceError(
                f"The name {bucket} is taken by another account, or closed to you: put names of "
                "your own into terraform/env (see docs/deploying.md)."
            ) from error
        where = {"LocationConstraint": region}
        more = {} if region == HOME_REGION else {"CreateBucketConfiguration": where}
        try:
            s3.create_bucket(Bucket=bucket, **more)
        except s3.exceptions.BucketAlreadyOwnedByYou:
            return False  # another run of ours was a moment faster
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
