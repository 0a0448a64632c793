"""Read who is calling, and where, from an AWS Signature Version 4 header; check it on request.

The emulator takes any secret, so a hand-written signer that is wrong would pass unnoticed.
`matches` recomputes the signature for a known secret and is switched on by the tests that care.
Source: "Create a signed AWS API request" in the AWS IAM user guide.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from standin.errors import AccessDenied
from standin.wire import Request

HEADER = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)"
    r"/(?P<service>[a-z0-9-]+)/aws4_request, *SignedHeaders=(?P<signed>[a-z0-9;-]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The credential scope of a request, its signed header names and its signature."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_caller(request: Request) -> Caller:
    """Parse the Authorization header. Raise AccessDenied when it is missing or malformed."""
    header = request.headers.get("authorization", "")
    if not header:
        raise AccessDenied(
            "Missing Authentication Token", kind="MissingAuthenticationTokenException"
        )
    match = HEADER.fullmatch(header)
    if match is None:
        raise AccessDenied(
            "Authorization header must be AWS4-HMAC-SHA256 with Credential, SignedHeaders, "
            "Signature",
            kind="IncompleteSignatureException",
        )
    return Caller(
        access_key=match["key"],
        date=match["date"],
        region=match["region"],
        service=match["service"],
        signed_headers=tuple(match["signed"].split(";")),
        signature=match["signature"],
    )


def matches(request: Request, caller: Caller, secret: str) -> bool:
    """Tell whether the signature is the one `secret` gives for this request."""
    canonical = _canonical_request(request, caller.signed_headers)
    scope = f"{caller.date}/{caller.region}/{caller.service}/aws4_request"
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            request.headers.get("x-amz-date", ""),
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    key = _signing_key(secret, caller.date, caller.region, caller.service)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, caller.signature)


def _canonical_request(request: Request, signed: tuple[str, ...]) -> str:
    parts = urlsplit(request.target)
    pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    headers = "".join(f"{n}:{' '.join(request.headers.get(n, '').split())}\n" for n in signed)
    return "\n".join(
        (
            request.method,
            quote(parts.path, safe="/-_.~"),  # every service but S3 encodes the path twice
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
