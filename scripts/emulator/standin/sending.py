"""SendEmail: the gates a mail passes, and what is left behind when it has.

The gates stand in the order of the real service: signature, the faults a test asked for, account
status, identity, configuration set, rate. What passes is kept first and answered afterwards, so
that a caller who is killed in between leaves an accepted mail behind.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from standin import rules, sigv4
from standin.errors import (
    AccessDenied,
    BadRequest,
    MessageRejected,
    NotFound,
    SendingPaused,
    ServiceFailure,
    SesError,
)
from standin.events import EICAR, SIMULATOR, events_for
from standin.mailbox import Delivered, now
from standin.mime import build_mime
from standin.quota import Account
from standin.request import Submission, parse_send_email
from standin.state import Held, State
from standin.upstream import ACCOUNT_ID, Scope
from standin.wire import Connection, Request, Response


class Sending:
    """Take SendEmail calls; all state is in `state`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def send(self, request: Request, connection: Connection) -> Response | None:
        """Take one mail. None: no answer was given, on purpose. Raise SesError for a refusal."""
        stats = self._state.stats
        stats.begin()
        try:
            return await self._submit(request, connection)
        except SesError as error:
            stats.rejected[error.kind] += 1
            raise
        finally:
            stats.end()

    async def _submit(self, request: Request, connection: Connection) -> Response | None:
        scope = await self.scope(request)
        await self._authorise(request)
        submission = parse_send_email(_json(request))
        latency, rule = self._state.faults.decide(submission)
        if latency:
            await asyncio.sleep(latency)
        if rule and rule.action in rules.REFUSALS:
            raise rules.refusal(rule, submission, scope.region)
        if rule and rule.action in rules.SILENCES:
            self._state.stats.silent[rule.action] += 1
            await self._keep_silent(rule, connection, submission, message_id=None)
            return None
        await self._admit(scope, submission)
        mail = self._accept(scope, submission)
        if rule and rule.action == "accept_then_error":
            raise ServiceFailure(rule.message or "We encountered an internal error.")
        if rule:
            self._state.stats.silent[rule.action] += 1
            await self._keep_silent(rule, connection, submission, message_id=mail.message_id)
            return None
        return Response.of_json({"MessageId": mail.message_id})

    async def scope(self, request: Request) -> Scope:
        """Return account and region of the caller, the signature checked where a test asks."""
        caller = sigv4.parse_caller(request)
        secret = self._state.verify_secret
        if secret and not sigv4.matches(request, caller, secret):
            raise AccessDenied(
                "The request signature we calculated does not match the signature you provided.",
                kind="SignatureDoesNotMatch",
            )
        upstream = self._state.upstream
        account = caller.access_key
        if not ACCOUNT_ID.fullmatch(account):
            account = await asyncio.to_thread(upstream.account_of, account)
        return Scope(account=account, region=caller.region)

    async def _authorise(self, request: Request) -> None:
        """Ask the emulator whether the caller's role may send, by making the very call there.

        Only it can check a role's signature and policies. Its own mailbox is of no concern.
        """
        if not self._state.enforce_iam:
            return
        answer = await asyncio.to_thread(self._state.upstream.forward, request)
        if answer.status == 403:
            kind = answer.headers.get("x-amzn-errortype", "AccessDeniedException")
            raise AccessDenied(json.loads(answer.body).get("message", "Denied."), kind=kind)

    async def _admit(self, scope: Scope, submission: Submission) -> None:
        """Raise what SES answers when this account may not send this mail now."""
        account = self._state.account(scope)
        account.check_status()
        unverified = await self._unverified(scope, account, submission)
        if unverified:
            raise MessageRejected.unverified(unverified, scope.region)
        if submission.configuration_set:
            await self._check_configuration_set(scope, submission.configuration_set)
        account.charge(len(submission.recipients), now())

    async def _unverified(
        self, scope: Scope, account: Account, submission: Submission
    ) -> list[str]:
        addresses = [submission.sender]
        if not account.production_access:  # sandbox: recipients too, but for the simulator
            addresses += [a for a in submission.recipients if not a.lower().endswith(SIMULATOR)]
        upstream = self._state.upstream
        return [
            address
            for address in dict.fromkeys(addresses)
            if not upstream.cache.peek(("verified", scope, address))
            and not await asyncio.to_thread(upstream.is_verified, scope, address)
        ]

    async def _check_configuration_set(self, scope: Scope, name: str) -> None:
        upstream = self._state.upstream
        found = upstream.cache.peek(("set", scope, name)) or await asyncio.to_thread(
            upstream.configuration_set, scope, name
        )
        if found is None:
            raise NotFound(f"Configuration set <{name}> does not exist.")
        if not (found.get("SendingOptions") or {}).get("SendingEnabled", True):
            raise SendingPaused(f"Sending paused for configuration set <{name}>.")

    def _accept(self, scope: Scope, submission: Submission) -> Delivered:
        """Keep the mail, count it and hand its events to the publisher. No await inside."""
        accepted_at = now()
        message_id = f"0100{int(accepted_at * 1000):012x}-{uuid.uuid4()}-000000"
        mime = build_mime(submission, message_id=message_id, region=scope.region, now=accepted_at)
        mail = Delivered(
            message_id=message_id,
            account=scope.account,
            region=scope.region,
            accepted_at=accepted_at,
            envelope=submission.envelope(),
            mime_headers=mime.headers,
            subject=mime.subject,
            size=len(mime.data),
        )
        self._state.mailbox.keep(mail, mime)
        self._state.stats.accepted += 1
        self._state.stats.per_recipient.update(a.lower() for a in submission.recipients)
        if submission.configuration_set:
            suppressed = set(self._state.account(scope).suppressed)
            events = events_for(mail, suppressed=suppressed, virus=EICAR in mime.data)
            self._state.publisher.put(scope, submission.configuration_set, events)
        return mail

    async def _keep_silent(
        self,
        rule: rules.Rule,
        connection: Connection,
        submission: Submission,
        *,
        message_id: str | None,
    ) -> None:
        """Withhold the answer: cut at once, or after the rule's seconds, or when the peer goes."""
        if not rule.action.endswith("drop"):
            held = Held(
                action=rule.action,
                message_id=message_id,
                recipients=submission.recipients,
                peer_port=connection.peer_port,
                own_port=connection.own_port,
                since=now(),
            )
            self._state.held.append(held)
            try:
                await connection.wait_closed_by_peer(rule.seconds)
            finally:
                self._state.held.remove(held)
        connection.abort()


def _json(request: Request) -> Any:
    try:
        return request.json()
    except ValueError as error:
        raise BadRequest("Request body must be JSON.", kind="SerializationException") from error
