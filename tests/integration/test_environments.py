"""Every environment applies to the emulator from one root, and then plans to no change."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.harness import run
from stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

ENVIRONMENTS = ("dev", "prod", "govcloud")


def deploy(env: str, port: int) -> tuple[str, dict[str, object]]:
    """Deploy an environment, and return what a second plan says, and the outputs."""
    run("scripts/terraform.sh", "deploy", port=port, env=env, emulated=True, timeout=600)
    plan = run("scripts/terraform.sh", "plan", port=port, env=env, emulated=True)
    return plan, json.loads(
        run("scripts/terraform.sh", "output", port=port, env=env, emulated=True)
    )


def test_dev_prod_and_govcloud_apply_and_then_plan_to_no_change(
    stack: Stack, emulator_port: int
) -> None:
    run("scripts/build.sh", "lambda", port=emulator_port)
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as side_by_side:
        found = dict(
            zip(
                ENVIRONMENTS,
                side_by_side.map(lambda env: deploy(env, emulator_port), ENVIRONMENTS),
                strict=True,
            )
        )
    for env, (plan, outputs) in found.items():
        assert "No changes." in plan, f"{env}: {plan[-3000:]}"
        assert outputs["environment"] == env
    urls = {str(outputs["email_queue_url"]) for _, outputs in found.values()}
    assert len(urls | {stack.outputs["email_queue_url"]}) == 4
