"""What every test may rely on: nothing reaches a real account, wherever it runs."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cloud import REGION, Cloud, make_cloud
from moto import mock_aws

from fakes import Clock
from integration.harness import free_port, run
from stack import Stack

ROOT = Path(__file__).resolve().parents[1]

# read once, when sendmill.observe is imported
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "tests")
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Sendmill")
os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def offline_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dummy keys, no profile, no endpoint, and a proxy on which nothing listens."""
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "HTTP_PROXY",
        "http_proxy",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def cloud(offline_aws: None) -> Iterator[Cloud]:
    """Tables, a bucket, queues and secrets in this process (moto)."""
    with mock_aws():
        found = make_cloud()
        yield found
        found.close()


@pytest.fixture
def load_handler() -> Iterator[Callable[[str], ModuleType]]:
    """A function from the name of a folder in functions/ to a fresh import of its handler."""
    before, path = set(sys.modules), list(sys.path)

    def load(function: str) -> ModuleType:
        folder = ROOT / "functions" / function
        sys.path.insert(0, str(folder))
        name = f"{function}_handler"
        spec = importlib.util.spec_from_file_location(name, folder / "handler.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.path[:] = path
    for name in set(sys.modules) - before:
        module_file = getattr(sys.modules[name], "__file__", None) or ""
        if str(ROOT / "functions") in module_file:
            del sys.modules[name]


@pytest.fixture(scope="session")
def emulator_port() -> Iterator[int]:
    """Start an emulator on a free port; ``FAULT_PORT`` names one that stands already."""
    standing = os.environ.get("FAULT_PORT")
    if standing:
        yield int(standing)
        return
    port = free_port()
    os.environ["EMULATOR_RECORD"] = "1"  # what the functions ask of AWS, for test_privileges
    run("scripts/emulator.sh", "up", port=port)
    yield port
    run("scripts/emulator.sh", "down", port=port)


@pytest.fixture(scope="session")
def stack(emulator_port: int) -> Stack:
    """Deploy the environment ``local``, as ``make deploy`` does, and sign in."""
    if not os.environ.get("FAULT_PORT"):
        run("scripts/build.sh", "local", port=emulator_port)
        run("scripts/terraform.sh", "deploy", port=emulator_port)
    found = Stack.local(emulator_port)
    found.sign_in()
    return found


@pytest.fixture(scope="session")
def person(stack: Stack) -> Callable[[str], tuple[str, str]]:
    """A function from a role to the name and password of somebody who has it."""

    def make(role: str) -> tuple[str, str]:
        cognito, pool = stack.client("cognito-idp"), stack.outputs["user_pool_id"]
        name, password = f"{role}{secrets.token_hex(2)}@example.org", secrets.token_hex(8) + "aA1!"
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=name,
            MessageAction="SUPPRESS",
            TemporaryPassword=password,
            UserAttributes=[{"Name": "email", "Value": name}],
        )
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=name, Password=password, Permanent=True
        )
        if role != "nobody":
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=role)
        return name, password

    return make


@pytest.fixture
def mailbox(stack: Stack) -> Iterator[Stack]:
    """Return the stack with no faults set, and leave none behind."""
    stack.mailbox("DELETE", "/faults")
    yield stack
    stack.mailbox("DELETE", "/faults")


@pytest.fixture(scope="session")
def aws(emulator_port: int) -> Callable[..., str]:
    """Return a function that runs the aws command as a user of the emulator would."""

    def command(*words: str) -> str:
        found = subprocess.run(
            ["bash", "-euc", 'eval "$(make -s env ENV=local)"; exec aws "$@"', "aws", *words],
            cwd=ROOT,
            env={**os.environ, "EMULATOR_PORT": str(emulator_port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    return command


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what looks at the others' traces last; whatever the browser sees needs the stack."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/browser"):
            item.add_marker(pytest.mark.integration)
    items.sort(key=lambda item: item.get_closest_marker("order_last") is not None)
