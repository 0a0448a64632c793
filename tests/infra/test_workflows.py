"""The pipeline runs what was reviewed, as somebody who may do no more than the job needs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEXTS = {path.stem: path.read_text() for path in WORKFLOWS}
ACTIONLINT = ROOT / "build/pipeline/venv/bin/actionlint"


def jobs(name: str) -> dict[str, str]:
    """Return the text of each job of a workflow by its name."""
    text = TEXTS[name].split("\njobs:\n")[1]
    parts = re.split(r"^  ([\w-]+):\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_by_commit_and_says_its_version(name: str) -> None:
    for line in re.findall(r"uses: (.*)", TEXTS[name]):
        assert line.startswith("./") or re.fullmatch(
            r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line
        )


def test_one_action_has_one_commit_everywhere() -> None:
    found = {line for text in TEXTS.values() for line in re.findall(r"uses: (\w.*)", text)}
    assert len({line.split("@")[0] for line in found}) == len(found) == 5


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(name: str) -> None:
    assert re.search(r"^permissions:( \{\}|\n  contents: read)$", TEXTS[name], re.MULTILINE)
    for job in jobs(name).values():
        if "actions/checkout" in job:
            assert job.count("persist-credentials: false") == job.count("actions/checkout@")


def test_the_job_that_runs_a_requests_code_cannot_write_and_the_one_that_writes_runs_none() -> None:
    plan, comment = jobs("plan")["plan"], jobs("plan")["comment"]
    assert "id-token: write" in plan
    assert "pull-requests: write" not in plan
    assert "pull-requests: write" in comment
    assert "id-token" not in comment
    assert "checkout" not in comment
    assert "pull_request_target" not in "".join(TEXTS.values())


def test_every_environment_is_planned_and_deployed_in_its_own_region() -> None:
    files = (ROOT / "terraform/env").glob("*.tfvars")
    for path in files:
        if path.stem in ("local", "emulated"):
            continue
        region = re.search(r'^aws_region += "([^"]+)"', path.read_text(), flags=re.MULTILINE)
        assert region
        role = f"AWS_PLAN_ROLE_{path.stem.upper()}"
        entry = f"{{ environment: {path.stem}, region: {region[1]}, role: {role} }}"
        assert entry in TEXTS["plan"]
        assert f"region: {region[1]}\n" in jobs("deploy")[path.stem]


def test_deploys_come_from_main_one_after_the_other_and_are_not_cut_off() -> None:
    (job,) = jobs("deploy-one").values()
    assert "if: github.ref == 'refs/heads/main'" in job
    assert "environment: ${{ inputs.environment }}" in job
    assert "cancel-in-progress: false" in job


@pytest.mark.skipif(not ACTIONLINT.exists(), reason="actionlint is not installed: make check")
def test_the_linter_finds_a_variable_that_does_not_exist(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(TEXTS["check"].replace("github.ref ", "github.reef "))
    done = subprocess.run([ACTIONLINT, broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "reef" in done.stdout
