"""The same sources give the same zips, on any machine, and nothing more than Lambda needs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artefacts.thirdparty import SERVICES

ROOT = Path(__file__).resolve().parents[2]
HANDLER = '"""Answer."""\n\n\ndef handler(event, context):\n    return {"one", "two", "three"}\n'
AARCH64 = 0xB7  # e_machine of an ELF file

MakeLock = Callable[..., str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A copy of what is packaged, with two plain functions and a one-module layer."""

    root: Path
    environment: dict[str, str]

    def build(self, target: str = "local", **more: str) -> subprocess.CompletedProcess[str]:
        return build(self.root, {**self.environment, **more}, target)

    def built(self, target: str = "local", **more: str) -> dict[str, Any]:
        """Build, insist on success, and return the manifest."""
        done = self.build(target, **more)
        assert done.returncode == 0, done.stderr
        return manifest(self.root, target)


@pytest.fixture
def checkout(
    tmp_path: Path, make_lock: MakeLock, wheels_only: Callable[[Path], dict[str, str]]
) -> Checkout:
    root = make_checkout(tmp_path / "checkout", make_lock(tmp_path / "wheels"))
    return Checkout(root=root, environment=wheels_only(tmp_path / "wheels"))


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    make_lock: MakeLock,
    wheels_only: Callable[[Path], dict[str, str]],
) -> Checkout:
    """Return a checkout that is built already, for looking only."""
    folder = tmp_path_factory.mktemp("finished")
    root = make_checkout(folder / "checkout", make_lock(folder / "wheels"))
    made = Checkout(root=root, environment=wheels_only(folder / "wheels"))
    made.built(SOURCE_DATE_EPOCH="")
    return made


def make_checkout(root: Path, lock: str) -> Path:
    copy_sources(root)
    for name in ("alpha", "beta"):
        folder = root / "functions" / name
        (folder / "tests").mkdir(parents=True)
        (folder / "handler.py").write_text(HANDLER)
        (folder / "page.html").write_text("<p>")
        (folder / "README.md").write_text("# a note")
        (folder / "tests/test_handler.py").write_text("")
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__/handler.cpython-399.pyc").write_text("stale")
    for name in ("dependencies", "imaging"):
        (root / "layers" / name).mkdir()
        (root / "layers" / name / "requirements.txt").write_text(lock)
    return root


def copy_sources(root: Path) -> None:
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("scripts/artefacts", "functions", "layers/sendmill"):
        shutil.copytree(ROOT / name, root / name, ignore=skipped)
    for name in ("scripts/package.py", "scripts/explain_pip.sh"):
        shutil.copy(ROOT / name, root / name)


def build(
    root: Path, environment: dict[str, str], target: str = "local", python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    command = [python, str(root / "scripts/package.py"), "--target", target]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def manifest(root: Path, target: str = "local") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / f"build/{target}/artefacts.json").read_text())
    return content


def outputs(root: Path, target: str = "local") -> dict[str, bytes]:
    folder = root / "build" / target
    kept = (*folder.rglob("*.zip"), folder / "artefacts.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def entries(root: Path, target: str = "local") -> Iterator[tuple[Path, zipfile.ZipInfo, bytes]]:
    for path in sorted((root / "build" / target).rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                yield path, entry, archive.read(entry)


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.mark.parametrize("target", ["lambda", "local"])
def test_two_checkouts_build_the_same_bytes(
    tmp_path: Path,
    make_lock: MakeLock,
    wheels_only: Callable[[Path], dict[str, str]],
    target: str,
) -> None:
    wheels = tmp_path / "wheels"
    lock = make_lock(wheels, source="NAMES = {'a', 'b'}\nPAIR = ('a', 1)\n" + HANDLER)
    first, second = (
        Checkout(root=make_checkout(root, lock), environment=wheels_only(wheels))
        for root in (tmp_path / "first", tmp_path / "somewhere/else/entirely")
    )
    disturb(second.root)

    first.built(target, PYTHONHASHSEED="1")
    old_umask = os.umask(0o077)
    try:
        second.built(target, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    finally:
        os.umask(old_umask)

    assert len(outputs(first.root, target)) >= 6
    assert outputs(first.root, target) == outputs(second.root, target)


def disturb(root: Path) -> None:
    """Change everything about the sources that is not their content: order, times, modes."""
    files = [path for path in root.rglob("*") if path.is_file()]
    for position, path in enumerate(sorted(files, reverse=True)):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        path.chmod(0o700 if position % 2 else 0o604)
        os.utime(path, (position, 1_000_000_000 + position))


def test_a_comment_in_one_function_changes_the_digest_of_that_function_alone(
    checkout: Checkout,
) -> None:
    before, zips = checkout.built(), outputs(checkout.root)
    with (checkout.root / "functions/beta/handler.py").open("a") as source:
        source.write("# a remark\n")

    after = checkout.built()

    changed = [name for name, entry in after["functions"].items()
               if entry["digest"] != before["functions"][name]["digest"]]  # fmt: skip
    assert changed == ["beta"]
    assert after["layers"] == before["layers"]
    rewritten = {path for path, content in outputs(checkout.root).items() if content != zips[path]}
    assert rewritten == {"functions/beta.zip", "artefacts.json"}


def test_an_unchanged_build_writes_nothing(checkout: Checkout) -> None:
    checkout.built()
    files = [checkout.root / "build/local" / path for path in outputs(checkout.root)]
    before = {path: path.stat().st_mtime_ns for path in files}

    checkout.built()

    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_a_lost_or_cut_zip_is_written_again(checkout: Checkout) -> None:
    checkout.built()
    whole = outputs(checkout.root)
    (checkout.root / "build/local/functions/alpha.zip").unlink()
    (checkout.root / "build/local/functions/beta.zip").write_bytes(b"PK")

    checkout.built()

    assert outputs(checkout.root) == whole


def test_the_zip_of_a_function_that_is_gone_goes_too(checkout: Checkout) -> None:
    checkout.built()
    shutil.rmtree(checkout.root / "functions/beta")

    told = checkout.built()

    assert "beta" not in told["functions"]
    assert not (checkout.root / "build/local/functions/beta.zip").exists()


def test_the_digest_is_the_sum_of_names_modes_and_contents(finished: Checkout) -> None:
    told = manifest(finished.root)
    lines = []
    with zipfile.ZipFile(finished.root / "build/local/functions/alpha.zip") as archive:
        for name in ("handler.py", "page.html"):
            content = hashlib.sha256(archive.read(name)).hexdigest()
            lines.append(f"{name}\x000644\0{content}\n")
    lines.append(f"bytecode\0{sys.implementation.cache_tag}\n")

    expected = hashlib.sha256("".join(lines).encode()).hexdigest()

    assert told["functions"]["alpha"]["digest"] == expected


def test_the_manifest_tells_the_sizes_and_the_python(finished: Checkout) -> None:
    told = manifest(finished.root)
    path = finished.root / "build/local/functions/alpha.zip"

    assert told["target"] == "local"
    assert told["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert told["bytecode"] is True
    assert set(told["layers"]) == {"sendmill", "dependencies", "imaging"}
    entry = told["functions"]["alpha"]
    assert entry["path"] == "functions/alpha.zip"
    assert entry["bytes"] == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert entry["unzipped_bytes"] == sum(one.file_size for one in archive.infolist())


def test_the_lambda_target_is_for_lambdas_python(checkout: Checkout) -> None:
    told = checkout.built("lambda")
    compiled = [
        entry for _, entry, _ in entries(checkout.root, "lambda") if ".pyc" in entry.filename
    ]

    assert told["python"] == "3.13"
    assert told["bytecode"] is (sys.version_info[:2] == (3, 13))
    assert bool(compiled) is told["bytecode"]


def test_no_path_of_this_machine_is_in_a_zip(finished: Checkout) -> None:
    machine = [
        str(finished.root),
        str(ROOT),
        sys.prefix,
        sys.base_prefix,
        finished.environment["HOME"],
    ]

    found = [
        (entry.filename, path)
        for _, entry, content in entries(finished.root)
        for path in machine
        if path.encode() in content
    ]

    assert found == []


def test_a_function_holds_its_handler_at_the_root_and_no_leftovers(finished: Checkout) -> None:

    assert names(finished.root / "build/local/functions/alpha.zip") == [
        f"__pycache__/handler.{sys.implementation.cache_tag}.pyc",
        "handler.py",
        "page.html",
    ]


def test_a_layer_is_all_below_python_without_traces_of_the_installer(finished: Checkout) -> None:

    assert names(finished.root / "build/local/layers/dependencies.zip") == [
        "python/tinypackage-1.0.dist-info/METADATA",
        "python/tinypackage-1.0.dist-info/WHEEL",
        "python/tinypackage-1.0.dist-info/entry_points.txt",
        "python/tinypackage/__init__.py",
        f"python/tinypackage/__pycache__/__init__.{sys.implementation.cache_tag}.pyc",
        "python/tinypackage/py.typed",
    ]
    sendmill = names(finished.root / "build/local/layers/sendmill.zip")
    assert all(name.startswith("python/sendmill/") for name in sendmill)


def test_entries_carry_nothing_of_the_building_machine(finished: Checkout) -> None:

    for path, entry, _ in entries(finished.root):
        assert not entry.is_dir()
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.create_system == 3
        assert entry.external_attr >> 16 == 0o100644
        assert entry.extra == b""
        stored = path.parent.name == "functions"
        assert entry.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def test_source_date_epoch_is_the_time_of_every_entry(checkout: Checkout) -> None:
    checkout.built(SOURCE_DATE_EPOCH="1795392000")

    assert {entry.date_time for _, entry, _ in entries(checkout.root)} == {(2026, 11, 23, 0, 0, 0)}


def test_byte_code_is_there_for_every_module_and_is_never_checked_against_it(
    finished: Checkout,
) -> None:
    all_names = {(path, entry.filename) for path, entry, _ in entries(finished.root)}
    sources = {pair for pair in all_names if pair[1].endswith(".py")}
    compiled = {pair for pair in all_names if pair[1].endswith(".pyc")}

    assert len(compiled) == len(sources) > 3
    for _, entry, content in entries(finished.root):
        if entry.filename.endswith(".pyc"):
            (flags,) = struct.unpack("<I", content[4:8])
            assert flags == 0b01, entry.filename  # PEP 552: by hash, and not checked


def test_a_source_that_does_not_compile_fails_the_build_by_name(checkout: Checkout) -> None:
    (checkout.root / "functions/beta/handler.py").write_text("def handler(:\n")

    done = checkout.build()

    assert done.returncode == 1
    assert "handler.py" in done.stderr
    assert "SyntaxError" in done.stderr
    assert not (checkout.root / "build/local/functions/beta.zip").exists()


def test_a_function_over_its_budget_fails_the_build(checkout: Checkout) -> None:
    (checkout.root / "functions/alpha/data.bin").write_bytes(bytes(200_000))

    done = checkout.build()

    assert done.returncode == 1
    assert "functions/alpha must be at most 100.0 KB zipped (got 200." in done.stderr


def test_a_package_that_is_not_the_locked_one_fails_the_build(
    checkout: Checkout, make_lock: MakeLock, tmp_path: Path
) -> None:
    make_lock(tmp_path / "wheels", source="ANSWER = 'somebody else wrote this'\n")

    done = checkout.build()

    assert done.returncode == 1
    assert "layers/dependencies: a package is not the one in the lock" in done.stderr
    assert not (checkout.root / "build/local/artefacts.json").exists()


def test_every_service_that_the_code_calls_is_described_in_the_layer() -> None:
    call = re.compile(r"""(?:\.client|\.resource|create_client|_client)\(\s*["']([a-z0-9-]+)["']""")
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/sendmill").rglob("*.py")]
    called = {name for path in sources for name in call.findall(path.read_text())}

    assert called <= SERVICES


@pytest.mark.slow
def test_the_real_layers_are_reproducible_arm64_and_within_budget(tmp_path: Path) -> None:
    environment = dict(os.environ)
    roots = [tmp_path / "one", tmp_path / "two/deeper"]
    for root in roots:
        copy_sources(root)
        copy_locks(root)
        done = build(root, environment, "lambda")
        assert done.returncode == 0, done.stderr

    assert outputs(roots[0], "lambda") == outputs(roots[1], "lambda")
    libraries = {
        entry.filename: struct.unpack("<H", content[18:20])[0]
        for _, entry, content in entries(roots[0], "lambda")
        if ".so" in entry.filename
    }
    assert libraries
    assert set(libraries.values()) == {AARCH64}
    leaked = [entry.filename for _, entry, content in entries(roots[0], "lambda")
              if str(tmp_path).encode() in content]  # fmt: skip
    assert leaked == []


@pytest.mark.slow
def test_the_local_layers_run_in_the_emulators_interpreter(
    tmp_path: Path,
) -> None:
    python = ROOT / ".venv-emulator/bin/python"
    if not python.exists():
        pytest.skip("needs .venv-emulator: run scripts/setup.sh emulator")
    copy_sources(tmp_path)
    copy_locks(tmp_path)
    done = build(tmp_path, dict(os.environ), "local", str(python))
    assert done.returncode == 0, done.stderr
    for layer in ("sendmill", "dependencies", "imaging"):
        with zipfile.ZipFile(tmp_path / f"build/local/layers/{layer}.zip") as archive:
            archive.extractall(tmp_path / "opt")

    program = f"""
import boto3, jinja2, pydantic, email_validator, PIL.Image, sendmill
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
for service in {sorted(SERVICES)}:
    boto3.client(service, region_name="us-gov-west-1")
for module in (boto3, jinja2, pydantic):
    assert "/opt/python/" in module.__file__, module.__file__
    assert module.__cached__.endswith(".pyc")
"""
    # -S: without the packages of the environment itself, as in Lambda.
    environment = {"PYTHONPATH": str(tmp_path / "opt/python"), "PATH": os.defpath}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true"}
    ran = subprocess.run(
        [str(python), "-S", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def copy_locks(root: Path) -> None:
    for name in ("dependencies", "imaging"):
        (root / "layers" / name).mkdir()
        shutil.copy(ROOT / "layers" / name / "requirements.txt", root / "layers" / name)
