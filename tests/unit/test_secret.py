"""Secrets are read seldom, outlive an outage, and are never shown."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from fakes import Clock
from sendmill.errors import InvalidSettings, SecretRefused, SecretUnavailable
from sendmill.secret import CACHE_SECONDS, SecretStore, SmtpServer

PASSWORD = "correct horse battery staple"
SMTP = {"host": "smtp.example.com", "username": "sender", "password": PASSWORD}
AWAY = EndpointConnectionError(endpoint_url="https://secretsmanager")


class FakeSecrets:
    def __init__(self, **values: object) -> None:
        self.values = values
        self.error: Exception | None = None
        self.reads = 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        self.reads += 1
        if self.error:
            raise self.error
        if SecretId not in self.values:
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": SecretId}}
            raise ClientError(error, "GetSecretValue")
        value = self.values[SecretId]
        if isinstance(value, bytes):
            return {"SecretBinary": value}
        return {"SecretString": value if isinstance(value, str) else json.dumps(value)}


def store(clock: Clock | None = None, **values: object) -> tuple[SecretStore, FakeSecrets]:
    client = FakeSecrets(**values)
    return SecretStore(client, monotonic=clock or Clock()), client  # type: ignore[arg-type]


def test_a_secret_is_read_once_and_again_after_a_while(clock: Clock) -> None:
    secrets, client = store(clock, mail={"a": "1"})
    for _ in range(5):
        assert secrets.read("mail") == {"a": "1"}
    assert client.reads == 1
    clock.advance(int(CACHE_SECONDS) - 1)
    secrets.read("mail")
    assert client.reads == 1
    clock.advance(1)
    secrets.read("mail")
    assert client.reads == 2


def test_a_rotated_value_is_seen_after_a_while(clock: Clock) -> None:
    secrets, client = store(clock, mail={"a": "1"})
    secrets.read("mail")
    client.values["mail"] = {"a": "2"}
    assert secrets.read("mail") == {"a": "1"}
    clock.advance(int(CACHE_SECONDS))
    assert secrets.read("mail") == {"a": "2"}


def test_a_value_that_was_refused_is_read_anew() -> None:
    secrets, client = store(mail={"a": "1"})
    secrets.read("mail")
    client.values["mail"] = {"a": "2"}
    secrets.forget("mail")
    secrets.forget("never read")
    assert secrets.read("mail") == {"a": "2"}


def test_a_warm_function_outlives_an_outage(clock: Clock) -> None:
    secrets, client = store(clock, mail={"a": "1"})
    secrets.read("mail")
    client.error = AWAY
    clock.advance(int(CACHE_SECONDS) * 10)
    assert secrets.read("mail") == {"a": "1"}
    client.error, client.values["mail"] = None, {"a": "2"}
    assert secrets.read("mail") == {"a": "2"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AWAY, "EndpointConnectionError"),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "x"), "ThrottlingException"),
    ],
)
def test_a_cold_function_says_what_is_away(error: Exception, said: str) -> None:
    secrets, client = store(mail={"a": "1"})
    client.error = error
    with pytest.raises(SecretUnavailable, match=f"secret mail: {said}"):
        secrets.read("mail")


def test_a_secret_that_is_not_there_is_named() -> None:
    secrets, _ = store()
    with pytest.raises(SecretRefused, match="secret mail: ResourceNotFoundException"):
        secrets.read("mail")


@pytest.mark.parametrize("value", [PASSWORD, f'["{PASSWORD}"]', "null", "", b"\x00"])
def test_a_secret_that_is_no_object_is_refused_without_showing_it(value: object) -> None:
    secrets, _ = store(mail=value)
    with pytest.raises(InvalidSettings, match="secret mail must be") as caught:
        secrets.read("mail")
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (SMTP, SmtpServer(host="smtp.example.com", port=587, username="sender", password=PASSWORD)),
        (
            {
                "SMTP_HOST": "h",
                "smtp_port": "2525",
                "smtp_username": "u",
                "smtp_password": "p",
                "smtp_tls": "IMPLICIT",
                "smtp_ca_certificate": "pem",
                "colour": "blue",
            },
            SmtpServer(
                host="h",
                port=2525,
                username="u",
                password="p",
                tls="implicit",
                ca_certificate="pem",
            ),
        ),
    ],
)
def test_a_server_is_read_from_its_secret(raw: dict[str, str], expected: SmtpServer) -> None:
    secrets, _ = store(mail=raw)
    assert secrets.smtp_server("mail") == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "lacks host, username, password"),
        ({**SMTP, "password": ""}, "lacks password"),
        ({**SMTP, "tls": "sometimes"}, "tls must be starttls, implicit or none"),
        ({**SMTP, "port": "smtp"}, "port must be"),
        ({**SMTP, "port": 99_999}, "port must be"),
        ({**SMTP, "port": [1]}, "port must be"),
    ],
)
def test_a_secret_that_is_no_server_says_what_is_wrong(raw: dict[str, Any], said: str) -> None:
    secrets, _ = store(mail=raw)
    with pytest.raises(InvalidSettings, match=f"secret mail.* {said}") as caught:
        secrets.smtp_server("mail")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_no_way_of_showing_a_server_shows_its_password() -> None:
    server = SmtpServer(host="h", port=1, username="u", password=PASSWORD)
    for shown in (repr(server), str(server), f"{server}", f"{[server]}", repr([server])):
        assert PASSWORD not in shown
        assert "h" in shown


def test_the_key_of_ids_is_long_enough() -> None:
    secrets, _ = store(keys={"hash": "k" * 32}, short={"hash": "k" * 31}, none={})
    assert secrets.hash_key("keys") == b"k" * 32
    for name in ("short", "none"):
        with pytest.raises(InvalidSettings, match=f"secret {name} must hold 'hash'") as caught:
            secrets.hash_key(name)
        assert "kkk" not in str(caught.value)
