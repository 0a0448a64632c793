"""Who may do what: every route, every role, and every token that is no key to this API."""

from __future__ import annotations

import base64
import json
import re
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from integration.harness import ROOT
from stack import ApiError, Stack

pytestmark = pytest.mark.integration

ROLES = ("viewer", "editor", "sender", "admin")
ROUTES: list[str] = json.loads((ROOT / "terraform/modules/api/routes.json").read_text())["signed"]
# The lowest role of each route as people were promised it: written down apart from the code.
LEAST = {
    "viewer": r"GET .*|POST /v1/templates/preview",
    "sender": r"POST /v1/campaigns/\{campaign_id\}/"
    r"(approve|start|schedule|pause|resume|cancel|retry|resolve)|POST /v1/.*/redrive",
    "admin": r"DELETE /v1/(suppressions|contact-lists)/\{\w+\}|POST /v1/dead-letters/purge"
    r"|POST /v1/contacts/erase",
}
PREVIEW_OF_AN_UPLOAD = "GET /v1/contact-lists/imports/{import_id}/preview"


def least(route: str) -> str:
    """Return the lowest role that a route is promised to."""
    if route == PREVIEW_OF_AN_UPLOAD:
        return "editor"
    found = [role for role, pattern in LEAST.items() if re.fullmatch(pattern, route)]
    assert len(found) <= 1, route
    return found[0] if found else "editor"


def program_token(stack: Stack, role: str) -> str:
    """Return what a program of this role gets for its client's credentials."""
    client = stack.client("cognito-idp").describe_user_pool_client(
        UserPoolId=stack.outputs["user_pool_id"],
        ClientId=stack.outputs["program_client_ids"][role],
    )["UserPoolClient"]
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientId"],
        "client_secret": client["ClientSecret"],
    }
    request = urllib.request.Request(
        stack.outputs["token_endpoint"], data=urllib.parse.urlencode(form).encode()
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["access_token"])


@pytest.fixture(scope="module")
def tokens(stack: Stack) -> dict[str, str]:
    """A token of a program of each role, made once."""
    return {role: program_token(stack, role) for role in ROLES}


@pytest.fixture(scope="module")
def status(stack: Stack) -> Callable[[str, str], int]:
    """A function from a route and a token to the status of its answer, for ids that are none."""

    def asked(route: str, token: str) -> int:
        method, path = route.split()
        filled = re.sub(r"\{hash\}", "a" * 26, path)
        filled = re.sub(r"\{\w+\}", "nobody", filled)
        try:
            stack.request(method, filled, token=token)
        except ApiError as error:
            if error.status in (401, 403):
                assert error.problem.get("detail") or error.problem.get("message")
            return error.status
        return 200

    return asked


def matrix(
    status: Callable[[str, str], int], cases: list[tuple[str, str, str]]
) -> Iterator[tuple[str, str, int]]:
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda case: status(case[0], case[2]), cases)
        yield from (
            (route, name, code) for (route, name, _), code in zip(cases, found, strict=True)
        )


def test_every_route_is_for_its_role_and_those_above_it(
    tokens: dict[str, str], status: Callable[[str, str], int]
) -> None:
    cases = [(route, role, tokens[role]) for route in ROUTES for role in ROLES]
    holes = [
        (route, role, code)
        for route, role, code in matrix(status, cases)
        if (code == 403) != (ROLES.index(role) < ROLES.index(least(route))) or code in (401, 500)
    ]
    assert holes == []


def test_no_token_that_is_meant_for_something_else_opens_a_route(
    stack: Stack, status: Callable[[str, str], int]
) -> None:
    user = "matrix@example.com"
    access = Stack(outputs=stack.outputs, port=stack.port)
    access.sign_in(user, role="admin")
    good = access.token
    bad = {
        "none": "",
        "garbage": "not-a-token",
        "tampered": tampered(good),
        "foreign": signed(claims_of(good), rsa.generate_private_key(65537, 2048), header_of(good)),
        "unsigned": unsigned(claims_of(good)),
        "id token": access.id_token,
    }
    key = emulators_key(stack.outputs["user_pool_id"])
    if key is not None:
        late = {**claims_of(good), "exp": int(time.time()) - 60}
        bad["expired"] = signed(late, key, header_of(good))
        other = {**claims_of(good), "client_id": "another-client", "aud": "another-client"}
        bad["other audience"] = signed(other, key, header_of(good))
        # it is the expiry that is refused, and not our signature
        assert status("GET /v1/me", signed(claims_of(good), key, header_of(good))) == 200
    cases = [(route, name, token) for route in ROUTES for name, token in bad.items()]
    assert [found for found in matrix(status, cases) if found[2] != 401] == []


def test_a_person_in_no_group_may_do_nothing(
    stack: Stack, status: Callable[[str, str], int]
) -> None:
    nobody = Stack(outputs=stack.outputs, port=stack.port)
    token = nobody.sign_in("nobody@example.com", role="")
    cases = [(route, "no role", token) for route in ROUTES]
    assert [found for found in matrix(status, cases) if found[2] != 403] == []


def test_a_program_gets_no_more_than_its_scope(stack: Stack) -> None:
    client = stack.client("cognito-idp").describe_user_pool_client(
        UserPoolId=stack.outputs["user_pool_id"],
        ClientId=stack.outputs["program_client_ids"]["viewer"],
    )["UserPoolClient"]
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientId"],
        "client_secret": client["ClientSecret"],
        "scope": "sendmill/admin",
    }
    request = urllib.request.Request(
        stack.outputs["token_endpoint"], data=urllib.parse.urlencode(form).encode()
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    refused.value.close()
    assert refused.value.code == 400
    refused.value.close()


def tampered(token: str) -> str:
    head, _, tail = token.split(".")
    body = json.dumps({**claims_of(token), "cognito:groups": ["admin"], "sub": "somebody"})
    return f"{head}.{encoded(body.encode())}.{tail}"


def unsigned(claims: dict[str, Any]) -> str:
    head = b'{"alg":"none","typ":"JWT"}'
    return f"{encoded(head)}.{encoded(json.dumps(claims).encode())}."


def signed(claims: dict[str, Any], key: rsa.RSAPrivateKey, head: dict[str, Any]) -> str:
    text = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}"
    mark = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{encoded(mark)}"


def emulators_key(pool: str) -> rsa.RSAPrivateKey | None:
    """Return the key with which the emulator signs, to make tokens that it could have made."""
    folder = Path(tempfile.gettempdir()) / "ministack-state/cognito-pool-keys"
    for path in folder.glob(f"{pool}-access.pem"):
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    return None


def claims_of(token: str) -> dict[str, Any]:
    return dict(json.loads(decoded(token.split(".")[1])))


def header_of(token: str) -> dict[str, Any]:
    return dict(json.loads(decoded(token.split(".")[0])))


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
