"""Hold the console's files as they are sent: types, hashes, compressed bytes, what a page may do.

Files stand below ``/app/<version>/``, where the version is a hash of all of them, so a browser may
keep them for ever and never mixes two deployments. The page itself is asked for every time, and
answered with 304 while it is the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
# Compressing less than a packet's worth saves nothing.
_WORTH_COMPRESSING = 1400
# Nothing but our own scripts and styles, nothing inline, nobody's frame. The one frame it may show
# is the preview, which is a page of ours with a policy of its own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
# Around a mail that somebody wrote: an origin of its own, which reaches nothing. A mail may bring
# styles, and pictures inside itself.
_PREVIEW_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
_PREVIEW = "preview.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is sent for one address."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Console:
    """Answer for the console's files below ``folder``.

    ``config`` is what the page is told of its environment; ``connect`` are the origins that it may
    talk to besides its own: where tokens are given, and where files are uploaded.
    """

    folder: Path
    config: Mapping[str, Any]
    connect: tuple[str, ...] = ()

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return every file by its path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.suffix in _TYPES
        }

    @cached_property
    def version(self) -> str:
        """Return a hash of all files."""
        digest = hashlib.sha256()
        for name, data in self.files.items():
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()[:16]

    @cached_property
    def _compressed(self) -> dict[str, bytes]:
        return {}

    def page(self, *, accepts: str = "", known: str = "") -> Sent:
        """Return the page that is the console; ``known`` is the request's ``If-None-Match``."""
        body = self.files["index.html"].replace(b"{version}", self.version.encode())
        connect = "".join(f" {origin}" for origin in self.connect)
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {
            "Cache-Control": "no-cache",
            "ETag": tag,
            "Content-Security-Policy": _POLICY.format(connect=connect),
        }
        if tag in known:
            return Sent(status=304, headers=headers)
        return self._packed("index.html", body, headers, accepts)

    def file(self, path: str, *, accepts: str = "") -> Sent:
        """Return the file at ``<version>/<name>``; 404 for any other version than this one."""
        version, _, name = path.partition("/")
        body = self.files.get(name)
        if version != self.version or body is None:
            return Sent(status=404, body=b"There is no such file.\n")
        headers = {"Cache-Control": _FOR_EVER}
        if name == _PREVIEW:
            headers["Content-Security-Policy"] = _PREVIEW_POLICY
            headers["X-Frame-Options"] = "SAMEORIGIN"
        # the preview has an origin of its own, for which our files are another's
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return self._packed(name, body, headers, accepts)

    def settings(self) -> Sent:
        """Return what the page has to know of its environment."""
        body = json.dumps(self.config, ensure_ascii=False).encode()
        headers = {"Cache-Control": "no-store"}
        return Sent(status=200, body=body, content_type="application/json", headers=headers)

    def _packed(self, name: str, body: bytes, headers: dict[str, Any], accepts: str) -> Sent:
        headers["Vary"] = "Accept-Encoding"
        kind = _TYPES[Path(name).suffix]
        if "gzip" in accepts and len(body) >= _WORTH_COMPRESSING:
            headers["Content-Encoding"] = "gzip"
            if name not in self._compressed:
                self._compressed[name] = gzip.compress(body, mtime=0)
            body = self._compressed[name]
        return Sent(status=200, body=body, content_type=kind, headers=headers)
