"""The plan for GovCloud, read whole: no commercial ARN, and nothing that is not there."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = "tests/govcloud_has_no_commercial_arn.tftest.hcl"

# https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-services.html
ABSENT = re.compile(
    r"aws_(cloudfront_.*|lambda_function_url|pipes_pipe|budgets_.*|route53_(zone|record)"
    r"|cloudwatch_event_(api_destination|connection)|globalaccelerator_.*|acm_certificate_validation"
    r"|ses_receipt_.*|oam_.*|apprunner_.*)"
)

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not on the PATH"),
]


@pytest.fixture(scope="module")
def plan() -> list[dict[str, Any]]:
    """Every resource of the root, as planned in us-gov-west-1 with all that can be switched on."""
    done = subprocess.run(
        [ROOT / "scripts/terraform.sh", "test", f"-filter={FILE}", "-json", "-verbose"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"@level"')]
    for line in lines:
        if '"type":"test_plan"' in line and '"@testrun":"root"' in line:
            return list(json.loads(line)["test_plan"]["resource_changes"])
    raise AssertionError("Terraform printed no plan")


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def problems(plan: list[dict[str, Any]]) -> list[str]:
    """Return what GovCloud would refuse, or what points out of it."""
    found = []
    for resource in plan:
        planned = resource["change"]["after"]
        if ABSENT.fullmatch(resource["type"]):
            found.append(f"{resource['address']} does not exist there")
        if resource["type"] == "aws_lambda_function" and planned.get("logging_config"):
            found.append(f"{resource['address']} asks for a log format that is refused there")
        if resource["type"] == "aws_cognito_user_pool_domain" and planned.get("certificate_arn"):
            found.append(f"{resource['address']} is a sign-in domain of one's own")
        if any("arn:aws:" in text for text in strings(planned)):
            found.append(f"{resource['address']} names a commercial ARN")
        if any(re.search(r"\b(us|eu|ap)-[a-z]+-\d\b", text) for text in strings(planned)):
            found.append(f"{resource['address']} names a commercial region")
    return found


def test_nothing_in_the_plan_is_commercial_or_absent(plan: list[dict[str, Any]]) -> None:
    assert len(plan) > 150
    assert sum(any("arn:aws-us-gov:" in text for text in strings(one)) for one in plan) > 10
    assert problems(plan) == []


def test_everything_that_a_variable_switches_on_is_in_the_plan(plan: list[dict[str, Any]]) -> None:
    types = [resource["type"] for resource in plan]
    assert types.count("aws_kms_key") == 5
    assert "aws_wafv2_web_acl_association" in types
    functions = [one["change"]["after"] for one in plan if one["type"] == "aws_lambda_function"]
    assert all(function["vpc_config"] for function in functions)


def test_what_is_commercial_or_absent_would_be_seen(plan: list[dict[str, Any]]) -> None:
    changed = copy.deepcopy(plan)
    changed[0]["type"] = "aws_lambda_function_url"
    changed[1]["change"]["after"] = {"nested": [{"arn": "arn:aws:s3:::x"}]}
    changed[2]["change"]["after"] = {"host": "sqs.us-east-1.amazonaws.com"}
    assert len(problems(changed)) == 3
