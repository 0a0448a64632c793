"""Answer the links that mails carry: the only routes that ask for no token of a user.

Opening a link shows a page with a button and does nothing; posting to it acts, whatever the body
(RFC 8058 allows two encodings of ``List-Unsubscribe=One-Click``; the address says everything).
Nothing of a person is shown or logged, nothing is set, nobody is sent elsewhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response

from request import Answer
from sendmill.errors import RetryableError
from sendmill.observe import logger
from sendmill.roles import Role
from sendmill.unsubscribe import Leave, Unsubscriber
from table import RouteTable

_LINK = "/u/<campaign_id>/<rid>/<token>"
_STYLE = (
    "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}"
    "button{font:inherit;padding:.75rem 1.5rem;color:#fff;background:#005ea2;border:0;"
    "border-radius:.25rem}"
    "button:focus{outline:.25rem solid #2491ff;outline-offset:.25rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<style>{_STYLE.replace('{', '{{').replace('}', '}}')}</style></head>"
    "<body><main><h1>{title}</h1>{body}</main></body></html>\n"
)
_FORM = (
    '<p>Press the button to receive no more of these e-mails.</p><form method="post">'
    '<input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">Unsubscribe</button></form>'
)
# Not "you are unsubscribed": nobody could know the address again.
_ERASED = "<p>Your address was erased here on request and is no longer known.</p>"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def add_unsubscribe_routes(table: RouteTable, unsubscriber: Unsubscriber) -> None:
    """Add the routes of the links in mails."""

    @table.get(_LINK, role=Role.ANONYMOUS, listed=False)
    @paged
    def ask(campaign_id: str, rid: str, token: str) -> Answer:
        # the same for every link: a scanner learns nothing, and changes nothing
        return page(200, "Unsubscribe", _FORM)

    @table.head(_LINK, role=Role.ANONYMOUS, listed=False)
    @paged
    def probe(campaign_id: str, rid: str, token: str) -> Answer:
        return page(200, "", "")

    @table.post(_LINK, role=Role.ANONYMOUS, listed=False)
    @paged
    def leave(campaign_id: str, rid: str, token: str) -> Answer:
        found = unsubscriber.leave(campaign_id, rid, token)
        if found is Leave.REFUSED:
            logger.info("unsubscribe_refused")
            return page(
                404,
                "This link is not valid",
                "<p>Nothing was changed. Please use the link of the e-mail as it stands there.</p>",
            )
        if found is Leave.ERASED:
            logger.info("unsubscribe_of_erased", campaign_id=campaign_id, recipient_id=rid)
            return page(200, "You are on no list", _ERASED)
        logger.info("unsubscribed", campaign_id=campaign_id, recipient_id=rid)
        return page(200, "You are unsubscribed", "<p>You will receive no more e-mails.</p>")


def paged(route: Callable[..., Answer]) -> Callable[..., Answer]:
    """Wrap a route so that a failure behind it is a page too, which asks to come again."""

    @functools.wraps(route)
    def answer(*args: Any, **kwargs: Any) -> Answer:
        try:
            return route(*args, **kwargs)
        except RetryableError as error:
            logger.exception("request_failed", reason=str(error))
            later = "<p>You are not unsubscribed yet. Please try again in a minute.</p>"
            return page(503, "Something went wrong", later, {"Retry-After": "60"})

    return answer


def page(status: int, title: str, body: str, headers: dict[str, str] | None = None) -> Answer:
    """Return a page; ``title`` and ``body`` are our own HTML, never anything of a request."""
    said: dict[str, Any] = {**_HEADERS, **(headers or {})}
    text = _PAGE.format(title=title, body=body) if title else ""
    return Response(status, content_type="text/html; charset=utf-8", body=text, headers=said)
