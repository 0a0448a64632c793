"""Ask over HTTP: one request, with patience for what passes and nothing that is done twice."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from sendmill.cli.failure import Failure, NotReachable, WrongUse, of_status
from sendmill.tasks.uuid7 import new_id

_TIMEOUT = 60.0
_UPLOAD_SECONDS = 3600
_TRIES = 4
_PASSING = (429, 500, 502, 503, 504)
Sleep = Callable[[float], object]


class Api:
    """Call the routes of one environment; ``token`` returns an access token, anew if asked to."""

    def __init__(
        self, url: str, token: Callable[[bool], str], *, sleep: Sleep = time.sleep
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._sleep = sleep

    def get(self, path: str, **query: Any) -> Any:
        """Return what a route answers; raises Failure."""
        return self._call("GET", path + _query(query))

    def post(self, path: str, body: object = None, **query: Any) -> Any:
        """Have something done, once: the key lets an answer that was lost be asked for again."""
        return self._call("POST", path + _query(query), body, key=new_id())

    def put(self, path: str, body: object) -> Any:
        """Replace something."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Change something."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Remove something."""
        return self._call("DELETE", path)

    def send_csv(self, path: str, data: bytes, **query: Any) -> Any:
        """Send a small file as the body."""
        return self._call("POST", path + _query(query), data, key=new_id(), kind="text/csv")

    def pages(self, path: str, limit: int = 0, **query: Any) -> dict[str, Any]:
        """Return the items of all pages, or of as many as hold ``limit`` items."""
        items: list[Any] = []
        cursor = ""
        while True:
            wanted = min(1000, limit - len(items)) if limit else 1000
            page = self.get(path, limit=wanted, cursor=cursor, **query)
            items += page["items"]
            cursor = page.get("cursor", "")
            if not cursor or (limit and len(items) >= limit):
                return {**page, "items": items, "cursor": cursor}

    def texts(self, path: str, **query: Any) -> Iterator[str]:
        """Yield the pieces of a file that comes in pieces."""
        cursor = ""
        while True:
            text, headers = self._answer("GET", path + _query({**query, "cursor": cursor}))
            yield text
            cursor = headers.get("x-next-cursor", "")
            if not cursor:
                return

    def _call(
        self, method: str, path: str, body: object = None, *, key: str = "", kind: str = ""
    ) -> Any:
        text, headers = self._answer(method, path, body, key=key, kind=kind)
        if "json" not in headers.get("content-type", ""):
            return text
        return json.loads(text) if text else None

    def _answer(
        self, method: str, path: str, body: object = None, *, key: str = "", kind: str = ""
    ) -> tuple[str, Mapping[str, str]]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": kind or "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        renewed = False
        for left in reversed(range(_TRIES)):
            headers["Authorization"] = f"Bearer {self._token(renewed)}"
            try:
                return fetch(self._url + path, method=method, data=data, headers=headers)
            except HttpAnswer as answer:
                if answer.status == 401 and not renewed:
                    renewed = True
                    continue
                if answer.status not in _PASSING or not left:
                    raise of_status(answer.status, answer.problem) from None
            except NotReachable:
                if not left:
                    raise
            self._sleep(0.25 * 2 ** (_TRIES - left))
        raise NotReachable(f"{method} {path} was not answered")


class HttpAnswer(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.problem = problem


def fetch(
    url: str,
    *,
    method: str = "GET",
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[str, Mapping[str, str]]:
    """Return the text and the headers of an answer; raises HttpAnswer or NotReachable."""
    request = _request(url, method, data, headers or {})
    try:
        with _opener.open(request, timeout=_TIMEOUT) as answer:
            raw = answer.read()
            return raw.decode("utf-8", "replace"), _lowered(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            raise HttpAnswer(error.code, _problem(error.read())) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotReachable(f"{urllib.parse.urlsplit(url).netloc}: {reason}") from error


def upload(url: str, file: BinaryIO, size: int, headers: Mapping[str, str]) -> None:
    """Send a file to where the API said; raises Failure."""
    request = _request(url, "PUT", file, {**headers, "Content-Length": str(size)})
    try:
        with _opener.open(request, timeout=_UPLOAD_SECONDS):
            return
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode("utf-8", "replace")[:300]
        raise Failure(f"the upload was refused: {error.code} {said}") from None
    except OSError as error:
        raise NotReachable(f"the upload broke off: {error}") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow nobody: the standard library would hand the token on to wherever it is sent."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _request(
    url: str, method: str, data: bytes | BinaryIO | None, headers: Mapping[str, str]
) -> urllib.request.Request:
    found = urllib.parse.urlsplit(url)
    near = found.hostname in ("127.0.0.1", "::1") or (found.hostname or "").endswith("localhost")
    if found.scheme != "https" and not (found.scheme == "http" and near):
        raise WrongUse(f"an address begins with https:// unless it is this machine (got {url!r})")
    # a body given later would take its length away again
    body: Any = data
    return urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310


def _query(found: Mapping[str, Any]) -> str:
    wanted = {name: value for name, value in found.items() if value not in (None, "")}
    return f"?{urllib.parse.urlencode(wanted)}" if wanted else ""


def _problem(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {"detail": raw.decode("utf-8", "replace")[:300]}
    return found if isinstance(found, dict) else {"detail": str(found)}


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
