"""Say of each reason of a failure what it means for a person, and what to do about it.

The reasons are those of :mod:`sendmill.outcome`, :mod:`sendmill.ledger` and the suppression list;
an unknown one gets the advice of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sendmill.ledger import News, State

# What a person may ask to be tried again.
_FAILED = "Look at the reason, mend it, then retry the failed."
_LOST = "The mail may have left. With SES its own event settles it; else decide by hand."
_SMTP_RETRY = "The recipient's server refused for the time being: retry the failed later."
_ADVICE: Mapping[str, str] = {
    "throttled": "Nothing: the rate was too high for a moment, and it is tried again by itself.",
    "unreachable": "Nothing: the mail server was out of reach, and it is tried again by itself.",
    "secret_unavailable": "Nothing, unless it stays: the SMTP credentials could not be read.",
    "secret_invalid": "Correct the SMTP secret (host, username, password), then resume.",
    "daily_quota": "Nothing: it goes on when the daily quota allows, or ask AWS for a higher one.",
    "sending_paused": "SES has paused the account: look at its reputation in the AWS console.",
    "account_suspended": "SES has suspended the account: answer AWS Support.",
    "mail_from_not_verified": "Verify the MAIL FROM domain in SES, then resume.",
    "configuration_set_not_found": "Deploy again: the SES configuration set is missing.",
    "access_denied": "The sender must be of the domain that this deployment may send as.",
    "credentials_rejected": "Correct the credentials of the mail service, then resume.",
    "identity_not_verified": "Verify the sender's address or domain in SES, then retry the failed.",
    "message_rejected": "SES refused the content: look for attachments or words that it blocks.",
    "bad_request": "SES could not read the mail: check the address and the sender.",
    "answer_lost": _LOST,
    "server_error": _LOST,
    "worker_lost": _LOST,
    "bounced": "The address does not exist any more: it is suppressed; correct it in the list.",
    "complained": "The recipient marked a mail as spam: never mail this address again.",
    "unsubscribed": "Nothing: the recipient asked for no more mails.",
    "manual": "Nothing, or remove the address from the suppressions if that was a mistake.",
    "imported": "Nothing, or remove the address from the suppressions if that was a mistake.",
    "cannot be rendered": "Correct the template or the contact's fields, then retry the failed.",
    "smtp_421": _SMTP_RETRY,
    "smtp_450": _SMTP_RETRY,
    "smtp_451": _SMTP_RETRY,
    "smtp_452": _SMTP_RETRY,
    "smtp_550": "The recipient's server knows no such mailbox: correct the address.",
    "smtp_551": "The recipient has moved: correct the address.",
    "smtp_552": "The mailbox is full, or the mail too large for it: retry the failed later.",
    "smtp_553": "The server refuses this address: correct it.",
    "smtp_554": "The recipient's server refuses the mail: look at your domain's reputation.",
}
_BY_STATE: Mapping[str, str] = {
    State.FAILED: _FAILED,
    State.RETRY: "Nothing: it is tried again by itself.",
    State.UNKNOWN: "Wait for the event of SES, or resolve: send again (perhaps twice) or give up.",
    State.SUPPRESSED: "Nothing: this address must not be mailed.",
    State.ACCEPTED: "Correct the address in the list.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Hold how many recipients failed alike; ``retryable`` when a person may ask for a retry."""

    reason: str
    state: str
    count: int
    advice: str
    retryable: bool


def advise(reason: str, state: str) -> str:
    """Return what to do about recipients in this state for this reason."""
    word = reason.partition(":")[0].strip()
    return _ADVICE.get(word) or _BY_STATE.get(state, _FAILED)


def group_of(state: str, reason: str, news: str) -> tuple[str, str] | None:
    """Return state and reason under which a recipient is counted, None when nothing is wrong.

    What differs from one recipient to the next (a field, a line) is left out of the reason.
    """
    if state == State.ACCEPTED:
        return (state, news) if news in (News.BOUNCED, News.COMPLAINED) else None
    if state in (State.FAILED, State.RETRY, State.UNKNOWN, State.SUPPRESSED):
        return state, reason or "unknown"
    return None


def failures(counts: Mapping[tuple[str, str], int]) -> Sequence[Failure]:
    """Return the groups, the largest first."""
    found = [
        Failure(
            reason=reason,
            state=state,
            count=count,
            advice=advise(reason, state),
            retryable=state == State.FAILED,
        )
        for (state, reason), count in counts.items()
    ]
    return sorted(found, key=lambda one: (-one.count, one.state, one.reason))
