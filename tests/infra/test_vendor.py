"""Other people's scripts come by their hashes, whatever a registry answers."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import vendor

LOCK = Path(__file__).resolve().parents[2] / "scripts/requirements/web.json"


def archive(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("package/a.mjs")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


ARCHIVE = archive('import{h}from"preact";\n//# sourceMappingURL=a.mjs.map\n')


@pytest.fixture
def registry() -> Iterator[str]:
    """A server that gives the same archive for every package."""

    class Give(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.end_headers()
            self.wfile.write(ARCHIVE)

        def log_message(self, *words: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Give)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def package(registry: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a lock says of it."""
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry)
    digest = base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()
    return {
        "name": "a",
        "version": "1.0.0",
        "integrity": f"sha512-{digest}",
        "into": "there",
        "files": {"a.mjs": "a.js"},
    }


def test_a_package_is_unpacked_and_its_bare_names_become_files(
    package: dict[str, Any], tmp_path: Path
) -> None:
    vendor.place(package, tmp_path)
    assert (tmp_path / "there/a.js").read_text() == 'import{h}from"./preact.js";\n'


def test_a_package_that_is_not_the_locked_one_is_refused(
    package: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(vendor.VendorError, match="must have the hash sha512-AAAA"):
        vendor.place(package | {"integrity": "sha512-AAAA"}, tmp_path)
    assert not (tmp_path / "there").exists()


def test_every_package_of_the_lock_has_a_hash_and_a_reason() -> None:
    for one in json.loads(LOCK.read_text())["packages"]:
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"])
        assert one["why"]
        assert "://" not in json.dumps(one)
