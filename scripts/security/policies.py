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
    "feedback_comes_from_us_alone",
    "keys_have_one_purpose_each",
    "alarms_are_heard",
)

# What parliament finds and what is meant so: the issue, and where it may be.
MEANT = {
    # a denial for everybody, and a key's policy that speaks of its own key
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION": "",
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
    """Yield address and text of every policy in a plan: of a resource, or of a role."""
    for resource in plan.get("resource_changes", []):
        after = resource["change"].get("after") or {}
        for name in ("policy", "assume_role_policy"):
            if isinstance(after.get(name), str) and after[name].startswith("{"):
                yield f"{resource['address']} ({name})", after[name]


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
    print(f"security: {len(seen)} policies read, {len(problems)} findings")
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
