"""The `/_standin/` side: what tests and the demo ask and set. Loopback only, no credentials.

GET    /_standin/                   the mailbox page
GET    /_standin/health             {"status": "running"}
GET    /_standin/messages           ?to=&tag.<name>=&since=&limit=&bodies=1   index entries
GET    /_standin/messages/{id}      the mail, message/rfc822
GET    /_standin/messages/{id}/html its HTML part (or text), for the page's sandboxed frame
DELETE /_standin/messages           forget mails, counts and events under way
GET    /_standin/stats              counts, calls held open, events
PUT    /_standin/faults             rules (see `rules`);  GET shows them;  DELETE ends them
PUT    /_standin/account            SendQuota, SendingEnabled, EnforcementStatus, EnforceRate,
                                    EnforceDailyQuota, ProductionAccessEnabled, VerifySecret
PUT    /_standin/events             loss, duplicate, delay_seconds, shuffle, off, seed
"""

from __future__ import annotations

import re
from typing import Any

from standin import page
from standin.errors import BadRequest, NotFound
from standin.mailbox import Delivered
from standin.mime import read_bodies
from standin.publisher import EventFaults
from standin.state import State
from standin.wire import Request, Response

MESSAGE_PATH = re.compile(r"/_standin/messages/([0-9a-f-]{36,80})(/html)?")
NO_CONTENT = Response(status=204)


class Control:
    """Answer control requests from the shared state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._routes = {
            ("GET", "/_standin"): self._page,
            ("GET", "/_standin/health"): lambda _: Response.of_json({"status": "running"}),
            ("GET", "/_standin/messages"): self._messages,
            ("DELETE", "/_standin/messages"): self._forget,
            ("GET", "/_standin/stats"): self._stats,
            ("GET", "/_standin/faults"): self._show_faults,
            ("PUT", "/_standin/faults"): self._set_faults,
            ("DELETE", "/_standin/faults"): self._end_faults,
            ("PUT", "/_standin/account"): self._set_account,
            ("PUT", "/_standin/events"): self._set_events,
        }

    def handle(self, request: Request) -> Response:
        """Answer, or raise BadRequest or NotFound with the reason."""
        match = MESSAGE_PATH.fullmatch(request.path)
        if match and request.method == "GET":
            return self._message(match[1], as_page=bool(match[2]))
        route = self._routes.get((request.method, request.path.rstrip("/")))
        if route is None:
            raise NotFound(f"No such control call (got {request.method} {request.path}).")
        try:
            return route(request)
        except (ValueError, TypeError, re.error) as error:
            raise BadRequest(str(error)) from error

    def _page(self, _: Request) -> Response:
        mailbox = self._state.mailbox
        html = page.mailbox_page(mailbox.newest(page.SHOWN), total=len(mailbox))
        return page.html_response(html)

    def _messages(self, request: Request) -> Response:
        query = {name: values[-1] for name, values in request.query().items()}
        mails = list(
            self._state.mailbox.select(
                to=query.get("to", ""),
                tags={n[4:]: v for n, v in query.items() if n.startswith("tag.")},
                since=float(query.get("since") or 0),
            )
        )
        shown = mails[: int(query.get("limit") or len(mails))]
        with_bodies = query.get("bodies") == "1"
        found = [self._describe(mail, with_bodies=with_bodies) for mail in shown]
        return Response.of_json({"count": len(mails), "messages": found})

    def _describe(self, mail: Delivered, *, with_bodies: bool) -> dict[str, Any]:
        if not with_bodies:
            return mail.describe()
        text, html = read_bodies(self._state.mailbox.raw(mail.message_id))
        return {**mail.describe(), "text": text, "html": html}

    def _message(self, message_id: str, *, as_page: bool) -> Response:
        if self._state.mailbox.get(message_id) is None:
            raise NotFound(f"No mail with this id (got {message_id}).")
        raw = self._state.mailbox.raw(message_id)
        if as_page:
            return page.body_response(*read_bodies(raw))
        return Response(body=raw, content_type="message/rfc822")

    def _forget(self, _: Request) -> Response:
        self._state.reset()
        return NO_CONTENT

    def _stats(self, _: Request) -> Response:
        state = self._state
        return Response.of_json(
            {
                **state.stats.describe(),
                "held": [held.describe() for held in state.held],
                "events": state.publisher.describe(),
            }
        )

    def _show_faults(self, _: Request) -> Response:
        return Response.of_json({"rules": [rule.describe() for rule in self._state.faults.rules]})

    def _set_faults(self, request: Request) -> Response:
        self._state.faults.replace(request.json())
        return self._show_faults(request)

    def _end_faults(self, _: Request) -> Response:
        self._state.faults.rules = []
        return NO_CONTENT

    def _set_account(self, request: Request) -> Response:
        settings = dict(request.json())
        secret = settings.pop("VerifySecret", self._state.verify_secret)
        self._state.configure_accounts(settings)
        self._state.verify_secret = secret or None
        self._state.upstream.cache.clear()
        return NO_CONTENT

    def _set_events(self, request: Request) -> Response:
        self._state.publisher.configure(EventFaults.parse(request.json()))
        return NO_CONTENT
