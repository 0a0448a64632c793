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
FILES = ("permissions_allow_only_this", "schedules_do_one_thing_each")


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
        planned = (resource["change"].get("after") or {}).get("statement") or []
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
            problems += [f"{address}: {one.issue}: {one.detail or one.location}" for one in found]
    if not seen:
        sys.exit("security: the plans hold no policy")
    print(f"security: {len(seen)} policies read, {len(problems)} findings")
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
