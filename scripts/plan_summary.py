"""Say in a few lines of Markdown what a plan would do; what it destroys stands first, in bold.

Reads `terraform show -json PLAN` on stdin. Values are left out: a comment is read by more people
than a state. With `--protected` it says instead what of that is protected data, and exits with 3
if there is any: a destroy that began would stop half-way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

# Words by what Terraform wants to do, those that lose something first.
KINDS = (
    ("destroyed", (("delete",),)),
    ("replaced", (("delete", "create"), ("create", "delete"))),
    ("forgotten", (("forget",), ("create", "forget"))),
    ("changed", (("update",),)),
    ("created", (("create",),)),
)
LOSSES = ("destroyed", "replaced", "forgotten")
# A new version of a layer takes the place of the old one, whose zip stays in the bucket.
HARMLESS = ("aws_lambda_layer_version",)
SHOWN = 40


def main() -> int:
    """Read a plan, print its summary, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("environment", help="heading of the summary")
    parser.add_argument("--protected", action="store_true", help="look for protected data alone")
    arguments = parser.parse_args()
    try:
        plan = json.load(sys.stdin)
    except ValueError as error:
        print(f"plan-summary: stdin must be a plan in JSON ({error})", file=sys.stderr)
        return 1
    if arguments.protected:
        found = protected(plan)
        print("\n".join(found))
        return 3 if found else 0
    print("\n".join(summary(arguments.environment, plan)))
    return 0


def summary(environment: str, plan: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the summary."""
    found = by_kind(plan)
    yield f"### {environment}"
    yield ""
    if plan.get("errored"):
        yield "**The plan is not whole: it failed on the way.**"
    if not found:
        yield "Nothing to change."
        return
    yield ", ".join(_count(kind, found[kind]) for kind, _ in KINDS if kind in found) + "."
    for kind, _ in KINDS:
        if kind in found:
            yield from _listed(kind, found[kind])


def by_kind(plan: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the changes of a plan by what becomes of the resource, without those that are none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in plan.get("resource_changes", []):
        actions = tuple(resource["change"]["actions"])
        for kind, wanted in KINDS:
            if actions in wanted:
                found.setdefault(kind, []).append(resource)
    return found


def protected(plan: dict[str, Any]) -> list[str]:
    """Return the addresses of what the plan would destroy although it is protected."""
    lost = by_kind(plan)
    doomed = [*lost.get("destroyed", []), *lost.get("replaced", [])]
    return [one["address"] for one in doomed if _is_protected(one["change"]["before"] or {})]


def _is_protected(before: dict[str, Any]) -> bool:
    """Tables and user pools have a switch; a bucket is protected by not being emptied."""
    return (
        before.get("deletion_protection_enabled") is True
        or before.get("deletion_protection") == "ACTIVE"
        or ("force_destroy" in before and "bucket" in before and before["force_destroy"] is False)
    )


def _count(kind: str, resources: list[dict[str, Any]]) -> str:
    text = f"{len(resources)} {kind}"
    return f"**{text}**" if _loses(kind, resources) else text


def _loses(kind: str, resources: list[dict[str, Any]]) -> bool:
    return kind in LOSSES and any(resource["type"] not in HARMLESS for resource in resources)


def _listed(kind: str, resources: list[dict[str, Any]]) -> Iterator[str]:
    """Yield one line for each resource; those that lose something are never folded away."""
    bold = _loses(kind, resources)
    shown = resources if kind in LOSSES else resources[:SHOWN]
    yield ""
    if not bold:
        yield f"<details><summary>{kind}</summary>"
        yield ""
    for resource in shown:
        yield _line(kind, resource)
    if len(shown) < len(resources):
        yield f"- and {len(resources) - len(shown)} more"
    if not bold:
        yield ""
        yield "</details>"


def _line(kind: str, resource: dict[str, Any]) -> str:
    name = f"`{resource['address']}`"
    if kind not in LOSSES or resource["type"] in HARMLESS:
        return f"- {kind}: {name}"
    return f"- **{kind}: {name}**{_reason(resource)}"


def _reason(resource: dict[str, Any]) -> str:
    """Name the attributes that cannot be changed in place."""
    paths = resource["change"].get("replace_paths", [])
    names = sorted({".".join(map(str, path)) for path in paths})
    return f" because of {', '.join(names)}" if names else ""


if __name__ == "__main__":
    sys.exit(main())
