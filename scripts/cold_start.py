"""Print what a cold start spends on imports, for the package and for each function.

Every figure is the fastest of several fresh interpreters that run from the built zips (with their
byte code), as Lambda does; the interpreter's own start is taken off. The fastest, because whatever
else the machine does only adds.

Parameters: --runs N  fresh interpreters a row (default 9)
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build/local"
PYTHON = ROOT / ".venv-emulator/bin/python"
# The settings that any function may read when it is imported; none of them is used.
SETTINGS = dict.fromkeys(
    [
        "ENVIRONMENT",
        "CAMPAIGNS_TABLE",
        "RECIPIENTS_TABLE",
        "CONTACTS_BUCKET",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ],
    "x",
)
# As in Lambda, where the tracer starts without a client of its own.
SETTINGS |= {"AWS_DEFAULT_REGION": "us-east-1", "LAMBDA_TASK_ROOT": "/var/task"}


def main() -> None:
    """Print one row for each thing that is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        layers = Path(folder) / "layers"
        for layer in ("sendmill", "dependencies"):
            unzip(BUILT / f"layers/{layer}.zip", layers)
        packages = layers / "python"
        base = fastest(runs, packages, layers, "pass")
        rows = {"import sendmill": (layers, "import sendmill")}
        for built in sorted((BUILT / "functions").glob("*.zip")):
            code = Path(folder) / built.stem
            unzip(built, code)
            rows[f"imports of {built.stem}"] = (code, imports_of(code))
        print(f"{'what':<28}{'milliseconds':>14}")
        for name, (at, statement) in rows.items():
            print(f"{name:<28}{fastest(runs, packages, at, statement) - base:>14.0f}")


def imports_of(code: Path) -> str:
    """Return the handler's imports; its adapters would ask AWS for secrets."""
    tree = ast.parse((code / "handler.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, imports))


def unzip(archive: Path, folder: Path) -> None:
    """Unpack an artefact."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)


def fastest(runs: int, packages: Path, folder: Path, statement: str) -> float:
    """Return the shortest time of fresh interpreters that run the statement, in milliseconds."""
    environment = {**os.environ, **SETTINGS, "PYTHONPATH": str(packages)}
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([PYTHON, "-S", "-c", statement], cwd=folder, env=environment, check=True)
        times.append((time.perf_counter() - started) * 1000)
    return min(times)


if __name__ == "__main__":
    main()
