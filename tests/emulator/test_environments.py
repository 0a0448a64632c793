"""Every environment and its bootstrap apply to the emulator, and then plan to no change."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.harness import ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENVIRONMENTS = ("dev", "prod", "govcloud")


def deploy(env: str, port: int) -> tuple[str, dict[str, object]]:
    """Deploy an environment, and return what a second plan says, and the outputs."""
    run("scripts/publish.sh", "upload", port=port, env=env, emulated=True)
    run("scripts/terraform.sh", "deploy", port=port, env=env, emulated=True, timeout=600)
    plan = run("scripts/terraform.sh", "plan", port=port, env=env, emulated=True)
    return plan, json.loads(
        run("scripts/terraform.sh", "output", port=port, env=env, emulated=True)
    )


def bootstrap(env: str, port: int) -> str:
    """Bootstrap the account of an environment twice, the second time from "another laptop"."""
    run("scripts/bootstrap.sh", port=port, env=env, emulated=True)
    shutil.rmtree(ROOT / f"terraform/bootstrap/.data-{env}-emulated-{port}")
    return run("scripts/bootstrap.sh", port=port, env=env, emulated=True)


def test_dev_prod_and_govcloud_apply_and_then_plan_to_no_change(emulator_port: int) -> None:
    run("scripts/build.sh", "lambda", port=emulator_port)
    with ThreadPoolExecutor(2 * len(ENVIRONMENTS) + 1) as side_by_side:
        accounts = {
            env: side_by_side.submit(bootstrap, env, emulator_port)
            for env in ("local", *ENVIRONMENTS)
        }
        found = dict(
            zip(
                ENVIRONMENTS,
                side_by_side.map(lambda env: deploy(env, emulator_port), ENVIRONMENTS),
                strict=True,
            )
        )
        for env, account in accounts.items():
            assert f'state_bucket = "sendmill-{env}-terraform-state"' in account.result()
    for env, (plan, outputs) in found.items():
        assert "No changes." in plan, f"{env}: {plan[-3000:]}"
        assert outputs["environment"] == env
    urls = {str(outputs["email_queue_url"]) for _, outputs in found.values()}
    assert len(urls) == len(ENVIRONMENTS)
