"""checkov finds nothing that is not explained, and our own checks of it can fail."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / "build/security/venv/bin/checkov"
SECURITY = ROOT / "scripts/security.sh"
SKIP = re.compile(r"#checkov:skip=([A-Z0-9_]+)(:.*)?$", re.MULTILINE)

BAD = """
resource "aws_sesv2_configuration_set" "open" {
  configuration_set_name = "open"
  delivery_options {
    tls_policy = "OPTIONAL"
  }
}
resource "aws_sns_topic" "unheard" {
  name              = "unheard"
  kms_master_key_id = "alias/aws/sns"
}
"""


@pytest.fixture(scope="module")
def checkov() -> Path:
    """checkov in its environment, which `make security` would make too; a minute, once."""
    subprocess.run([SECURITY, "setup"], check=True)
    return CHECKOV


def test_every_exception_says_why() -> None:
    files = [path for path in (ROOT / "terraform").rglob("*.tf") if ".data" not in str(path)]
    found = [one for path in files for one in SKIP.findall(path.read_text())]
    assert len(found) > 20
    assert [check for check, reason in found if len(reason) < 8] == []


@pytest.mark.slow
@pytest.mark.usefixtures("checkov")
def test_checkov_finds_nothing_that_is_not_explained() -> None:
    done = subprocess.run([SECURITY, "checkov"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_our_own_checks_can_fail(tmp_path: Path, checkov: Path) -> None:
    (tmp_path / "main.tf").write_text(BAD)
    done = subprocess.run(
        [
            *(checkov, "--directory", tmp_path, "--skip-download", "--compact", "--quiet"),
            *("--external-checks-dir", ROOT / "scripts/security/checks"),
            *("--check", "CKV_SENDMILL_1,CKV_SENDMILL_2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(re.findall(r"^Check: (\w+)", done.stdout, re.MULTILINE)) == {
        "CKV_SENDMILL_1",
        "CKV_SENDMILL_2",
    }, done.stdout + done.stderr
    assert done.returncode == 1
