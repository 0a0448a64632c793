"""What the stand-in asks of the emulator behind it: identities, configuration sets, accounts.

Positive answers are kept for five seconds, one question a key is under way at a time.
Everything here blocks; the server calls it in threads.
"""

from __future__ import annotations

import http.client
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from standin.wire import Request, Response

log = logging.getLogger("upstream")

CACHE_SECONDS = 5.0
SECRET = "test"  # noqa: S105 - the emulator takes any
DEFAULT_ACCOUNT = "000000000000"
ACCOUNT_ID = re.compile(r"\d{12}")
CONFIG = Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 3})
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The account and region a call is made in."""

    account: str
    region: str


class Cache:
    """Remember answers for a while; None is not an answer and is asked for again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Any, tuple[float, Any]] = {}
        self._locks: dict[Any, threading.Lock] = {}

    def peek(self, key: Any) -> Any | None:
        """Return the answer if it is fresh, without asking."""
        until, value = self._kept.get(key, (0.0, None))
        return value if until > self._clock() else None

    def ask(self, key: Any, question: Callable[[], T | None], seconds: float) -> T | None:
        """Return the fresh answer, or put the question and keep what it returns."""
        with self._locks.setdefault(key, threading.Lock()):
            value: T | None = self.peek(key)
            if value is None:
                value = question()
                if value is not None:
                    self._kept[key] = (self._clock() + seconds, value)
            return value

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()


class Upstream:
    """The emulator, through its own API, as the root user of each account."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cache = Cache()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, scope: Scope) -> Any:
        """Return a boto3 client that acts in the scope; the access key names the account."""
        key = (service, scope.account, scope.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._connect(service, scope.region, scope.account)
            return self._clients[key]

    def account_of(self, access_key: str) -> str:
        """Return the account of an access key: itself, or what STS knows, or the default one."""
        if ACCOUNT_ID.fullmatch(access_key):
            return access_key

        def ask_sts() -> str:
            sts = self._connect("sts", "us-east-1", DEFAULT_ACCOUNT)
            try:
                return str(sts.get_access_key_info(AccessKeyId=access_key)["Account"])
            except (ClientError, ParamValidationError):  # a made-up key, such as 'test'
                return DEFAULT_ACCOUNT

        return self.cache.ask(("account", access_key), ask_sts, 3600) or DEFAULT_ACCOUNT

    def is_verified(self, scope: Scope, address: str) -> bool:
        """Tell whether the address, or its domain, is an identity that may send."""
        domain = address.rpartition("@")[2]
        names = dict.fromkeys((domain, domain.lower(), address, address.lower()))

        def ask() -> bool | None:
            return any(self._identity_may_send(scope, name) for name in names) or None

        return bool(self.cache.ask(("verified", scope, address), ask, CACHE_SECONDS))

    def configuration_set(self, scope: Scope, name: str) -> dict[str, Any] | None:
        """Return a configuration set as GetConfigurationSet shows it, or None."""
        return self.cache.ask(
            ("set", scope, name),
            lambda: self._get(scope, "get_configuration_set", ConfigurationSetName=name),
            CACHE_SECONDS,
        )

    def topics(self, scope: Scope, name: str) -> list[tuple[str, frozenset[str]]]:
        """Return (topic ARN, event types) of each enabled SNS destination of a set."""

        def ask() -> list[tuple[str, frozenset[str]]] | None:
            answer = self._get(
                scope, "get_configuration_set_event_destinations", ConfigurationSetName=name
            )
            return [
                (d["SnsDestination"]["TopicArn"], frozenset(d["MatchingEventTypes"]))
                for d in (answer or {}).get("EventDestinations", [])
                if d.get("Enabled") and d.get("SnsDestination")
            ]

        return self.cache.ask(("topics", scope, name), ask, CACHE_SECONDS) or []

    def forward(self, request: Request) -> Response:
        """Pass a request on unchanged and return the answer."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        try:
            headers = {n: v for n, v in request.headers.items() if n not in HOP_BY_HOP}
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            message = f"emulator at {self.url} does not answer ({error})"
            return Response.of_json({"message": message}, status=502)
        finally:
            connection.close()
        return Response(
            status=answer.status,
            body=body,
            content_type=answer.getheader("Content-Type") or "application/json",
            headers={
                n: v
                for n, v in answer.getheaders()
                if n.lower() not in HOP_BY_HOP | {"content-type"}
            },
        )

    def _connect(self, service: str, region: str, access_key: str) -> Any:
        session: Any = boto3.session.Session()
        return session.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=access_key,
            aws_secret_access_key=SECRET,
            config=CONFIG,
        )

    def _identity_may_send(self, scope: Scope, name: str) -> bool:
        identity = self._get(scope, "get_email_identity", EmailIdentity=name)
        return identity is not None and bool(identity.get("VerifiedForSendingStatus", True))

    def _get(self, scope: Scope, operation: str, **arguments: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = getattr(self.client("sesv2", scope), operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return None
            raise
        return answer
