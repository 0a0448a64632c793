"""A token says who asks and in which role; one that is meant for something else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sendmill.errors import NotAllowed, NotSignedIn
from sendmill.roles import Caller, Role, caller_of

CLAIMS = {"sub": "u1", "token_use": "access", "exp": "1795436100"}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"cognito:groups": "[editor]"}, Role.EDITOR),
        ({"cognito:groups": "[viewer admin editor]"}, Role.ADMIN),
        ({"cognito:groups": ["sender", "others"]}, Role.SENDER),
        ({"cognito:groups": '["sender","others"]'}, Role.SENDER),
        ({"cognito:groups": "editors administrators"}, Role.ANONYMOUS),
        ({"cognito:groups": "[anonymous]"}, Role.ANONYMOUS),
        ({"scope": "openid sendmill/sender email"}, Role.SENDER),
        ({"scope": "sender other/admin"}, Role.ANONYMOUS),
        ({"scope": "sendmill/viewer", "cognito:groups": "[editor]"}, Role.EDITOR),
        ({"cognito:groups": None, "scope": 7}, Role.ANONYMOUS),
        ({}, Role.ANONYMOUS),
    ],
)
def test_the_role_is_the_highest_that_groups_and_scopes_name(
    claims: dict[str, Any], role: Role
) -> None:
    assert caller_of({**CLAIMS, **claims}).role is role


def test_groups_may_stand_in_another_claim() -> None:
    claims = {**CLAIMS, "cognito:groups": "[admin]", "roles": ["viewer"]}
    assert caller_of(claims, groups_claim="roles").role is Role.VIEWER


def test_who_asks_is_told_whole() -> None:
    found = caller_of({**CLAIMS, "email": "a@example.com", "cognito:groups": "[sender viewer]"})
    assert found == Caller(
        subject="u1",
        email="a@example.com",
        role=Role.SENDER,
        roles=("viewer", "sender"),
        expires_at=1795436100,
    )


@pytest.mark.parametrize(
    "claims", [{"token_use": "id"}, {"token_use": "refresh"}, {"sub": ""}, {"sub": None}]
)
def test_a_token_for_something_else_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        caller_of({**CLAIMS, "cognito:groups": "[admin]", **claims})


@pytest.mark.parametrize("expires", ["soon", None, "1e400", [1]])
def test_an_expiry_that_is_none_is_0(expires: object) -> None:
    assert caller_of({**CLAIMS, "exp": expires}).expires_at == 0


def test_each_role_may_do_what_those_below_it_may() -> None:
    for role in Role:
        for least in Role:
            caller = Caller(subject="u1", role=role)
            if role >= least:
                caller.permit(least)
            else:
                with pytest.raises(NotAllowed, match=f"needs the role {least.title}"):
                    caller.permit(least)
