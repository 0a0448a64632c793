"""A plan needs the manifest alone, and a change of one function is in that function's plan alone.

Planned offline with the real provider; a small server here says whose account it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:root</Arn><UserId>111111111111</UserId>
<Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not on the PATH"),
]


class Sts(BaseHTTPRequestHandler):
    """Answers every question with the same account."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(IDENTITY)))
        self.end_headers()
        self.wfile.write(IDENTITY)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Sts)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the root module that keeps its state in a file, initialised."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / "terraform", copy / "terraform", ignore=shutil.ignore_patterns(".data-*")
    )
    shutil.copytree(
        ROOT / "scripts", copy / "scripts", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copy / "terraform/backend.tf").unlink()
    initialise(copy)
    return copy


def run(root: Path, sts: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", f"-chdir={root / 'terraform'}", *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "TF_CLI_CONFIG_FILE": str(root / "build/terraform.rc"),
            "TF_DATA_DIR": str(root / "terraform/.data-offline"),
            "TF_WORKSPACE": "prod",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": sts,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def terraform(root: Path, sts: str, *words: str) -> str:
    done = run(root, sts, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def initialise(root: Path) -> None:
    done = subprocess.run(
        ["bash", str(root / "scripts/terraform.sh"), "validate"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def manifest() -> dict[str, Any]:
    path = ROOT / "terraform/tests/fixtures/artefacts/artefacts.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def put_manifest(root: Path, digests: dict[str, str]) -> None:
    made = manifest()
    for name, digest in digests.items():
        made["functions"][name]["digest"] = digest
    folder = root / "build/lambda"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "artefacts.json").write_text(json.dumps(made))


def planned(root: Path, sts: str, digests: dict[str, str]) -> dict[str, Any]:
    """Return every resource of a first deploy by its address, with no zip anywhere."""
    put_manifest(root, digests)
    terraform(
        root, sts, "plan", "-input=false", "-refresh=false", "-var-file=env/prod.tfvars", "-out=p"
    )
    shown = json.loads(terraform(root, sts, "show", "-json", "p"))
    return {
        change["address"]: change["change"]["after"]
        for change in shown["resource_changes"]
        if change["change"]["actions"] == ["create"]
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["-var-file=env/prod.tfvars", '-var=allowed_account_ids=["999999999999"]'],
            "AWS account ID not allowed: 111111111111",
        ),
        (
            [
                "-var-file=env/govcloud.tfvars",
                "-var=environment=prod",
                "-var=use_fips_endpoints=false",
            ],
            "belongs in partition aws-us-gov, but these credentials",
        ),
        (["-var-file=env/dev.tfvars"], 'environment is "dev" but the workspace is "prod"'),
    ],
    ids=["account", "partition", "workspace"],
)
def test_the_wrong_place_is_refused_with_a_sentence(
    root: Path, sts: str, words: list[str], sentence: str
) -> None:
    put_manifest(root, {})
    done = run(root, sts, "plan", "-input=false", "-refresh=false", "-no-color", *words)
    assert done.returncode == 1
    assert sentence in " ".join(done.stderr.replace("│", " ").split())


def test_a_changed_comment_in_one_function_is_in_its_plan_alone(root: Path, sts: str) -> None:
    before = planned(root, sts, {})
    after = planned(root, sts, {"dispatch": "changed"})

    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"module.dispatch.module.function.aws_lambda_function.this"}
    (name,) = changed
    assert after[name]["s3_key"] == "functions/dispatch/changed.zip"
    assert len(before) > 100
    functions = [found for found in before.values() if "s3_key" in found and "handler" in found]
    assert len(functions) == len(manifest()["functions"])
    for function in functions:
        assert function["s3_bucket"] == "sendmill-prod-artefacts"
        assert function["publish"]
