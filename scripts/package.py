"""Build the artefacts of one target and their manifest: build/<target>/artefacts.json.

Targets: `lambda` is arm64 and Python 3.13; `local` is this machine and this interpreter, for the
emulator. What has not changed is not written again. `make build` calls this through build.sh.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from artefacts import budget
from artefacts.archive import CompileError, unzipped_size, write_zip
from artefacts.content import (
    Files,
    content_digest,
    function_files,
    package_files,
    thirdparty_files,
)
from artefacts.thirdparty import LAMBDA_PYTHON, FetchError, installed_tree

OURS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
THIRDPARTY_LAYERS = ("dependencies", "imaging")


@dataclass(frozen=True, kw_only=True, slots=True)
class Artefact:
    """One zip as the manifest tells it; the path is relative to the manifest."""

    path: str
    digest: str
    bytes: int
    unzipped_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One run: where the sources are, where the zips go, and for which Python they are."""

    root: Path
    target: str
    python: str
    bytecode: bool

    @property
    def folder(self) -> Path:
        """Where the zips of this target go."""
        return self.root / "build" / self.target

    @property
    def manifest(self) -> Path:
        """The file that names them."""
        return self.folder / "artefacts.json"


def main() -> int:
    """Build, print the size table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", choices=("lambda", "local"), default="lambda")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    build = _build(arguments.root.resolve(), arguments.target)
    if not build.bytecode:
        _say(f"no byte code: it needs Python {build.python}, this is {OURS_PYTHON}")
    try:
        measured = run(build)
    except (CompileError, FetchError) as error:
        _say(str(error))
        return 1
    print("\n".join(budget.table(measured)))
    too_large = budget.overruns(measured)
    for sentence in too_large:
        _say(sentence)
    return 1 if too_large else 0


def run(build: Build) -> list[budget.Size]:
    """Write every artefact that changed, then the manifest; return the sizes."""
    build.folder.mkdir(parents=True, exist_ok=True)
    with (build.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once wait in line
        known = _known(build)
        functions = {
            name: _artefact(build, known, f"functions/{name}.zip", files, compress=False)
            for name, files in _functions(build.root)
        }
        layers = {
            name: _artefact(build, known, f"layers/{name}.zip", files, compress=True)
            for name, files in _layers(build)
        }
        _write_manifest(build, functions, layers)
        _remove_others(build, {made.path for made in (*functions.values(), *layers.values())})
    return budget.sizes(
        {name: (made.bytes, made.unzipped_bytes) for name, made in functions.items()},
        {name: (made.bytes, made.unzipped_bytes) for name, made in layers.items()},
    )


def _build(root: Path, target: str) -> Build:
    python = LAMBDA_PYTHON if target == "lambda" else OURS_PYTHON
    return Build(root=root, target=target, python=python, bytecode=python == OURS_PYTHON)


def _functions(root: Path) -> Iterator[tuple[str, Files]]:
    for folder in sorted((root / "functions").iterdir()):
        if (folder / "handler.py").is_file():
            yield folder.name, function_files(folder)
        elif folder.is_dir():
            _say(f"functions/{folder.name} has no handler.py: not built")


def _layers(build: Build) -> Iterator[tuple[str, Files]]:
    root = build.root
    yield "sendmill", package_files(root / "layers/sendmill/python")
    for name in THIRDPARTY_LAYERS:
        lock = root / "layers" / name / "requirements.txt"
        log = root / f"build/logs/layer-{name}-{build.target}.log"
        yield name, thirdparty_files(installed_tree(lock, build.target, root / "build/cache", log))


def _artefact(
    build: Build, known: dict[str, Artefact], path: str, files: Files, *, compress: bool
) -> Artefact:
    tag = f"cpython-{build.python.replace('.', '')}" if build.bytecode else None
    digest = content_digest(files, tag)
    target = build.folder / path
    if (same := known.get(path)) and same.digest == digest and _has_size(target, same.bytes):
        return same
    write_zip(target, files, compress=compress, bytecode=build.bytecode)
    _say(f"wrote build/{build.target}/{path}")
    return Artefact(
        path=path,
        digest=digest,
        bytes=target.stat().st_size,
        unzipped_bytes=unzipped_size(target),
    )


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _known(build: Build) -> dict[str, Artefact]:
    """Return what the last manifest says, by path; nothing when it cannot be read."""
    try:
        manifest = json.loads(build.manifest.read_text())
        entries = [*manifest["functions"].values(), *manifest["layers"].values()]
        return {entry["path"]: Artefact(**entry) for entry in entries}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _write_manifest(
    build: Build, functions: dict[str, Artefact], layers: dict[str, Artefact]
) -> None:
    manifest = {
        "target": build.target,
        "python": build.python,
        "bytecode": build.bytecode,
        "functions": {name: asdict(made) for name, made in functions.items()},
        "layers": {name: asdict(made) for name, made in layers.items()},
    }
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    if build.manifest.is_file() and build.manifest.read_text() == text:
        return
    scratch = build.manifest.with_name("artefacts.json.tmp")
    scratch.write_text(text)
    scratch.replace(build.manifest)


def _remove_others(build: Build, kept: set[str]) -> None:
    """Delete the zips of functions and layers that are gone."""
    for path in build.folder.glob("*/*.zip"):
        if path.relative_to(build.folder).as_posix() not in kept:
            path.unlink()


def _say(sentence: str) -> None:
    print(f"build: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
