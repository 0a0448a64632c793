"""Serve the console from the sources at 127.0.0.1, in front of the API of the environment `local`.

Purpose:     make console: edit a file, reload the page
Parameters:  --port N (default 4580)
Environment: EMULATOR_PORT
Sign in with a user of the environment (make admin). Until the next deploy the pool lets a sign-in
come back here too. Loopback only.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions/api"))
from console import Console, Sent  # type: ignore[import-not-found]  # noqa: E402

from stack import Stack  # noqa: E402

WEB = ROOT / "functions/api/web"
PASSED_ON = ("Authorization", "Content-Type", "Accept", "Idempotency-Key")


class Handler(BaseHTTPRequestHandler):
    """Answer the console's files from the sources, and everything else from the API."""

    protocol_version = "HTTP/1.1"
    api_url = ""
    settings: dict[str, object]
    connect: tuple[str, ...] = ()

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        console = Console(folder=WEB, config=self.settings, connect=self.connect)
        if path == "/":
            self._send(console.page())
        elif path == "/app/config.json":
            self._send(console.settings())
        elif path.startswith("/app/"):
            self._send(console.file(path.removeprefix("/app/")))
        else:
            self._pass_on()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say what failed, and nothing else."""

    def _send(self, sent: Sent) -> None:
        self._answer(sent.status, sent.content_type, sent.headers, sent.body)

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = urllib.request.Request(  # noqa: S310  loopback, from Terraform's output
            self.api_url + self.path,
            data=self.rfile.read(length) if length else None,
            method=self.command,
            headers={name: self.headers[name] for name in PASSED_ON if self.headers[name]},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                self._answer(answer.status, answer.headers["Content-Type"], {}, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                kind = error.headers["Content-Type"] or "text/plain"
                self._answer(error.code, kind, {}, error.read())

    def _answer(self, status: int, kind: str, headers: dict[str, str], body: bytes) -> None:
        self.send_response(HTTPStatus(status))
        for name, value in {**headers, "Content-Type": kind, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  names of the base class


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4580)
    port = parser.parse_args().port
    stack = Stack.local()
    Handler.api_url = stack.outputs["api_url"].rstrip("/")
    with urllib.request.urlopen(f"{Handler.api_url}/app/config.json", timeout=60) as answer:  # noqa: S310
        Handler.settings = json.load(answer)
    Handler.connect = (f"http://127.0.0.1:{stack.port}",)
    let_back(stack, f"http://127.0.0.1:{port}/")
    print(f"The console is at http://127.0.0.1:{port}/ (Ctrl-C ends it)", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def let_back(stack: Stack, url: str) -> None:
    """Let sign-ins come back to an address, besides those that Terraform knows."""
    cognito = stack.client("cognito-idp")
    who = {
        "UserPoolId": stack.outputs["user_pool_id"],
        "ClientId": stack.outputs["user_pool_client_id"],
    }
    client = cognito.describe_user_pool_client(**who)["UserPoolClient"]
    kept = [
        "ClientName",
        "ExplicitAuthFlows",
        "AllowedOAuthFlows",
        "AllowedOAuthScopes",
        "AllowedOAuthFlowsUserPoolClient",
        "SupportedIdentityProviders",
        "AccessTokenValidity",
        "IdTokenValidity",
        "RefreshTokenValidity",
        "TokenValidityUnits",
    ]
    cognito.update_user_pool_client(
        **who,
        **{name: client[name] for name in kept if name in client},
        CallbackURLs=sorted({*client.get("CallbackURLs", []), url}),
        LogoutURLs=sorted({*client.get("LogoutURLs", []), url}),
    )


if __name__ == "__main__":
    main()
