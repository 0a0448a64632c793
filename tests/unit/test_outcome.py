"""Every answer of a provider, row by row, in exactly one of five classes."""

from __future__ import annotations

import pytest

from sendmill.outcome import (
    Fate,
    Outcome,
    Phase,
    accepted,
    classify_ses,
    classify_ses_loss,
    classify_smtp_loss,
    classify_smtp_reply,
)

RATE = "Maximum sending rate exceeded."
DAILY = "Daily message quota exceeded."
SANDBOX = (
    "Email address is not verified. The following identities failed the check in region "
    "US-EAST-1: ada@example.com"
)

SES = [
    (429, "TooManyRequestsException", RATE, Fate.LATER, "throttled"),
    (429, "TooManyRequestsException", DAILY, Fate.STOP, "daily_quota"),
    (429, "TooManyRequestsException", "", Fate.LATER, "throttled"),
    (400, "LimitExceededException", DAILY, Fate.STOP, "daily_quota"),
    (400, "LimitExceededException", RATE, Fate.LATER, "throttled"),
    (400, "Throttling", RATE, Fate.LATER, "throttled"),
    (400, "Throttling", DAILY, Fate.STOP, "daily_quota"),
    (400, "ThrottlingException", "Rate exceeded", Fate.LATER, "throttled"),
    (503, "RequestThrottled", "slow down", Fate.LATER, "throttled"),
    (429, "SomethingNew", "", Fate.LATER, "throttled"),
    (400, "SendingPausedException", "", Fate.STOP, "sending_paused"),
    (400, "AccountSuspendedException", "", Fate.STOP, "account_suspended"),
    (400, "MailFromDomainNotVerifiedException", "", Fate.STOP, "mail_from_not_verified"),
    (404, "NotFoundException", "", Fate.STOP, "configuration_set_not_found"),
    (400, "ConfigurationSetDoesNotExist", "", Fate.STOP, "configuration_set_not_found"),
    (400, "MessageRejected", SANDBOX, Fate.STOP, "identity_not_verified"),
    (400, "MessageRejected", "Transaction failed: virus", Fate.NEVER, "message_rejected"),
    (400, "BadRequestException", "Missing final '@domain'", Fate.NEVER, "bad_request"),
    (400, "INVALID_PARAMETER", "", Fate.NEVER, "bad_request"),
    (400, "SomethingNew", "", Fate.NEVER, "bad_request"),
    (403, "AccessDenied", "", Fate.STOP, "access_denied"),
    (403, "AccessDeniedException", "", Fate.STOP, "access_denied"),
    (403, "ExpiredToken", "", Fate.STOP, "credentials_rejected"),
    (403, "ExpiredTokenException", "", Fate.STOP, "credentials_rejected"),
    (403, "InvalidClientTokenId", "", Fate.STOP, "credentials_rejected"),
    (403, "UnrecognizedClientException", "", Fate.STOP, "credentials_rejected"),
    (403, "MissingAuthenticationTokenException", "", Fate.STOP, "credentials_rejected"),
    (403, "InvalidSignatureException", "", Fate.STOP, "credentials_rejected"),
    (403, "SignatureDoesNotMatch", "", Fate.STOP, "credentials_rejected"),
    (403, "SomethingNew", "", Fate.STOP, "access_denied"),
    (401, "", "", Fate.STOP, "access_denied"),
    (500, "InternalFailure", "", Fate.UNKNOWN, "server_error"),
    (502, "", "", Fate.UNKNOWN, "server_error"),
    (503, "ServiceUnavailable", "", Fate.UNKNOWN, "server_error"),
    (504, "", "", Fate.UNKNOWN, "server_error"),
    (500, "MessageRejected", "", Fate.UNKNOWN, "server_error"),
]


@pytest.mark.parametrize(("status", "code", "message", "fate", "reason"), SES)
def test_an_error_answer_of_ses_has_one_class(
    status: int, code: str, message: str, fate: Fate, reason: str
) -> None:
    found = classify_ses(status=status, code=code, message=message)
    assert found == Outcome(
        fate=fate, reason=reason, detail=message, throttled=reason == "throttled"
    )


def test_a_refusal_of_one_address_in_the_sandbox_stops_all_of_them() -> None:
    assert classify_ses(status=400, code="MessageRejected", message=SANDBOX).fate is Fate.STOP


def test_accepted_carries_the_providers_id() -> None:
    assert accepted("0102-3") == Outcome(fate=Fate.ACCEPTED, reason="accepted", message_id="0102-3")


@pytest.mark.parametrize(
    ("request_was_sent", "fate", "reason"),
    [(True, Fate.UNKNOWN, "answer_lost"), (False, Fate.LATER, "unreachable")],
)
def test_a_lost_answer_of_ses_is_unknown_only_if_the_request_had_left(
    request_was_sent: bool, fate: Fate, reason: str
) -> None:
    found = classify_ses_loss(request_was_sent=request_was_sent, detail="ReadTimeoutError")
    assert (found.fate, found.reason, found.throttled) == (fate, reason, False)


BEFORE_RCPT = (Phase.CONNECT, Phase.AUTH, Phase.MAIL)
FROM_RCPT = (Phase.RCPT, Phase.DATA, Phase.BODY, Phase.FINAL)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("code", [421, 450, 451, 452, 455])
def test_every_4xx_reply_is_definite_and_may_pass_later(phase: Phase, code: int) -> None:
    found = classify_smtp_reply(phase=phase, code=code, text="4.0.0 try again")
    assert (found.fate, found.reason) == (Fate.LATER, f"smtp_{code}")
    assert not found.throttled


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    ("text", "fate", "reason"),
    [
        (f"Throttling failure: {RATE}", Fate.LATER, "throttled"),
        ("4.7.0 Rate exceeded", Fate.LATER, "throttled"),
        (f"Throttling failure: {DAILY}", Fate.STOP, "daily_quota"),
        ("Temporary service failure", Fate.LATER, "smtp_454"),
    ],
)
def test_a_454_is_throttling_quota_or_trouble_by_what_it_says(
    phase: Phase, text: str, fate: Fate, reason: str
) -> None:
    found = classify_smtp_reply(phase=phase, code=454, text=text)
    assert (found.fate, found.reason) == (fate, reason)
    assert found.throttled == (reason == "throttled")


@pytest.mark.parametrize("phase", FROM_RCPT)
@pytest.mark.parametrize("code", [500, 501, 550, 551, 552, 553, 554])
def test_a_5xx_reply_about_one_mail_is_final_for_it(phase: Phase, code: int) -> None:
    found = classify_smtp_reply(phase=phase, code=code, text="5.1.1 no such user")
    assert (found.fate, found.reason) == (Fate.NEVER, f"smtp_{code}")


@pytest.mark.parametrize("phase", BEFORE_RCPT)
@pytest.mark.parametrize("code", [500, 501, 550, 554])
def test_a_5xx_reply_before_the_recipient_is_named_stops_the_campaign(
    phase: Phase, code: int
) -> None:
    found = classify_smtp_reply(phase=phase, code=code, text="5.7.1 no")
    assert (found.fate, found.reason) == (Fate.STOP, f"smtp_{code}_{phase}")


@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_wrong_password_stops_the_campaign(code: int) -> None:
    found = classify_smtp_reply(phase=Phase.AUTH, code=code, text="5.7.8 no")
    assert (found.fate, found.reason) == (Fate.STOP, "credentials_rejected")


@pytest.mark.parametrize("phase", FROM_RCPT)
@pytest.mark.parametrize(
    ("code", "text"),
    [(530, "5.7.0 Authentication required"), (554, f"Message rejected: {SANDBOX}")],
)
def test_an_identity_that_is_not_verified_stops_the_campaign(
    phase: Phase, code: int, text: str
) -> None:
    found = classify_smtp_reply(phase=phase, code=code, text=text)
    assert (found.fate, found.reason) == (Fate.STOP, "identity_not_verified")


@pytest.mark.parametrize(
    ("phase", "fate"),
    [
        (Phase.CONNECT, Fate.LATER),
        (Phase.AUTH, Fate.LATER),
        (Phase.MAIL, Fate.LATER),
        (Phase.RCPT, Fate.LATER),
        (Phase.DATA, Fate.LATER),
        (Phase.BODY, Fate.UNKNOWN),
        (Phase.FINAL, Fate.UNKNOWN),
    ],
)
def test_a_loss_is_unknown_once_the_dot_may_have_arrived(phase: Phase, fate: Fate) -> None:
    found = classify_smtp_loss(phase=phase, detail="TimeoutError")
    assert found.fate is fate
    assert not found.throttled


def test_no_reason_holds_what_the_provider_said() -> None:
    said = "no mailbox ada@example.com"
    found = [classify_ses(status=status, code=code, message=said) for status, code, *_ in SES] + [
        classify_smtp_reply(phase=phase, code=code, text=said)
        for phase in Phase
        for code in (421, 450, 454, 535, 550, 554)
    ]
    for outcome in found:
        assert outcome.detail == said
        assert outcome.reason.replace("_", "").isalnum()
        assert outcome.reason == outcome.reason.lower()
