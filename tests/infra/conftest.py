"""Packages made on the spot, so that these tests install something real without an index."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

MakeLock = Callable[..., str]


@pytest.fixture(scope="session")
def make_lock() -> MakeLock:
    """Return a function that puts a wheel in a folder and returns the lock that asks for it."""

    def make(folder: Path, name: str = "tinypackage", source: str = "ANSWER = 42\n") -> str:
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / f"{name}-1.0-py3-none-any.whl"
        information = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}/__init__.py", source)
            archive.writestr(f"{name}/stub.pyi", "ANSWER: int\n")
            archive.writestr(f"{name}/py.typed", "")
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            archive.writestr(f"{information}/METADATA", metadata)
            tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            archive.writestr(f"{information}/WHEEL", tags)
            commands = f"[console_scripts]\n{name}-command = {name}:main\n"
            archive.writestr(f"{information}/entry_points.txt", commands)
            archive.writestr(f"{information}/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}==1.0 --hash=sha256:{digest}\n"

    return make


@pytest.fixture(scope="session")
def wheels_only() -> Callable[[Path], dict[str, str]]:
    """Return a function from a folder to an environment in which pip knows that folder alone."""

    def environment(wheels: Path) -> dict[str, str]:
        home = wheels.parent / "home"
        home.mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "SENDMILL_"))
        }
        return {
            **kept,
            "HOME": str(home),
            "PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        }

    return environment
