"""Name every way in which a task is refused, not sent, or fails.

::

    SendmillError
    ├── PermanentError
    │   ├── TaskConfigError          a setting is missing or contradicts another (ValueError)
    │   ├── InvalidTaskCall          the arguments do not fit the task's signature (TypeError)
    │   ├── PayloadNotSerializable   an argument that JSON would change (TypeError)
    │   ├── PayloadTooLarge          over SQS's limit, and no bucket is set (ValueError)
    │   ├── DelayTooLong             over SQS's limit, and no Scheduler is set (ValueError)
    │   ├── UnknownTask              nothing is registered under this name (LookupError)
    │   ├── UnknownQueue             no queue of this name is configured (LookupError)
    │   ├── InvalidEnvelope          a message that no worker can act on (ValueError)
    │   │   └── BadSignature         a message whose signature is missing or wrong
    │   └── PermanentFailure         raised by a handler: straight to the dead-letter queue
    ├── EnqueueError                 the message was not sent, or nobody knows
    │   ├── EnqueueRejected          permission, no such queue, invalid (PermanentError)
    │   ├── EnqueueUnreachable       certainly not sent (RetryableError)
    │   └── EnqueueUncertain         maybe sent; ``task_id`` tells which (RetryableError)
    └── RetryableError
        ├── Retry                    raised by a handler: try again after ``delay`` seconds
        ├── TaskTimeout              the task took longer than its ``timeout``
        └── UnknownSigningKey        a message signed by a key that is not here yet (LookupError)

``Skip`` is no error: a handler raises it to say that there is nothing to do.
"""

from __future__ import annotations

from sendmill.errors import PermanentError, RetryableError, SendmillError


class TaskConfigError(PermanentError, ValueError):
    """A setting is missing, or contradicts another."""


class InvalidTaskCall(PermanentError, TypeError):
    """The arguments do not fit the task's signature."""


class PayloadNotSerializable(PermanentError, TypeError):
    """An argument would not come out of JSON as it went in."""


class PayloadTooLarge(PermanentError, ValueError):
    """The message is larger than SQS takes, and no bucket is configured for it."""


class DelayTooLong(PermanentError, ValueError):
    """SQS delays by 15 minutes at most, and no Scheduler role is configured."""


class UnknownTask(PermanentError, LookupError):
    """Nothing is registered under this name."""


class UnknownQueue(PermanentError, LookupError):
    """No queue of this name is configured."""


class InvalidEnvelope(PermanentError, ValueError):
    """A message on a task queue has no shape that can be acted on."""


class BadSignature(InvalidEnvelope):
    """A message is not signed, or its signature by a key that is known here is wrong."""


class EnqueueError(SendmillError):
    """A task was not put on its queue, or nobody knows whether it was."""

    def __init__(self, message: str, *, task_id: str = "") -> None:
        super().__init__(message)
        self.task_id = task_id


class EnqueueRejected(EnqueueError, PermanentError):
    """SQS understood and refused: permission, no such queue, an invalid message."""


class EnqueueUnreachable(EnqueueError, RetryableError):
    """The message was certainly not stored."""


class EnqueueUncertain(EnqueueError, RetryableError):
    """The answer was lost: the message may be stored or not."""


class PermanentFailure(PermanentError):
    """Raised by a handler: trying again cannot help, put it on the dead-letter queue."""


class Retry(RetryableError):
    """Raised by a handler: try again, after ``delay`` seconds or by the task's own backoff."""

    def __init__(self, message: str = "", *, delay: float | None = None) -> None:
        super().__init__(message or "the task asked to be tried again")
        self.delay = delay


class TaskTimeout(RetryableError):
    """A task took longer than its ``timeout``."""


class UnknownSigningKey(RetryableError, LookupError):
    """A message is signed by a key that is not known here: its sender may have it sooner."""


class Skip(Exception):
    """Raised by a handler: there is nothing to do, and that is well."""
