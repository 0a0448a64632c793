"""Requests go where boto3 would send them, in the name of whoever it would."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from scripted_http import Caller, ScriptedHttp

from sendmill.provider.ses import prepare_send
from sendmill.store.hot_calls import prepare_read
from sendmill.wire import Answer, Endpoint, Loss

HEADERS = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def fresh_session(offline_aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of another test's session, or of this machine's settings."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_ENDPOINT_URL_SESV2", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def endpoint(service: str = "sesv2", *, credentials: Any = None, **client: Any) -> Endpoint:
    session = boto3.session.Session()
    made = session.client(service, config=Config(connect_timeout=2, read_timeout=2), **client)
    prepare = prepare_send if service == "sesv2" else prepare_read
    return Endpoint(made, prepare, credentials=credentials or session.get_credentials(), lanes=2)


def refuse_tunnels(caller: Caller) -> None:
    caller.read()
    caller.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")


@pytest.mark.parametrize(
    ("service", "region", "setting", "host"),
    [
        ("sesv2", "us-east-1", {}, "email.us-east-1.amazonaws.com:443"),
        ("sesv2", "us-gov-west-1", {}, "email.us-gov-west-1.amazonaws.com:443"),
        (
            "sesv2",
            "us-gov-west-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "email-fips.us-gov-west-1.amazonaws.com:443",
        ),
        ("dynamodb", "eu-central-1", {}, "dynamodb.eu-central-1.amazonaws.com:443"),
        ("dynamodb", "cn-north-1", {}, "dynamodb.cn-north-1.amazonaws.com.cn:443"),
        (
            "dynamodb",
            "us-west-2",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "dynamodb-fips.us-west-2.amazonaws.com:443",
        ),
        (
            "dynamodb",
            "us-west-2",
            {"AWS_ACCOUNT_ID": "123456789012"},
            "123456789012.ddb.us-west-2.amazonaws.com:443",
        ),
        (
            "sesv2",
            "us-east-1",
            {"AWS_ENDPOINT_URL_SESV2": "https://ses.internal:8443"},
            "ses.internal:8443",
        ),
        ("dynamodb", "us-east-1", {"AWS_ENDPOINT_URL": "https://all.internal"}, "all.internal:443"),
    ],
)
def test_the_server_is_the_one_that_boto3_would_call(
    service: str, region: str, setting: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is asked for a way to it, and hears its name."""
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    with ScriptedHttp(refuse_tunnels) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pa%40ss@127.0.0.1:{proxy.port}")
        (found,) = endpoint(service, region_name=region).post_all([b"{}"], headers=HEADERS)
        assert isinstance(found, Loss)
        assert not found.request_was_sent
        asked = proxy.requests[0].decode()
        assert asked.startswith(f"CONNECT {host} HTTP/1.1\r\n")
        assert "\r\nProxy-Authorization: Basic dXNlcjpwYUBzcw==" in asked


def test_a_server_that_needs_no_proxy_is_called_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedHttp() as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        found = endpoint(endpoint_url=f"http://127.0.0.1:{server.port}")
        assert isinstance(found.post_all([b"{}"], headers=HEADERS)[0], Answer)


def test_a_proxy_for_plain_http_is_told_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedHttp() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        found = endpoint(endpoint_url="http://emulator.internal:4566")
        assert isinstance(found.post_all([b"{}"], headers=HEADERS)[0], Answer)
        url = b"http://emulator.internal:4566/v2/email/outbound-emails"
        assert proxy.requests[0].startswith(b"POST " + url + b" HTTP/1.1\r\n")
        assert b"\r\nhost: emulator.internal:4566\r\n" in proxy.requests[0]


def parsed(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("service", ["sesv2", "dynamodb"])
@pytest.mark.parametrize("prefix", ["", "/some/prefix"])
def test_what_arrives_bears_the_signature_that_botocore_gives_it(
    service: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token/+==")
    with ScriptedHttp() as server:
        url = f"http://localhost:{server.port}{prefix}"
        monkeypatch.setenv("NO_PROXY", "localhost")
        asked = endpoint(service, endpoint_url=url, region_name="us-gov-east-1")
        bodies = [b'{"n": 1}', '{"n": "\u2709"}'.encode()]
        assert all(isinstance(one, Answer) for one in asked.post_all(bodies, headers=HEADERS))
    for raw in server.requests:
        first, headers, body = parsed(raw)
        path = first.split(" ")[1]
        place = "/v2/email/outbound-emails" if service == "sesv2" else ("" if prefix else "/")
        assert path.rstrip("/") == (prefix + place).rstrip("/")
        assert headers["content-length"] == str(len(body))
        assert headers["x-amz-security-token"] == "token/+=="
        sent = {name: headers[name] for name in ("content-type", "x-amz-security-token")}
        again = AWSRequest(
            method="POST", url=f"http://localhost:{server.port}{path}", headers=sent, data=body
        )
        moment = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        name = "ses" if service == "sesv2" else "dynamodb"
        with mock.patch(
            "botocore.auth.get_current_datetime", return_value=moment.replace(tzinfo=datetime.UTC)
        ):
            credentials = Credentials("testing", "testing", "token/+==")
            SigV4Auth(credentials, name, "us-gov-east-1").add_auth(again)
        assert headers["authorization"] == again.headers["Authorization"]


class Rotating:
    """Credentials that are others at every look."""

    def __init__(self) -> None:
        self.numbers = itertools.count()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        number = next(self.numbers)
        return ReadOnlyCredentials(f"AKID{number}", "secret", f"token{number}")


def test_keys_that_were_rotated_are_used_from_the_next_call_on() -> None:
    with ScriptedHttp() as server:
        found = endpoint(endpoint_url=f"http://127.0.0.1:{server.port}", credentials=Rotating())
        for number in range(3):
            found.post_all([b"{}"], headers=HEADERS)
            _, headers, _ = parsed(server.requests[-1])
            assert f"Credential=AKID{number}/" in headers["authorization"]
            assert headers["x-amz-security-token"] == f"token{number}"


def test_without_keys_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with ScriptedHttp() as server:
        found = endpoint(endpoint_url=f"http://127.0.0.1:{server.port}")
        with pytest.raises(NoCredentialsError):
            found.post_all([b"{}"], headers=HEADERS)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "late")
        assert server.connections == 0


def test_a_client_of_its_own_still_works_after_it_was_asked_where() -> None:
    """The hook that stops the client before it sends is taken off again."""

    def tables(caller: Caller) -> None:
        while caller.read():
            caller.answer(b'{"TableNames": ["a"]}')

    with ScriptedHttp(tables) as server:
        session = boto3.session.Session()
        client = session.client("dynamodb", endpoint_url=f"http://127.0.0.1:{server.port}")
        hot = Endpoint(client, prepare_read, credentials=session.get_credentials(), lanes=1)
        hot.post_all([b"{}"], headers=HEADERS)
        assert client.list_tables()["TableNames"] == ["a"]
        assert len(server.requests) == 2


def test_the_authority_of_the_environment_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    from sendmill.wire import endpoint as module
    from smtp_certificate import make_certificates

    made = make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.chain, made.key)
    module._tls_context.cache_clear()
    with ScriptedHttp(tls=context) as server:
        monkeypatch.setenv("NO_PROXY", "localhost")
        url = f"https://localhost:{server.port}"
        (found,) = endpoint(endpoint_url=url).post_all([b"{}"], headers=HEADERS)
        assert isinstance(found, Loss)
        module._tls_context.cache_clear()
        monkeypatch.setenv("AWS_CA_BUNDLE", str(made.authority))
        (found,) = endpoint(endpoint_url=url).post_all([b"{}"], headers=HEADERS)
        assert isinstance(found, Answer)
    module._tls_context.cache_clear()
