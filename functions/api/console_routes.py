"""Serve the console: the page at ``/``, its files below ``/app/``, what it has to know.

Anybody may load it, signed in or not: it holds nothing but itself, and asks the API with the token
of whoever signs in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response
from console import Console, Sent

from sendmill.roles import Role
from table import RouteTable

_WEB = Path(__file__).parent / "web"
_FILE = "/app/.+"


def add_console_routes(
    table: RouteTable, *, environment: str, sign_in: str, upload_url: Callable[[], str]
) -> None:
    """Add the routes; ``sign_in`` is JSON, the endpoints and the client of the OIDC issuer.

    ``upload_url`` returns an address at the place that files are uploaded to.
    """

    @cache
    def console() -> Console:
        # read when it is first asked for: no other request needs the files
        oidc = json.loads(sign_in or "{}")
        config = {"environment": environment, "oidc": oidc, "api": "/v1"}
        found = Console(folder=_WEB, config=config, connect=origins(oidc, upload_url()))
        return Console(
            folder=_WEB, config={**config, "version": found.version[:8]}, connect=found.connect
        )

    def header(name: str) -> str:
        headers = table.router.current_event.headers or {}
        return next((str(said) for key, said in headers.items() if key.lower() == name), "")

    @table.get("/", role=Role.ANONYMOUS, listed=False)
    def show_console() -> Response[Any]:
        return answer(
            console().page(accepts=header("accept-encoding"), known=header("if-none-match"))
        )

    @table.get(_FILE, role=Role.ANONYMOUS, listed=False)
    def show_file() -> Response[Any]:
        path = table.router.current_event.path.partition("/app/")[2]
        if path == "config.json":
            return answer(console().settings())
        return answer(console().file(path, accepts=header("accept-encoding")))


def answer(sent: Sent) -> Response[Any]:
    """Return what is sent as an answer of the API; compressed bodies travel as bytes."""
    body = sent.body if "Content-Encoding" in sent.headers else sent.body.decode()
    return Response(sent.status, content_type=sent.content_type, body=body, headers=sent.headers)


def origins(oidc: dict[str, str], upload_url: str) -> tuple[str, ...]:
    """Return the origins that the page must reach besides its own."""
    found = (urlsplit(url) for url in (oidc.get("token_endpoint", ""), upload_url) if url)
    return tuple(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in found))
