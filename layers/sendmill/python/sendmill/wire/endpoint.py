"""Post to one operation of an AWS service, at the very place where boto3 would.

Where that is depends on region, partition, FIPS, ``AWS_ENDPOINT_URL`` and more, and boto3 knows
it all. So a boto3 client is asked once: it prepares a request and is stopped before it sends it.
URL and signing scope are taken from there, credentials from the session that refreshes them.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from sendmill.wire.answer import Answer, Loss
from sendmill.wire.exchange import Wire
from sendmill.wire.line import Proxy, Server
from sendmill.wire.signature import Keys, Scope, signed_headers

_PORTS = {"http": 80, "https": 443}
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request,")


class Frozen(Protocol):
    """Credentials as they are now."""

    @property
    def access_key(self) -> str | None:
        """Return the public half."""

    @property
    def secret_key(self) -> str | None:
        """Return the secret half."""

    @property
    def token(self) -> str | None:
        """Return what goes with keys that expire."""


class Credentials(Protocol):
    """Credentials that refresh themselves, as a botocore session holds them."""

    def get_frozen_credentials(self) -> Frozen:
        """Return what holds now."""


class Endpoint:
    """Post bodies to one URL of one service, side by side.

    ``prepare`` calls on the client the operation that is meant, with arguments that pass its
    checks. Time-outs are those of the client's own config.
    """

    def __init__(
        self,
        client: Any,
        prepare: Callable[[Any], object],
        *,
        credentials: Credentials | None,
        lanes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._prepare = prepare
        self._credentials = credentials
        self._lanes = lanes
        self._clock = clock
        self._target: _Target | None = None

    def find(self) -> Endpoint:
        """Find out now where the service is, so that the first call need not; return itself.

        Without credentials the first call will say so.
        """
        with contextlib.suppress(BotoCoreError):
            self._keys()
            self._target = self._find_target()
        return self

    def post_all(
        self, bodies: Iterable[bytes], *, headers: Mapping[str, str]
    ) -> list[Answer | Loss]:
        """Post each body once; return what came of it, in their order.

        ``headers`` have names in lower case, and are signed. Raises BotoCoreError, before
        anything is sent, when there are no credentials.
        """
        keys = self._keys()
        if self._target is None:
            self._target = self._find_target()
        target = self._target
        return target.wire.exchange(
            target.request(body, headers, keys, self._clock()) for body in bodies
        )

    def _keys(self) -> Keys:
        frozen = self._credentials.get_frozen_credentials() if self._credentials else None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise NoCredentialsError
        return Keys(
            access_key=frozen.access_key, secret_key=frozen.secret_key, token=frozen.token or ""
        )

    def _find_target(self) -> _Target:
        url, authorization = _prepared(self._client, self._prepare)
        config = self._client.meta.config
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        proxy = _proxy_for(url)
        wire = Wire(
            Server(
                host=host,
                port=port,
                tls=_tls_context() if parts.scheme == "https" else None,
                proxy=proxy,
            ),
            lanes=self._lanes,
            connect_seconds=config.connect_timeout,
            read_seconds=config.read_timeout,
        )
        named = _SCOPE.search(authorization)
        if not named:
            raise ValueError(f"{parts.hostname} must be signed for with Signature Version 4")
        scope = Scope(region=named[1], service=named[2])
        return _Target(wire, url, scope, through_proxy=bool(proxy) and parts.scheme == "http")


class _Target:
    """Write requests to one URL."""

    def __init__(self, wire: Wire, url: str, scope: Scope, *, through_proxy: bool) -> None:
        parts = urlsplit(url)
        self.wire = wire
        self._scope = scope
        self._path = parts.path or "/"
        default = parts.port in (None, _PORTS[parts.scheme])
        self._host = (parts.hostname or "") if default else parts.netloc.rpartition("@")[2]
        # an HTTP proxy wants the whole URL where a server wants the path
        asked = url if through_proxy else self._path
        self._start = f"POST {asked} HTTP/1.1\r\n"

    def request(self, body: bytes, headers: Mapping[str, str], keys: Keys, now: float) -> bytes:
        """Return a whole request, signed."""
        signed = signed_headers(
            method="POST",
            path=self._path,
            headers={**headers, "host": self._host},
            body=body,
            keys=keys,
            scope=self._scope,
            now=now,
        )
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        head = f"{self._start}{lines}content-length: {len(body)}\r\nuser-agent: sendmill\r\n\r\n"
        return head.encode("latin-1") + body


class _Stopped(Exception):
    """Carry a prepared request out of a client before it is sent."""

    def __init__(self, url: str, authorization: str) -> None:
        super().__init__(url)
        self.url = url
        self.authorization = authorization


def _prepared(client: Any, prepare: Callable[[Any], object]) -> tuple[str, str]:
    def stop(request: Any, **_: object) -> None:
        said = request.headers["Authorization"]
        raise _Stopped(request.url, said.decode() if isinstance(said, bytes) else said)

    client.meta.events.register_first("before-send", stop)
    try:
        prepare(client)
    except _Stopped as stopped:
        return stopped.url, stopped.authorization
    finally:
        client.meta.events.unregister("before-send", stop)
    raise RuntimeError("the client did not prepare a request")


def _proxy_for(url: str) -> Proxy | None:
    found = get_environ_proxies(url).get(urlsplit(url).scheme)
    if not found:
        return None
    parts = urlsplit(found if "//" in found else f"http://{found}")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host=parts.hostname or "", port=parts.port or 80, authorization=authorization)


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Return the one context of the process; it trusts what boto3 would trust."""
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=bundle or get_cert_path(True))
