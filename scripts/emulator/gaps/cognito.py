"""Tokens of the user pool: what a person is after a renewal."""

from __future__ import annotations

from importlib import import_module
from typing import Any

cognito: Any = import_module("ministack.services.cognito")


def close() -> None:
    """Name a person's groups in every token that is made for a name.

    Missing upstream: the tokens that a refresh token gives have no `cognito:groups`, where those
    of AWS have; whoever renewed a token would have lost every role.
    """
    make = cognito._fake_token

    def make_with_groups(
        sub: str,
        pool_id: str,
        client_id: str,
        kind: str = "access",
        username: str = "",
        **more: Any,
    ) -> Any:
        if more.get("groups") is None and username and kind != "refresh":
            pool = cognito._get_pool_unscoped(pool_id) or {}
            more["groups"] = pool.get("_users", {}).get(username, {}).get("_groups", [])
        return make(sub, pool_id, client_id, kind, username, **more)

    cognito._fake_token = make_with_groups
