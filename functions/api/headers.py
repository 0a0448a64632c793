"""Say in every answer what a browser must not do with it."""

from __future__ import annotations

from typing import Any

# For answers that no browser should render; pages bring a policy of their own.
_DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def secured(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with the headers of the OWASP list that it does not set itself."""
    said = answer.get("headers") or {}
    names = {name.lower() for name in said}
    missing = {name: value for name, value in _DEFAULTS.items() if name.lower() not in names}
    return {**answer, "headers": {**said, **missing}}
