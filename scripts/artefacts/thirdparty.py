"""Fetch what a layer needs from outside, and leave out what Lambda never reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Wheels for the functions' machine: arm64, Amazon Linux 2023 (glibc 2.34), Python 3.13.
LAMBDA_PYTHON = "3.13"
LAMBDA_WHEELS = (
    *("--platform", "manylinux2014_aarch64", "--platform", "manylinux_2_28_aarch64"),
    *("--implementation", "cp", "--python-version", LAMBDA_PYTHON),
)

# botocore describes 400 services in 25 MB. These are called, by the functions or by the operator's
# command line; a client of any other fails with UnknownServiceError, so add it here first.
SERVICES = frozenset(
    {
        "cloudwatch",  # bounce and complaint rates
        "cognito-idp",  # users of the API
        "dynamodb",  # the ledger
        "kms",  # keys of the secrets and of the bucket
        "lambda",  # asynchronous hand-over to a fresh invocation
        "s3",  # contact lists, bodies over the message limit
        "scheduler",  # periodic tasks
        "secretsmanager",  # SMTP credentials, signing keys
        "ses",  # identities that only the first API shows
        "sesv2",  # mail, quota, suppression
        "sns",  # feedback topics
        "sqs",  # queues
        "ssm",  # settings
        "sts",  # which account and partition this is
    }
)
# In both data folders, whatever the service.
SHARED_DATA = frozenset(
    {"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"}
)

# Written by pip about this machine, not about the package; METADATA and the licences stay.
INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


class FetchError(Exception):
    """pip could not install the locked packages."""


def installed_tree(lock: Path, target: str, cache: Path, log: Path) -> Path:
    """Return a folder that holds the packages of `lock`, installed for `target` and trimmed.

    The folder is kept for as long as the lock, the interpreter and this module stay as they are.
    Raise FetchError when the index cannot be reached or a package is not the locked one.
    """
    layer = lock.parent.name
    tree = cache / f"{layer}-{target}-{_key(lock, target)}"
    if tree.is_dir():
        return tree
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = Path(scratch) / "tree"
        print(f"build: fetching layers/{layer} for {target}", file=sys.stderr)
        _install(lock, target, fresh, log)
        trim(fresh)
        for stale in cache.glob(f"{layer}-{target}-*"):
            shutil.rmtree(stale)
        fresh.rename(tree)
    return tree


def trim(tree: Path) -> None:
    """Delete what differs between machines and what no function reads."""
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for name in INSTALLER_FILES:
        for path in tree.glob(f"*.dist-info/{name}"):
            path.unlink()
    for data in (tree / "botocore/data", tree / "boto3/data"):
        for path in data.glob("*"):
            if path.is_dir() and path.name not in SERVICES:
                shutil.rmtree(path)
    for path in tree.glob("botocore/data/*/*/examples-1.json"):
        path.unlink()
    shutil.rmtree(tree / "boto3/examples", ignore_errors=True)


def _install(lock: Path, target: str, tree: Path, log: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"]
    command += LAMBDA_WHEELS if target == "lambda" else ()
    command += ["--target", str(tree), "--requirement", str(lock)]
    # A person's own pip settings may choose the index, and nothing else.
    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name in ("PIP_PREFIX", "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=output, env=environment, check=False)
    if done.returncode != 0:
        raise FetchError(f"layers/{lock.parent.name}: {_explain(log)} (see {log})")


def _explain(log: Path) -> str:
    explain = Path(__file__).resolve().parent.parent / "explain_pip.sh"
    done = subprocess.run([explain, log], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _key(lock: Path, target: str) -> str:
    digest = hashlib.sha256(lock.read_bytes())
    digest.update(Path(__file__).read_bytes())
    if target != "lambda":
        digest.update(sys.version.encode())
    return digest.hexdigest()[:16]
