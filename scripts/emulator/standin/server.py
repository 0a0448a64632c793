"""The front door: sending, GetAccount and the suppression list here, the rest passed on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid

from calls import Recorder
from standin import suppression
from standin.control import Control
from standin.errors import BadRequest, NotFound, ServiceFailure, SesError
from standin.mailbox import now
from standin.sending import Sending
from standin.state import State
from standin.upstream import Scope
from standin.wire import Connection, Request, Response

log = logging.getLogger("ses")

PREFIX = "/v2/email"
SUPPRESSED_PATH = re.compile(rf"{PREFIX}/suppression/addresses/(.+)")


class Server:
    """Answer requests; all state is in `state`."""

    def __init__(self, state: State, recorder: Recorder | None = None) -> None:
        self._state = state
        self._recorder = recorder
        self._control = Control(state)
        self._sending = Sending(state)

    async def handle(self, request: Request, connection: Connection) -> Response | None:
        """Answer one request. None: the connection was closed without an answer, on purpose."""
        try:
            if self._recorder:
                self._recorder.note(request.method, request.target, request.headers, request.body)
            if request.path.startswith("/_standin"):
                return self._control.handle(request)
            if request.path == f"{PREFIX}/outbound-emails" and request.method == "POST":
                return await self._sending.send(request, connection)
            if request.path.startswith(PREFIX):
                return await self._manage(request)
            return answer_error(NotFound(f"No such path here (got {request.path})."))
        except SesError as error:
            return answer_error(error)
        except Exception:
            log.exception("request_failed %s %s", request.method, request.path)
            return answer_error(ServiceFailure("The stand-in failed: see its log."))

    async def _manage(self, request: Request) -> Response:
        """Answer account and suppression-list calls; pass every other one to the emulator."""
        path, method = request.path.rstrip("/"), request.method
        if path == f"{PREFIX}/account" and method == "GET":
            return await self._describe_account(await self._sending.scope(request), request)
        if not path.startswith(f"{PREFIX}/suppression/addresses"):
            return await asyncio.to_thread(self._state.upstream.forward, request)
        account = self._state.account(await self._sending.scope(request))
        match = SUPPRESSED_PATH.fullmatch(path)
        try:
            if match and method in ("GET", "DELETE"):
                call = suppression.get if method == "GET" else suppression.delete
                return call(account, match[1])
            if method == "PUT" and not match:
                return suppression.put(account, request.json())
            if method == "GET":
                return suppression.list_all(account, request.query())
        except (ValueError, AttributeError) as error:
            raise BadRequest(f"Request is malformed ({error}).") from error
        raise BadRequest(f"No such call (got {method} {path}).")

    async def _describe_account(self, scope: Scope, request: Request) -> Response:
        """GetAccount: the emulator's answer with the limits that are kept here."""
        answer = await asyncio.to_thread(self._state.upstream.forward, request)
        if answer.status != 200:
            return answer
        limits = self._state.account(scope).describe(now())
        return Response.of_json({**json.loads(answer.body), **limits})


def answer_error(error: SesError) -> Response:
    """Return the error as the REST JSON protocol carries it."""
    return Response(
        status=error.status,
        body=json.dumps({"message": error.message}).encode(),
        headers={"x-amzn-ErrorType": error.kind, "x-amzn-RequestId": str(uuid.uuid4())},
    )
