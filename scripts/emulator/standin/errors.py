"""Errors the SES v2 API answers, with the status, the name and the words of the real service.

SesError
├── BadRequest            400  malformed address, header, tag or body
├── MessageRejected       400  unverified identity, content
├── MailFromNotVerified   400  custom MAIL FROM domain
├── AccountSuspended      400  enforcement
├── SendingPaused         400  account or configuration set
├── NotFound              404  configuration set, suppressed address
├── TooManyRequests       429  rate or daily quota
├── AccessDenied          403  missing or wrong credentials
└── ServiceFailure        500  InternalFailure, 503 ServiceUnavailable

Source of names and statuses: the sesv2 service model of botocore, operation SendEmail.
"""

from __future__ import annotations


class SesError(Exception):
    """An answer other than 200. `kind` is the wire name (x-amzn-ErrorType)."""

    kind = "InternalFailure"
    status = 500

    def __init__(self, message: str, *, kind: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or self.kind
        self.status = status or self.status


class BadRequest(SesError):
    """A malformed address, header, tag or body."""

    kind = "BadRequestException"
    status = 400


class MessageRejected(SesError):
    """An identity that is not verified, or content SES refuses."""

    kind = "MessageRejected"
    status = 400

    @classmethod
    def unverified(cls, identities: list[str], region: str) -> MessageRejected:
        """Say which identities failed, in the words by which clients recognise it."""
        return cls(
            "Email address is not verified. The following identities failed the check in region "
            f"{region.upper()}: {', '.join(identities)}"
        )


class MailFromNotVerified(SesError):
    """The custom MAIL FROM domain lacks its MX record."""

    kind = "MailFromDomainNotVerifiedException"
    status = 400


class AccountSuspended(SesError):
    """SES has stopped the account."""

    kind = "AccountSuspendedException"
    status = 400


class SendingPaused(SesError):
    """Account or configuration set is paused."""

    kind = "SendingPausedException"
    status = 400


class NotFound(SesError):
    """No such configuration set or suppressed address."""

    kind = "NotFoundException"
    status = 404


class TooManyRequests(SesError):
    """Over the rate or the daily quota; nothing was accepted."""

    kind = "TooManyRequestsException"
    status = 429

    @classmethod
    def rate(cls) -> TooManyRequests:
        """Return the answer of an account over its sending rate."""
        return cls("Maximum sending rate exceeded.")

    @classmethod
    def daily_quota(cls) -> TooManyRequests:
        """Return the answer of an account over its 24-hour quota."""
        return cls("Daily message quota exceeded.")


class AccessDenied(SesError):
    """Credentials that are missing, wrong or not allowed."""

    kind = "AccessDeniedException"
    status = 403


class ServiceFailure(SesError):
    """A failure of SES itself; whether it accepted is unknown to the caller."""

    kind = "InternalFailure"
    status = 500
