"""Ask SES what the account may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import StoreUnavailable
from sendmill.rate import Account

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


def ask_account(client: SESV2Client) -> Account:
    """Return quota, rate and standing of the account; raises StoreUnavailable."""
    try:
        said = client.get_account()
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable(f"asking SES for the account: {type(error).__name__}") from error
    quota = said.get("SendQuota", {})
    enforcement = said.get("EnforcementStatus", "HEALTHY")
    stopped = ""
    if enforcement == "SHUTDOWN":
        stopped = "account_suspended"
    elif not said.get("SendingEnabled", True):
        stopped = "sending_paused"
    return Account(
        max_rate=float(quota.get("MaxSendRate", 0)) or 1.0,
        daily_quota=float(quota.get("Max24HourSend", -1)),
        sent_today=float(quota.get("SentLast24Hours", 0)),
        production=bool(said.get("ProductionAccessEnabled", True)),
        enforcement=enforcement,
        stopped=stopped,
    )
