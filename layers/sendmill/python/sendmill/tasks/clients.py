"""Make boto3 clients, one for each service and set of settings, for the whole process.

Those that ``FIPS_ENDPOINTS`` lists go to their FIPS endpoints, as in :mod:`sendmill.aws`.
"""

from __future__ import annotations

import os
import threading
from typing import Any

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def client(
    service: str,
    region: str = "",
    *,
    connect_timeout: float = 2,
    read_timeout: float = 5,
    attempts: int = 3,
) -> Any:
    """Return the process's client of a service; threads share it, a fork makes its own."""
    endpoint = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get(
        "AWS_ENDPOINT_URL", ""
    )
    timing = (connect_timeout, read_timeout, attempts)
    key = (os.getpid(), service, region, endpoint, timing)
    found = _clients.get(key)
    if found is None:
        with _lock:  # boto3.client is not safe to call in two threads at a time
            found = _clients.get(key) or _make(service, region, *timing)
            _clients[key] = found
    return found


def forget_clients() -> None:
    """Have clients made anew: for tests that change credentials or endpoints."""
    _clients.clear()


def _make(
    service: str, region: str, connect_timeout: float, read_timeout: float, attempts: int
) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=32,
    )
    if service in os.environ.get("FIPS_ENDPOINTS", "").split(","):
        config = config.merge(Config(use_fips_endpoint=True))
    make: Any = boto3.client
    return make(service, region_name=region or None, config=config)
