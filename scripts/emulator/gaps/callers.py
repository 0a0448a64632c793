"""Which function makes a call: the emulator gives all of them the same credentials."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from calls import TOKEN, Recorder

app: Any = import_module("ministack.app")
s3: Any = import_module("ministack.services.s3")
lambda_svc: Any = import_module("ministack.services.lambda_svc")
lambda_runtime: Any = import_module("ministack.core.lambda_runtime")


def close(recorder: Recorder) -> None:
    """Name each function in its session token, and keep the calls that carry one.

    Missing upstream: without AUTH every function has the account's own key and no token, where
    AWS gives each a session of its role. With AUTH they have, but then a permission that is
    missing shows as a fault somewhere, and one that is not needed shows nowhere.
    """
    original, handle = lambda_runtime.execution_credentials, app._handle_post_body_shortcuts

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        return {**original(config), "AWS_SESSION_TOKEN": f"{TOKEN}{config['FunctionName']}"}

    async def handle_and_note(
        method: str, path: str, headers: Any, body: bytes, query: Any, *more: Any
    ) -> Any:
        if TOKEN in headers.get("x-amz-security-token", ""):
            recorder.note(method, f"{path}?{urlencode(query, doseq=True)}", headers, body)
        return await handle(method, path, headers, body, query, *more)

    resolve = s3.resolve_credential

    def resolve_ours(key: str, account: str, token: Any = None, *more: Any, **named: Any) -> Any:
        # a link that a function signed carries its token too, which nobody issued
        known = "" if isinstance(token, str) and token.startswith(TOKEN) else token
        return resolve(key, account, known, *more, **named)

    s3.resolve_credential = resolve_ours
    app._handle_post_body_shortcuts = handle_and_note
    lambda_runtime.execution_credentials = credentials
    lambda_svc.execution_credentials = credentials
