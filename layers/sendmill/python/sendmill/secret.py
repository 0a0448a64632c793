"""Read secrets from Secrets Manager, and keep each for a few minutes.

A warm function goes on with what it read when Secrets Manager is away; a rotated value is seen
after CACHE_SECONDS. No value is ever logged or put into an error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import InvalidSettings, SecretRefused, SecretUnavailable
from sendmill.unsubscribe import Keyring, keyring_from

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 300.0
# No such secret or one without a value, no permission to read it, one that is being deleted.
_REFUSED = {"ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Say where an SMTP server is and how to sign in; the password is kept out of ``repr``.

    ``tls`` is ``starttls`` (default), ``implicit`` or ``none``; ``ca_certificate`` is PEM text
    for servers whose certificate the system does not know.
    """

    host: str
    port: int
    username: str
    password: str
    tls: str = "starttls"
    ca_certificate: str = ""

    def __repr__(self) -> str:
        return f"SmtpServer(host={self.host!r}, port={self.port}, tls={self.tls!r})"


class SecretStore:
    """Read JSON secrets by name."""

    def __init__(
        self,
        client: SecretsManagerClient,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def read(self, name: str) -> Mapping[str, Any]:
        """Return a secret's JSON object; raises SecretUnavailable or InvalidSettings."""
        cached = self._cache.get(name)
        now = self._monotonic()
        if cached and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        try:
            value = _object(name, self._fetch(name))
        except SecretUnavailable:
            if cached:
                return cached[1]
            raise
        self._cache[name] = (now, value)
        return value

    def forget(self, name: str) -> None:
        """Read a secret anew next time: its value was refused by whom it is for."""
        self._cache.pop(name, None)

    def hash_key(self, name: str) -> bytes:
        """Return the key of recipients' ids: the one that never rotates.

        The secret is ``{"hash": "..."}``; raises InvalidSettings when it lacks it.
        """
        value = self.read(name).get("hash")
        if not isinstance(value, str) or len(value) < 32:
            raise InvalidSettings(f"secret {name} must hold 'hash' of at least 32 characters")
        return value.encode()

    def keyring(self, name: str) -> Keyring:
        """Return the keys that sign unsubscribe links; raises InvalidSettings."""
        return keyring_from(self.read(name), name=name)

    def smtp_server(self, name: str) -> SmtpServer:
        """Return the SMTP server that a secret describes; raises InvalidSettings.

        Keys: host, port (587), username, password, tls, ca_certificate; each may carry the
        prefix ``smtp_``, as in ``smtp_password``.
        """
        raw = self.read(name)
        value = {key.lower().removeprefix("smtp_"): found for key, found in raw.items()}
        missing = [key for key in ("host", "username", "password") if not value.get(key)]
        if missing:
            raise InvalidSettings(f"secret {name} lacks {', '.join(missing)}")
        tls = str(value.get("tls") or "starttls").lower()
        if tls not in ("starttls", "implicit", "none"):
            raise InvalidSettings(f"secret {name}: tls must be starttls, implicit or none")
        port = str(value.get("port") or 587)
        if not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise InvalidSettings(f"secret {name}: port must be 1 to 65535")
        return SmtpServer(
            host=str(value["host"]),
            port=int(port),
            username=str(value["username"]),
            password=str(value["password"]),
            tls=tls,
            ca_certificate=str(value.get("ca_certificate") or ""),
        )

    def _fetch(self, name: str) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            kind = SecretRefused if code in _REFUSED else SecretUnavailable
            raise kind(f"secret {name}: {code}") from error
        except BotoCoreError as error:
            raise SecretUnavailable(f"secret {name}: {type(error).__name__}") from error
        found: str | None = answer.get("SecretString")
        if found is None:
            raise InvalidSettings(f"secret {name} must be text (got binary)")
        return found


def _object(name: str, raw: str) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidSettings(f"secret {name} must be a JSON object")
    return value
