"""Read every policy that a plan of Terraform knows, with parliament.

Run by scripts/security.sh in an environment of its own. The policies are those of the tests that
plan each permission with made-up ARNs: on them alone a policy is whole before anything exists.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parliament

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "permissions_allow_only_this",
    "schedules_do_one_thing_each",
    "pipeline_roles_are_for_one_repository",
)

WHOLE = ("aws_iam_policy", "aws_iam_role_policy")  # a permission whose text the plan knows

# What the roles of the pipeline are known for: they make and read what carries the prefix, and AWS
# gives no names for some of it. Typing errors, unknown actions and impossible ARNs are still found.
PIPELINE = ("aws_iam_role_policy.apply", "aws_iam_role_policy.plan")
ACCEPTED = {
    "RESOURCE_STAR": "reading and making what has no name of ours before it exists",
    "RESOURCE_MISMATCH": "every action of a service, also those that never fit a resource of ours",
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION": "who deploys writes the policies of our own buckets",
    "UNKNOWN_CONDITION_FOR_ACTION": "kms:ResourceAliases, which parliament's list does not hold",
}


def plans() -> Iterator[dict[str, Any]]:
    """Yield the plan of every run of those tests."""
    filters = [f"-filter=tests/{name}.tftest.hcl" for name in FILES]
    command = [str(ROOT / "scripts/terraform.sh"), "test", *filters, "-json", "-verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None  # noqa: S101 - it is piped
        for line in running.stdout:
            if '"type":"test_plan"' in line:
                yield json.loads(line)["test_plan"]
    if running.returncode:
        sys.exit("security: Terraform's own tests fail: run `make terraform-test`")


def policies(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield address and text of every permission in a plan; who may take a role is none."""
    for resource in plan.get("resource_changes", []):
        after = resource["change"].get("after") or {}
        if resource["type"] in WHOLE and after.get("policy"):
            yield resource["address"], after["policy"]
        planned = after.get("statement") or []
        # an ARN that only an apply would tell is none yet
        statements = [one for one in planned if all(one["resources"] or [None])]
        if statements and not any(one.get("principals") for one in statements):
            document = {
                "Version": "2012-10-17",
                "Statement": [_statement(one) for one in statements],
            }
            yield resource["address"], json.dumps(document)


def _statement(planned: dict[str, Any]) -> dict[str, Any]:
    conditions: dict[str, dict[str, list[str]]] = {}
    for one in planned.get("condition") or []:
        conditions.setdefault(one["test"], {})[one["variable"]] = one["values"]
    return {
        "Sid": planned["sid"],
        "Effect": planned["effect"] or "Allow",
        "Action": planned["actions"],
        "Resource": planned["resources"],
        **({"Condition": conditions} if conditions else {}),
    }


def main() -> None:
    """Print what parliament finds; exit 1 if there is anything."""
    seen, problems = set(), []
    for plan in plans():
        for address, text in policies(plan):
            if text in seen:
                continue
            seen.add(text)
            found = parliament.analyze_policy_string(text).findings
            accepted = ACCEPTED if address.startswith(PIPELINE) else {}
            problems += [
                f"{address}: {one.issue}: {one.detail or one.location}"
                for one in found
                if one.issue not in accepted
            ]
    if not seen:
        sys.exit("security: the plans hold no policy")
    print(f"security: {len(seen)} policies read, {len(problems)} findings")
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
