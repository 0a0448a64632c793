"""Get tokens: a person by a browser (code and PKCE), a program by its credentials.

A browser comes back to ``http://localhost:8976/``, so that address must be in ``console_urls`` of
the environment. The code travels over loopback and is worth nothing without the verifier.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import time
import urllib.parse
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

from sendmill.cli.failure import NotPermitted, NotReachable, WrongUse
from sendmill.cli.http import HttpAnswer, fetch

PORT = 8976
_PATIENCE_SECONDS = 180
_DONE = b"<!doctype html><title>Sendmill</title><p>Signed in. You can close this window.</p>"


def settings_of(api_url: str) -> dict[str, str]:
    """Return how an environment signs people in, as its console reads it."""
    try:
        text, _ = fetch(f"{api_url.rstrip('/')}/app/config.json")
    except HttpAnswer as answer:
        raise WrongUse(f"{api_url} is no Sendmill: it answers {answer.status}") from None
    try:
        return dict(json.loads(text).get("oidc", {}))
    except ValueError as error:
        raise WrongUse(f"{api_url} is no Sendmill: its settings are no JSON") from error


def as_program(endpoint: str, *, client_id: str, secret: str, scope: str = "") -> dict[str, Any]:
    """Return the tokens of a client's credentials; raises NotPermitted."""
    if not endpoint or not client_id:
        raise WrongUse("a program needs SENDMILL_CLIENT_ID and SENDMILL_TOKEN_ENDPOINT as well")
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    asked = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    return _tokens(endpoint, asked, {"Authorization": f"Basic {pair}"})


def renewed(endpoint: str, *, client_id: str, refresh_token: str) -> dict[str, Any]:
    """Return fresh tokens of somebody who signed in before; raises NotPermitted."""
    asked = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": refresh_token}
    return _tokens(endpoint, asked, {})


def as_person(
    oidc: Mapping[str, str],
    *,
    tell: Callable[[str], object],
    browse: Callable[[str], object] = webbrowser.open,
    port: int = PORT,
) -> dict[str, Any]:
    """Return the tokens of whoever signs in with a browser; raises NotPermitted."""
    if not oidc.get("authorization_endpoint") or not oidc.get("client_id"):
        raise WrongUse("this environment signs nobody in by browser; use a client's credentials")
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    digest = hashlib.sha256(verifier.encode()).digest()
    back = f"http://localhost:{port}/"
    query = {
        "response_type": "code",
        "client_id": oidc["client_id"],
        "redirect_uri": back,
        "scope": oidc.get("scope", "openid"),
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    url = f"{oidc['authorization_endpoint']}?{urllib.parse.urlencode(query)}"
    # listening first: whoever reads the address may be back at once
    with _listener(port) as waiting:
        tell(f"Sign in here: {url}")
        browse(url)
        answer = waiting.wait()
    if not secrets.compare_digest(answer.get("state", ""), state):
        raise NotPermitted("the answer does not belong to this sign-in (its state differs)")
    if "code" not in answer:
        raise NotPermitted(f"not signed in: {answer.get('error_description') or answer}")
    asked = {
        "grant_type": "authorization_code",
        "client_id": oidc["client_id"],
        "code": answer["code"],
        "redirect_uri": back,
        "code_verifier": verifier,
    }
    return _tokens(oidc["token_endpoint"], asked, {})


def _tokens(endpoint: str, asked: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    try:
        text, _ = fetch(
            endpoint,
            method="POST",
            data=urllib.parse.urlencode(asked).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
        )
    except HttpAnswer as answer:
        said = answer.problem.get("error") or answer.problem.get("detail") or answer.status
        raise NotPermitted(f"no token was given: {said}") from None
    found = json.loads(text)
    made: dict[str, Any] = {
        "access_token": found["access_token"],
        "expires_at": time.time() + float(found.get("expires_in", 900)),
    }
    return made | ({"refresh_token": found["refresh_token"]} if "refresh_token" in found else {})


class _listener(http.server.HTTPServer):  # noqa: N801  used as a context alone
    """Wait on loopback for the browser to come back."""

    def __init__(self, port: int) -> None:
        self.answer: dict[str, str] = {}
        try:
            super().__init__(("127.0.0.1", port), _Back)
        except OSError as error:
            raise NotReachable(f"port {port} is taken: {error}") from error

    def wait(self) -> dict[str, str]:
        """Return what the browser brought; raises NotPermitted when it does not come."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self.answer and time.monotonic() < end:
            self.timeout = max(0.1, end - time.monotonic())
            self.handle_request()
        if not self.answer:
            raise NotPermitted(f"nobody signed in within {_PATIENCE_SECONDS} s")
        return self.answer


class _Back(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if "state" in found and isinstance(self.server, _listener):
            self.server.answer = found
        self.send_response(200 if "state" in found else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_DONE if "code" in found else b"")

    def log_message(self, *_: object) -> None:
        """Write nothing: the address holds the code."""
