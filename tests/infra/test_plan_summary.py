"""Whoever reviews a plan sees first what it destroys. Real plans, of resources that are nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import plan_summary
import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not on the PATH"),
]

BEFORE = """
resource "terraform_data" "stays" { input = "secret-value" }
resource "terraform_data" "changes" { input = "one" }
resource "terraform_data" "moves" {
  input            = "here"
  triggers_replace = "here"
}
resource "terraform_data" "goes" { input = "x" }
"""
AFTER = """
resource "terraform_data" "stays" { input = "secret-value" }
resource "terraform_data" "changes" { input = "secret-two" }
resource "terraform_data" "moves" {
  input            = "here"
  triggers_replace = "there"
}
resource "terraform_data" "comes" { input = "secret-three" }
"""


class Root:
    """A root module in a folder of its own; its provider is part of Terraform."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def terraform(self, *words: str) -> str:
        done = subprocess.run(
            ["terraform", f"-chdir={self.folder}", *words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plan(self, code: str) -> dict[str, Any]:
        (self.folder / "main.tf").write_text(code)
        self.terraform("plan", "-out=p")
        plan: dict[str, Any] = json.loads(self.terraform("show", "-json", "p"))
        return plan


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    found = Root(tmp_path_factory.mktemp("root"))
    (found.folder / "main.tf").write_text(BEFORE)
    found.terraform("init")
    found.terraform("apply", "-auto-approve")
    return found


def test_what_is_lost_is_counted_in_bold_and_named_first(root: Root) -> None:
    lines = list(plan_summary.summary("prod", root.plan(AFTER)))

    assert lines[0] == "### prod"
    assert lines[2] == "**1 destroyed**, **1 replaced**, 1 changed, 1 created."
    assert "- **destroyed: `terraform_data.goes`**" in lines
    assert "- **replaced: `terraform_data.moves`** because of triggers_replace" in lines
    assert "- changed: `terraform_data.changes`" in lines
    assert "- created: `terraform_data.comes`" in lines
    assert lines.index("- **destroyed: `terraform_data.goes`**") < lines.index(
        "- changed: `terraform_data.changes`"
    )
    assert not any("terraform_data.stays" in line or "secret" in line for line in lines)


def test_nothing_to_change_is_said(root: Root) -> None:
    assert list(plan_summary.summary("dev", root.plan(BEFORE)))[2:] == ["Nothing to change."]


def test_what_is_lost_is_never_folded_away_and_the_rest_is_cut(root: Root) -> None:
    many = f'resource "terraform_data" "many" {{\n  count = {plan_summary.SHOWN + 5}\n}}\n'
    lines = list(plan_summary.summary("dev", root.plan(many)))

    assert lines[2] == f"**4 destroyed**, {plan_summary.SHOWN + 5} created."
    folded = lines.index("<details><summary>created</summary>")
    assert all(lines.index(line) < folded for line in lines if "**destroyed" in line)
    assert "- and 5 more" in lines


def test_a_new_version_of_a_layer_is_no_loss() -> None:
    plan = {
        "resource_changes": [
            {
                "address": "module.artefacts.aws_lambda_layer_version.this",
                "type": "aws_lambda_layer_version",
                "change": {"actions": ["create", "delete"]},
            }
        ]
    }
    assert list(plan_summary.summary("dev", plan))[2] == "1 replaced."


def test_what_is_no_plan_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/plan_summary.py"), "dev"],
        input="Error: no plan",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "stdin must be a plan in JSON" in done.stderr
