"""Write a zip whose bytes depend on its content alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from artefacts.content import Files, mode_of

# 1980-01-01, the first day that a zip can express.
EARLIEST_EPOCH = 315532800

# From so many files on a second compiler saves more time than it takes to start.
WORTH_SHARING = 200


class CompileError(Exception):
    """A source that has to be compiled is not valid Python."""


def write_zip(target: Path, files: Files, *, compress: bool, bytecode: bool) -> None:
    """Write `files`, with their byte code if wanted, to `target` in one move.

    Raise CompileError when byte code is wanted and a source does not compile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(target.name + ".tmp")
    with tempfile.TemporaryDirectory(dir=target.parent) as stage:
        entries = _compiled(files, Path(stage)) if bytecode else files
        _write(scratch, entries, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    scratch.replace(target)


def unzipped_size(path: Path) -> int:
    """Return the bytes that a zip takes once Lambda has unpacked it."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _write(path: Path, files: Files, method: int) -> None:
    when = _timestamp()
    with zipfile.ZipFile(path, "w", method, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, when)
            entry.create_system = 3  # Unix, whatever builds it: otherwise the mode is not read
            entry.external_attr = (0o100000 | mode_of(name)) << 16
            archive.writestr(entry, files[name].read_bytes(), method)


def _timestamp() -> tuple[int, int, int, int, int, int]:
    epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST_EPOCH), EARLIEST_EPOCH)
    moment = time.gmtime(epoch)
    return (*moment[:5], moment.tm_sec // 2 * 2)


def _compiled(files: Files, stage: Path) -> dict[str, Path]:
    """Copy the files to a stage, compile them there, and return them with their byte code."""
    for name, source in files.items():
        copy = stage / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    # A fresh process with a fixed hash seed: byte code must not depend on what ran before it.
    # Unchecked: Lambda's file times say nothing, and looking at every source costs start-up time.
    # Stripped of the stage, so that no path of this machine ends up in a zip.
    workers = "0" if len(files) > WORTH_SHARING else "1"
    command = [sys.executable, "-P", "-s", "-m", "compileall", "-q", "-j", workers]
    command += ["-s", str(stage), "--invalidation-mode", "unchecked-hash", str(stage)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stdout.replace(f"{stage}/", "").strip() or done.stderr.strip())
    return {p.relative_to(stage).as_posix(): p for p in stage.rglob("*") if p.is_file()}
