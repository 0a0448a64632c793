"""Sort every answer of a mail provider into one of five classes, in this one place.

- ``ACCEPTED``  the provider has the mail.
- ``LATER``     certainly not taken; the same mail may be taken later.
- ``NEVER``     certainly not taken, and this mail never will be.
- ``STOP``      certainly not taken, and no mail of this campaign would be (identity, credentials,
  account, daily quota): the campaign stops, the recipient waits.
- ``UNKNOWN``   the answer was lost after the mail had left: neither success nor failure.

Sources: SES API v2 error list and limits; RFC 5321 section 4.2. Tested row by row in
tests/unit/test_outcome.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Why a campaign stops that has sent what the account may send in 24 hours.
QUOTA_REASON = "daily_quota"


class Fate(StrEnum):
    """What an answer of a provider means for the recipient."""

    ACCEPTED = "accepted"
    LATER = "later"
    NEVER = "never"
    STOP = "stop"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """How far a delivery over SMTP had come when it ended."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say what became of one attempt.

    ``reason`` is a stable snake_case word that may be logged and grouped by; ``detail`` is what
    the provider said (it may hold an address: never log it). ``throttled`` is true when the
    provider only asked for a lower rate, ``unasked`` when nobody was asked at all, since what is
    needed for it is away on our side; neither burns a try.
    """

    fate: Fate
    reason: str
    detail: str = ""
    message_id: str = ""
    throttled: bool = False
    unasked: bool = False


def accepted(message_id: str) -> Outcome:
    """Return the outcome of a mail that the provider has taken under this id."""
    return Outcome(fate=Fate.ACCEPTED, reason="accepted", message_id=message_id)


_SES_STOP = {
    "SendingPausedException": "sending_paused",
    "AccountSuspendedException": "account_suspended",
    "MailFromDomainNotVerifiedException": "mail_from_not_verified",
    "NotFoundException": "configuration_set_not_found",
    "ConfigurationSetDoesNotExist": "configuration_set_not_found",
    "AccessDenied": "access_denied",
    "AccessDeniedException": "access_denied",
    "ExpiredToken": "credentials_rejected",
    "ExpiredTokenException": "credentials_rejected",
    "InvalidClientTokenId": "credentials_rejected",
    "UnrecognizedClientException": "credentials_rejected",
    "MissingAuthenticationTokenException": "credentials_rejected",
    "InvalidSignatureException": "credentials_rejected",
    "SignatureDoesNotMatch": "credentials_rejected",
}
_SES_LATER = frozenset(
    {
        "TooManyRequestsException",
        "LimitExceededException",
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
    }
)


def classify_ses(*, status: int, code: str, message: str) -> Outcome:
    """Return the outcome of an error answer of SES API v2.

    ``status`` is the HTTP status, ``code`` the exception's name, ``message`` its text.
    """
    said = message.lower()
    if code in _SES_LATER or status == 429:
        if "daily" in said:
            return Outcome(fate=Fate.STOP, reason=QUOTA_REASON, detail=message)
        return Outcome(fate=Fate.LATER, reason="throttled", detail=message, throttled=True)
    if code in _SES_STOP:
        return Outcome(fate=Fate.STOP, reason=_SES_STOP[code], detail=message)
    if code == "MessageRejected" and "not verified" in said:
        return Outcome(fate=Fate.STOP, reason="identity_not_verified", detail=message)
    if status in (401, 403):
        return Outcome(fate=Fate.STOP, reason="access_denied", detail=message)
    if status >= 500:
        # AWS says of no 5xx whether the mail was taken
        return Outcome(fate=Fate.UNKNOWN, reason="server_error", detail=message)
    if code == "MessageRejected":
        return Outcome(fate=Fate.NEVER, reason="message_rejected", detail=message)
    return Outcome(fate=Fate.NEVER, reason="bad_request", detail=message)


def classify_ses_loss(*, request_was_sent: bool, detail: str) -> Outcome:
    """Return the outcome of a call to SES that got no answer at all.

    ``request_was_sent`` false means that no connection stood, so SES cannot have the mail.
    """
    if request_was_sent:
        return Outcome(fate=Fate.UNKNOWN, reason="answer_lost", detail=detail)
    return Outcome(fate=Fate.LATER, reason="unreachable", detail=detail)


def classify_smtp_reply(*, phase: Phase, code: int, text: str) -> Outcome:
    """Return the outcome of an SMTP reply that is not the expected one.

    Every reply is definite: 4xx may pass later, 5xx never. Before the recipient is named a 5xx
    speaks of the server, the credentials or the sender, so of the whole campaign.
    """
    said = text.lower()
    if phase is Phase.AUTH and code in (530, 534, 535, 538):
        return Outcome(fate=Fate.STOP, reason="credentials_rejected", detail=text)
    if 400 <= code < 500:
        if "daily" in said and "quota" in said:
            return Outcome(fate=Fate.STOP, reason=QUOTA_REASON, detail=text)
        throttled = "throttl" in said or "rate exceeded" in said
        reason = "throttled" if throttled else f"smtp_{code}"
        return Outcome(fate=Fate.LATER, reason=reason, detail=text, throttled=throttled)
    if phase in (Phase.CONNECT, Phase.AUTH, Phase.MAIL):
        return Outcome(fate=Fate.STOP, reason=f"smtp_{code}_{phase}", detail=text)
    if code == 530 or "not verified" in said:
        return Outcome(fate=Fate.STOP, reason="identity_not_verified", detail=text)
    return Outcome(fate=Fate.NEVER, reason=f"smtp_{code}", detail=text)


def classify_smtp_loss(*, phase: Phase, detail: str) -> Outcome:
    """Return the outcome of a connection that broke or timed out in this phase.

    A server takes a mail by its reply to the final dot (RFC 5321 section 4.1.1.4). A loss before
    the first byte of the body is definite; from then on the dot may have arrived.
    """
    if phase in (Phase.BODY, Phase.FINAL):
        return Outcome(fate=Fate.UNKNOWN, reason="answer_lost", detail=detail)
    return Outcome(fate=Fate.LATER, reason="unreachable", detail=detail)
