"""After everything else has run: each role grants what its function used, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.harness import ROOT
from integration.privileges import (
    Excuse,
    Permission,
    granted,
    not_granted,
    not_used,
    stale,
    used,
)
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.order_last]

HERE = Path(__file__).parent
SAID = json.loads((HERE / "permissions.json").read_text())
EXCUSES = [Excuse(**one) for one in SAID["granted_and_not_used"]]
REFUSED = [Excuse(**one) for one in SAID["used_and_not_granted"]]


@pytest.fixture(scope="module")
def uses(stack: Stack, emulator_port: int) -> set[Permission]:
    """What each function of the stack was seen to ask for."""
    files = list((ROOT / f"build/emulator-{emulator_port}").glob("calls*.jsonl"))
    if not files:
        pytest.skip("the emulator does not record calls: start it with EMULATOR_RECORD=1")
    ours = set(stack.outputs["function_names"].values())
    found = used(line for file in files for line in file.read_text().splitlines())
    return {use for use in found if use.function in ours}


@pytest.fixture(scope="module")
def grants(stack: Stack) -> set[Permission]:
    """What the role of each function grants, as it was deployed."""
    functions: dict[str, str] = stack.outputs["function_names"]
    return {grant for name in functions.values() for grant in granted(name, policies(stack, name))}


def policies(stack: Stack, function: str) -> list[Any]:
    """Return every policy of a function's role; fail on one that is attached from elsewhere."""
    role = stack.client("lambda").get_function(FunctionName=function)["Configuration"]["Role"]
    name, iam = role.rpartition("/")[2], stack.client("iam")
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    return [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]


def test_nothing_was_used_that_is_not_granted(
    uses: set[Permission], grants: set[Permission]
) -> None:
    assert uses, "no call was recorded"
    assert not_granted(uses, grants, REFUSED) == []


def test_nothing_is_granted_that_was_not_used(
    request: pytest.FixtureRequest, uses: set[Permission], grants: set[Permission]
) -> None:
    files = {item.path for item in request.session.items}
    missing = {path.name for path in HERE.glob("test_*.py")} - {path.name for path in files}
    if missing or request.config.option.keyword or request.session.testsfailed:
        pytest.skip("only after every integration test has run and passed")
    assert not_used(uses, grants, EXCUSES) == []
    assert stale(grants, EXCUSES) == []


def test_a_role_has_room_for_its_policies_where_names_are_longest(stack: Stack) -> None:
    longest = max((path.stem for path in (ROOT / "terraform/env").glob("*.tfvars")), key=len)
    lengths = {}
    for job, function in stack.outputs["function_names"].items():
        # as AWS counts: no white space
        texts = [json.dumps(one, separators=(",", ":")) for one in policies(stack, function)]
        text = "".join(texts).replace("arn:aws:", "arn:aws-us-gov:")
        lengths[job] = len(text.replace("sendmill-local-", f"sendmill-{longest}-"))
    assert min(lengths.values()) > 500
    # a few grants are a star here, where AWS is given ARNs: 1,500 characters are left for them
    assert {job: length for job, length in lengths.items() if length > 10_240 - 1_500} == {}


# The two checks above, on copies: each must see one permission too many, and one too few.


@pytest.fixture
def idle(uses: set[Permission], grants: set[Permission]) -> Callable[[set[Permission]], set[str]]:
    """A function that returns what is too much beyond what is too much already."""
    before = set(not_used(uses, grants, EXCUSES))
    return lambda changed: set(not_used(uses, changed, EXCUSES)) - before


def test_a_permission_too_many_is_seen(
    uses: set[Permission], grants: set[Permission], idle: Callable[[set[Permission]], set[str]]
) -> None:
    one = next(use for use in uses if use.action == "dynamodb:GetItem")
    extra = Permission(one.function, "dynamodb:Scan", one.resource)
    assert idle(grants) == set()
    assert idle(grants | {extra}) == {str(extra)}


def test_a_permission_too_few_is_seen(uses: set[Permission], grants: set[Permission]) -> None:
    for use in uses:
        rest = {grant for grant in grants if not grant.covers(use)}
        assert str(use) in not_granted({use}, rest, [])
