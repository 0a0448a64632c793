"""A request is signed as botocore signs it."""

from __future__ import annotations

import datetime
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmill.wire.signature import Keys, Scope, signed_headers

NOW = 1_790_000_000.0
PLAIN = Keys(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
EXPIRING = Keys(access_key="ASIAEXAMPLE", secret_key="s/+=", token="IQoJb3JpZ2lu//+==" * 20)
SES = Scope(region="us-gov-west-1", service="ses")
TABLES = Scope(region="cn-north-1", service="dynamodb")


def botocore_says(
    host: str, path: str, headers: dict[str, str], body: bytes, keys: Keys, scope: Scope, now: float
) -> tuple[str, str]:
    """Return Authorization and X-Amz-Date as botocore's signer sets them."""
    request = AWSRequest(method="POST", url=f"https://{host}{path}", headers=headers, data=body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token or None)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(credentials, scope.service, scope.region).add_auth(request)
    return request.headers["Authorization"], request.headers["X-Amz-Date"]


def ours(
    host: str, path: str, headers: dict[str, str], body: bytes, keys: Keys, scope: Scope, now: float
) -> tuple[str, str]:
    found = signed_headers(
        method="POST",
        path=path,
        headers={**headers, "host": host},
        body=body,
        keys=keys,
        scope=scope,
        now=now,
    )
    return found["authorization"], found["x-amz-date"]


REQUESTS = [
    ("email.us-gov-west-1.amazonaws.com", "/v2/email/outbound-emails", {}, b"{}"),
    ("email.us-gov-west-1.amazonaws.com", "/", {"content-type": "application/json"}, b""),
    (
        "dynamodb.cn-north-1.amazonaws.com.cn",
        "/",
        {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"},
        '{"a": "J\u00fcrgen \u2709 \U0001f600"}'.encode(),
    ),
    ("127.0.0.1:4566", "/v2/email/outbound-emails", {}, bytes(range(256)) * 40),
    ("localhost:4566", "/pre fix/v2", {"x-spaces": "  a   b  c "}, b"a\r\nb\0c"),
    ("localhost", "/a%20b/~user/caf\u00e9", {"x-empty": ""}, b"%"),
    ("localhost", "/a+b=c,d;e:f@g!h$i'j(k)l*m", {"x-a": "1", "x-b-": "2", "x-ab": "3"}, b"\xff"),
    ("localhost", "", {}, b"x" * 100_000),
]


@pytest.mark.parametrize("keys", [PLAIN, EXPIRING], ids=["plain", "expiring"])
@pytest.mark.parametrize("scope", [SES, TABLES], ids=["ses", "dynamodb"])
@pytest.mark.parametrize(("host", "path", "headers", "body"), REQUESTS)
def test_a_request_is_signed_as_botocore_signs_it(
    host: str, path: str, headers: dict[str, str], body: bytes, keys: Keys, scope: Scope
) -> None:
    asked = (host, path, headers, body, keys, scope, NOW)
    assert ours(*asked) == botocore_says(*asked)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126)),
    now=st.integers(0, 4_000_000_000),
)
def test_whatever_is_signed_is_signed_as_botocore_does(
    body: bytes, value: str, secret: str, token: str, now: int
) -> None:
    keys = Keys(access_key="AKID", secret_key=secret, token=token)
    asked = ("localhost:1", "/v2/email", {"x-value": value}, body, keys, SES, float(now))
    assert ours(*asked) == botocore_says(*asked)


def test_the_key_of_a_day_is_not_used_on_the_next() -> None:
    midnight = 1_790_035_200.0
    for now in (midnight - 1, midnight, midnight - 1):
        asked = ("localhost", "/", {}, b"", PLAIN, SES, now)
        assert ours(*asked) == botocore_says(*asked)


def test_keys_do_not_show_their_secret() -> None:
    assert "s/+=" not in repr(EXPIRING)
    assert "IQoJ" not in repr(EXPIRING)
