"""The environments come from the lock, once, and a failure says why in one sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = f"python3.{sys.version_info.minor}"
# All that the scripts call besides Python.
TOOLS = ("bash", "cat", "cmp", "dirname", "env", "grep", "mkdir", "rm", "sed", "sort", "tail")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A copy of the set-up scripts, with locks that ask for one tiny package.

    PATH is `tools`: what the scripts call, and the Python of this test.
    """

    root: Path
    wheels: Path
    tools: Path
    environment: dict[str, str]

    def run(self, script: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(self.root / "scripts" / script), *words],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )


MakeCheckout = Callable[[Path], Checkout]


@pytest.fixture(scope="module")
def make_checkout(
    make_lock: Callable[..., str], wheels_only: Callable[[Path], dict[str, str]]
) -> MakeCheckout:
    def make(folder: Path) -> Checkout:
        root, wheels, tools = folder / "checkout", folder / "wheels", folder / "path"
        (root / "scripts/requirements").mkdir(parents=True)
        for name in ("setup.sh", "find_python.sh", "explain_pip.sh"):
            shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
        lock = make_lock(wheels)
        for name in ("dev", "emulator"):
            (root / f"scripts/requirements/{name}.txt").write_text(lock)
        package = root / "layers/sendmill/python/sendmill"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        lay_out_path(tools)
        # What a person's own configuration may hold: a second index that is not there, --user.
        odd = {"PIP_EXTRA_INDEX_URL": f"file://{folder}/no-index", "PIP_USER": "1"}
        odd |= {"PIP_TARGET": str(folder / "target"), "PYTHONPATH": str(folder / "nowhere")}
        alone = {"PATH": str(tools), "PYENV_ROOT": "/nonexistent"}
        environment = {**wheels_only(wheels), **odd, **alone}
        return Checkout(root=root, wheels=wheels, tools=tools, environment=environment)

    return make


def lay_out_path(folder: Path) -> None:
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    (folder / OURS).symlink_to(Path(sys.executable).resolve())


@pytest.fixture
def checkout(tmp_path: Path, make_checkout: MakeCheckout) -> Checkout:
    return make_checkout(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, make_checkout: MakeCheckout) -> Checkout:
    """Return a checkout whose environment is made; who damages it, has it made anew."""
    made = make_checkout(tmp_path_factory.mktemp("finished"))
    done = made.run("setup.sh", "dev")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return made


def test_an_environment_holds_the_locked_packages_and_our_own(finished: Checkout) -> None:
    program = "import tinypackage, sendmill; print(tinypackage.ANSWER, sendmill.__file__)"
    ran = subprocess.run(
        [finished.root / ".venv/bin/python", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )

    package = finished.root / "layers/sendmill/python/sendmill/__init__.py"
    assert ran.stdout.split() == ["42", str(package)]


def test_a_second_run_does_nothing_and_looks_for_nothing(
    finished: Checkout, tmp_path: Path
) -> None:
    before = (finished.root / ".venv/.stamp").stat().st_mtime_ns
    shutil.copytree(finished.tools, tmp_path / "path", symlinks=True)
    (tmp_path / "path" / OURS).unlink()  # whoever looks for a Python, fails

    done = finished.run("setup.sh", "dev", PATH=str(tmp_path / "path"))

    assert (done.returncode, done.stderr) == (0, "")
    assert (finished.root / ".venv/.stamp").stat().st_mtime_ns == before


def test_another_lock_makes_the_environment_anew(
    finished: Checkout, make_lock: Callable[..., str]
) -> None:
    with (finished.root / "scripts/requirements/dev.txt").open("a") as lock:
        lock.write(make_lock(finished.wheels, "second"))

    done = finished.run("setup.sh", "dev")

    assert done.returncode == 0, done.stderr
    python = finished.root / ".venv/bin/python"
    subprocess.run([python, "-c", "import second"], check=True)


def test_a_lost_interpreter_makes_the_environment_anew(finished: Checkout) -> None:
    (finished.root / ".venv/bin/python").unlink()

    done = finished.run("setup.sh", "dev")

    assert done.returncode == 0, done.stderr
    assert "is ready" in done.stderr


def test_another_place_makes_the_environment_anew(finished: Checkout, tmp_path: Path) -> None:
    shutil.copytree(finished.root, tmp_path / "moved", symlinks=True)
    moved = replace(finished, root=tmp_path / "moved")

    done = moved.run("setup.sh", "dev")

    assert done.returncode == 0, done.stderr
    pip = (moved.root / ".venv/bin/pip").read_text()
    assert pip.startswith(f"#!{moved.root}/.venv/bin/python")


def test_two_runs_at_once_install_once(checkout: Checkout) -> None:
    command = ["bash", str(checkout.root / "scripts/setup.sh"), "emulator"]
    both = [
        subprocess.Popen(command, env=checkout.environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    words = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert "".join(words).count("is ready") == 1


def test_an_index_out_of_reach_is_one_sentence_and_leaves_no_stamp(checkout: Checkout) -> None:
    settings = checkout.environment
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        del settings[name]

    # One retry: pip names the cause only when it tries again.
    done = checkout.run(
        "setup.sh", "dev", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1"
    )

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("setup: the package index cannot be reached: ")
    assert last.endswith("(see build/logs/setup-dev.log)")
    assert not (checkout.root / ".venv/.stamp").exists()


def test_a_package_that_is_not_the_locked_one_is_refused(
    checkout: Checkout, make_lock: Callable[..., str]
) -> None:
    make_lock(checkout.wheels, source="ANSWER = 'somebody else'\n")

    done = checkout.run("setup.sh", "dev")

    assert done.returncode == 1
    assert "a package is not the one in the lock" in done.stderr


def test_an_unknown_environment_is_refused_with_the_choices(checkout: Checkout) -> None:
    done = checkout.run("setup.sh", "prod")

    assert done.returncode == 1
    assert done.stderr == "setup: unknown environment 'prod': must be dev or emulator\n"


def test_without_python_one_sentence_says_what_is_needed(checkout: Checkout) -> None:
    (checkout.tools / OURS).unlink()

    done = checkout.run("setup.sh", "dev")

    assert done.returncode == 1
    assert done.stderr.startswith("no working CPython from 3.11 to 3.13 found")
    assert len(done.stderr.splitlines()) == 1


def test_a_python_that_exists_but_does_not_run_is_passed_over(
    checkout: Checkout, tmp_path: Path
) -> None:
    lying = tmp_path / "shims"
    lying.mkdir()
    for minor in (11, 12, 13):
        shim = lying / f"python3.{minor}"
        shim.write_text("#!/bin/sh\necho 'not installed' >&2\nexit 127\n")
        shim.chmod(0o755)

    done = checkout.run("find_python.sh", PATH=f"{lying}:{checkout.tools}")

    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).resolve() == Path(sys.executable).resolve()


def test_pythons_of_pyenv_are_found_beside_path(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.tools / OURS).unlink()
    folder = tmp_path / f"pyenv/versions/3.{sys.version_info.minor}.1/bin"
    folder.mkdir(parents=True)
    (folder / OURS).symlink_to(Path(sys.executable).resolve())

    done = checkout.run("find_python.sh", PYENV_ROOT=str(tmp_path / "pyenv"))

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == OURS


def test_an_older_limit_leaves_newer_pythons_out(checkout: Checkout) -> None:
    done = checkout.run("find_python.sh", "10")

    assert done.returncode == 1
    assert "3.10" in done.stderr


def test_no_lock_names_a_host() -> None:
    locks = [*ROOT.glob("scripts/requirements/*.txt"), *ROOT.glob("layers/*/requirements.txt")]

    assert len(locks) == 10
    for lock in locks:
        assert "://" not in lock.read_text(), lock
        assert str(ROOT) not in lock.read_text(), lock


def test_every_lock_agrees_with_the_layers_on_shared_packages() -> None:
    # checkov and the pipeline's tools have environments of their own, and run none of our code
    apart = {"security.txt", "pipeline.txt"}
    locks = [lock for lock in ROOT.glob("scripts/requirements/*.txt") if lock.name not in apart]
    pins = {lock.name: _pins(lock) for lock in locks}
    layer = _pins(ROOT / "layers/dependencies/requirements.txt")

    for name, locked in pins.items():
        shared = locked.keys() & layer.keys()
        assert "botocore" in shared or name.startswith("django"), name
        assert {package: locked[package] for package in shared} == {
            package: layer[package] for package in shared
        }, name


def _pins(lock: Path) -> dict[str, str]:
    lines = [line.split() for line in lock.read_text().splitlines() if "==" in line.split(" ")[0]]
    return dict(words[0].split("==") for words in lines)
