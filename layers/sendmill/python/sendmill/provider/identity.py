"""Ask SES and DNS about who sends."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import StoreUnavailable
from sendmill.preflight import Identity

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

# Nobody waits longer for a checklist, in seconds.
DNS_SECONDS = 2.0
# SES answers one such call a second; nobody's page waits for more.
_MOST_IDENTITIES = 5


def ask_sender(client: SESV2Client, sender: str) -> Identity | None:
    """Return the identity by which a sender may send, or None; raises StoreUnavailable.

    An address is one itself, or belongs to a verified domain or its parent.
    """
    unverified: Identity | None = None
    for name in _names(sender):
        found = _identity(client, name)
        if found is not None and found.verified:
            return found
        unverified = unverified or found
    return unverified


def ask_identities(client: SESV2Client) -> list[Identity]:
    """Return the first identities of the account; raises StoreUnavailable."""
    try:
        listed = client.list_email_identities(PageSize=_MOST_IDENTITIES)
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable(f"listing identities: {type(error).__name__}") from error
    names = [str(one["IdentityName"]) for one in listed.get("EmailIdentities", [])]
    found = (_identity(client, name) for name in sorted(names))
    return [one for one in found if one is not None]


def ask_dmarc(domain: str) -> str | None:
    """Return the DMARC record of a domain, empty when it has none, None when DNS is not there."""
    # 60 ms of import, which only the checklist needs
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, resolve

    try:
        found = resolve(f"_dmarc.{domain}", "TXT", lifetime=DNS_SECONDS)
    except (NXDOMAIN, NoAnswer):
        return ""
    except (DNSException, OSError, ValueError):
        return None
    texts = [b"".join(record.strings).decode("utf-8", "replace") for record in found]
    return next((text for text in texts if text.lower().startswith("v=dmarc1")), "")


def _identity(client: SESV2Client, name: str) -> Identity | None:
    try:
        said: Any = client.get_email_identity(EmailIdentity=name)
    except client.exceptions.NotFoundException:
        return None
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable(f"asking SES for an identity: {type(error).__name__}") from error
    mail_from = said.get("MailFromAttributes") or {}
    has_domain = bool(mail_from.get("MailFromDomain"))
    return Identity(
        name=name,
        verified=bool(said.get("VerifiedForSendingStatus")),
        dkim=str((said.get("DkimAttributes") or {}).get("Status") or ""),
        mail_from=str(mail_from.get("MailFromDomainStatus") or "") if has_domain else "",
    )


def _names(sender: str) -> Iterator[str]:
    address = parseaddr(sender)[1].lower()
    yield address
    labels = address.rpartition("@")[2].split(".")
    for first in range(len(labels) - 1):
        yield ".".join(labels[first:])
