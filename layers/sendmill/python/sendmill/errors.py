"""Name every way in which Sendmill refuses or fails, split by fate.

::

    SendmillError
    ├── PermanentError          trying again cannot help: record it, drop it, tell somebody
    │   ├── InvalidSettings     the environment of a function lacks something (ValueError)
    │   ├── InvalidMessage      a body on a queue that nobody can act on (ValueError)
    │   ├── InvalidContact      an address or a field that must not be mailed (ValueError)
    │   ├── InvalidContactList  a file of contacts that cannot be read at all (ValueError)
    │   │   └── NotUtf8         a file that is not in the encoding it was taken for
    │   ├── InvalidCampaign     a campaign that must not start (ValueError)
    │   ├── InvalidTemplate     a template, or a template with these fields (ValueError)
    │   ├── UnsafeHeader        a value that would add a header to a mail (ValueError)
    │   ├── IllegalTransition   a change of state that the ledger does not know (ValueError)
    │   ├── NotFound            nothing has this id (LookupError)
    │   ├── NotSignedIn         no token, or one that is meant for something else
    │   ├── NotAllowed          the caller's role is too low
    │   ├── UnsupportedBody     a body of a type that nobody reads here (ValueError)
    │   ├── KeyReused           an idempotency key that stands for another request (ValueError)
    │   └── StateConflict       the thing is there, in a state that forbids this
    │       └── NotReady        checks before a start that say no
    └── RetryableError          the same call may succeed later: fail the record, keep the message
        ├── StoreUnavailable    DynamoDB or S3 refused, throttled or timed out
        ├── QueueUnavailable    SQS did not take a message
        └── SecretUnavailable   Secrets Manager could not be asked
            └── SecretRefused   it has no such secret, or does not show it

Outcomes of a send are no exceptions: see :mod:`sendmill.outcome`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class SendmillError(Exception):
    """Anything that Sendmill itself raises."""


class PermanentError(SendmillError):
    """Trying the same thing again cannot help."""


class RetryableError(SendmillError):
    """The same thing may succeed later."""


class InvalidSettings(PermanentError, ValueError):
    """A function was started without a setting that it needs."""


class InvalidMessage(PermanentError, ValueError):
    """A message on a queue has no shape that can be acted on."""


class InvalidContact(PermanentError, ValueError):
    """A contact has an address or a field that must not be mailed."""


class InvalidContactList(PermanentError, ValueError):
    """A file of contacts cannot be read at all."""


class NotUtf8(InvalidContactList):
    """A file is not in the encoding it was taken for.

    ``last_resort`` tells that nothing but ASCII came before, so that it may be Windows-1252.
    """

    def __init__(self, detail: str, *, last_resort: bool) -> None:
        super().__init__(detail)
        self.last_resort = last_resort


class InvalidCampaign(PermanentError, ValueError):
    """A campaign lacks something, or has something that it must not have."""


class InvalidTemplate(PermanentError, ValueError):
    """A template cannot be compiled, or cannot be rendered with these fields."""


class UnsafeHeader(PermanentError, ValueError):
    """A value would start a header of its own in a mail."""


class IllegalTransition(PermanentError, ValueError):
    """A change of state that is not in the ledger's table was asked for."""


class NotFound(PermanentError, LookupError):
    """Nothing has this id."""


class NotSignedIn(PermanentError):
    """There is no token, or it is meant for something else than asking this API."""


class NotAllowed(PermanentError):
    """The caller has no role that may do this."""


class UnsupportedBody(PermanentError, ValueError):
    """A request has a body of a type that its route does not read."""


class KeyReused(PermanentError, ValueError):
    """An idempotency key was used before, for another request."""


class StateConflict(PermanentError):
    """The thing exists, but its state forbids what was asked."""


class NotReady(StateConflict):
    """A campaign must not be started; ``more`` holds the checks that say so."""

    def __init__(self, detail: str, *, checks: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(detail)
        self.more: dict[str, Any] = {"checks": list(checks)}


class StoreUnavailable(RetryableError):
    """DynamoDB or S3 refused, throttled or timed out after the SDK's own retries."""


class QueueUnavailable(RetryableError):
    """SQS did not take a message after the SDK's own retries."""


class SecretUnavailable(RetryableError):
    """Secrets Manager could not be asked, or holds no such secret yet."""


class SecretRefused(SecretUnavailable):
    """Secrets Manager has no such secret, or does not show it: a person must mend that."""
