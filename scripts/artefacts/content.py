"""What is in an artefact, and the digest that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

# Of our own folders: tests, notes, editors' files, and byte code of whoever ran the sources last.
OURS_SKIPPED = ("tests", "*.md", ".*", "__pycache__")
# Of the first-party package besides: what runs in applications and tests, never in our functions.
PACKAGE_SKIPPED = (*OURS_SKIPPED, "cli", "contrib", "testing")
# Of other people's packages only what Python never reads; their licences may well be *.md.
THEIRS_SKIPPED = ("*.pyi", "__pycache__")

Files = Mapping[str, Path]


def function_files(folder: Path) -> dict[str, Path]:
    """Return the files of one function by their names in its zip; handler.py is at the root."""
    return _by_name(folder, "", OURS_SKIPPED)


def package_files(folder: Path) -> dict[str, Path]:
    """Return the files of the first-party layer by their names in its zip.

    Lambda reads layers from python/.
    """
    return _by_name(folder, "python/", PACKAGE_SKIPPED)


def thirdparty_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that pip filled by their names in the layer's zip."""
    return _by_name(folder, "python/", THEIRS_SKIPPED)


def content_digest(files: Files, bytecode: str | None) -> str:
    """Return the SHA-256, in hex, over the sorted lines `name NUL mode NUL SHA-256 of the file`.

    It names the content, not the zip: compressed bytes differ between builds of zlib. Byte code is
    made from the sources that are in the same zip, so only its version (`cpython-313`) counts. The
    bytes may differ between 3.13.0 and 3.13.9, and that alone must not deploy anything.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        digest.update(f"{name}\0{mode_of(name):04o}\0{content}\n".encode())
    digest.update(f"bytecode\0{bytecode}\n".encode() if bytecode else b"")
    return digest.hexdigest()


def mode_of(name: str) -> int:
    """Return the mode of a file in the zip: by its name, since umask and platform change modes."""
    return 0o755 if ".so" in Path(name).suffixes else 0o644


def _by_name(folder: Path, prefix: str, skipped: tuple[str, ...]) -> dict[str, Path]:
    found = _shipped(folder, skipped)
    return {prefix + path.relative_to(folder).as_posix(): path for path in found}


def _shipped(folder: Path, skipped: tuple[str, ...]) -> Iterator[Path]:
    for path in folder.iterdir():
        if any(fnmatchcase(path.name, pattern) for pattern in skipped):
            continue
        if path.is_dir():
            yield from _shipped(path, skipped)
        else:
            yield path
