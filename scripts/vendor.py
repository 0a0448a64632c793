"""Fetch the console's libraries from npm by the hashes of scripts/requirements/web.json.

Purpose:     make build, make console, the browser tests
Parameters:  none
Environment: NPM_CONFIG_REGISTRY  where to ask; default: what npm is configured with
Exit code:   1 when a package cannot be had or is not the locked one
Does nothing, quickly, while the files lie there as they were written. Nothing of a package is run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "scripts/requirements/web.json"
PATIENCE_SECONDS = 60
# Browsers have no bare names: `from"preact"` becomes the file beside.
_BARE = re.compile(r"""(from\s*)(["'])preact\2""")


class VendorError(Exception):
    """A package could not be fetched, or is not the one that is locked."""


def main() -> int:
    """Put every locked file in its place; return the exit code."""
    try:
        for package in json.loads(LOCK.read_text())["packages"]:
            place(package)
    except VendorError as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 1
    return 0


def place(package: dict[str, Any], root: Path = ROOT) -> None:
    """Write a package's files unless they lie there already; raises VendorError."""
    stamp = root / "build/vendor" / f"{package['name']}.stamp"
    folder = root / package["into"]
    wanted = json.dumps(package, sort_keys=True)
    files = [folder / name for name in package["files"].values()]
    if stamp.is_file() and stamp.read_text() == wanted and all(file.is_file() for file in files):
        return
    print(f"vendor: fetching {package['name']} {package['version']}", file=sys.stderr)
    archive = checked(package, fetched(package["name"], package["version"]))
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for inside, name in package["files"].items():
            (folder / name).write_bytes(_member(tar, f"package/{inside}"))
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)


def checked(package: dict[str, Any], archive: bytes) -> bytes:
    """Return the archive if it is the locked one; raises VendorError."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != package["integrity"]:
        name = f"{package['name']} {package['version']}"
        raise VendorError(f"{name} must have the hash {package['integrity']} (got {found})")
    return archive


def fetched(name: str, version: str) -> bytes:
    """Return a package's archive: straight from the registry, else by npm; raises VendorError."""
    failure = "npm is not installed, and NPM_CONFIG_REGISTRY is not set"
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or _registry_of_npm()
    if registry:
        url = f"{registry.rstrip('/')}/{name}/-/{name.rsplit('/', 1)[-1]}-{version}.tgz"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except (OSError, urllib.error.URLError) as error:
            failure = f"the npm registry did not give it ({error})"
    # npm knows settings that Python does not: a token, a certificate, a proxy of its own
    if shutil.which("npm") and (packed := _packed_by_npm(name, version)):
        return packed
    raise VendorError(
        f"{name} {version} could not be fetched: {failure}. Install npm 10 or newer, or set "
        "NPM_CONFIG_REGISTRY to a registry that holds it."
    )


def _registry_of_npm() -> str:
    if not shutil.which("npm"):
        return ""
    command = ["npm", "config", "get", "registry"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _packed_by_npm(name: str, version: str) -> bytes | None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        return archives[0].read_bytes() if done.returncode == 0 and archives else None


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        found = tar.extractfile(name)
    except KeyError as error:
        raise VendorError(f"the package has no file {name}") from error
    data = found.read() if found else b""
    if name.endswith(("js",)) and b"sourceMappingURL" in data:
        data = re.sub(rb"\n?//# sourceMappingURL=\S+\s*$", b"\n", data)
    return _BARE.sub(r"\1\2./preact.js\2", data.decode()).encode()


if __name__ == "__main__":
    sys.exit(main())
