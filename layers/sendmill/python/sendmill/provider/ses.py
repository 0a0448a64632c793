"""Send through SES API v2, one recipient a call and one HTTP call a mail.

The client is made with ``total_max_attempts=1``: SES has no idempotency token, and the SDK's own
retry after a lost answer mails people three times.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.config import Config as ClientConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome, accepted, classify_ses, classify_ses_loss

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

# Sends of one batch side by side: the whole batch of 10 at once.
LANES = 10
CONNECT_SECONDS = 3
READ_SECONDS = 20
# No connection stood, so no byte of the mail can have left.
_NOTHING_SENT = (EndpointConnectionError, ConnectTimeoutError, SSLError, ProxyConnectionError)


def client_config() -> ClientConfig:
    """Return the settings of a client that sends: one attempt, enough connections, no waiting."""
    return ClientConfig(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=LANES,
        tcp_keepalive=True,
    )


class SesProvider:
    """Send mails of a batch side by side through one client."""

    def __init__(self, client: SESV2Client, *, configuration_set: str = "") -> None:
        self._client = client
        self._configuration_set = configuration_set
        self._lanes = ThreadPoolExecutor(LANES, thread_name_prefix="ses")

    def send_all(self, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order."""
        return list(self._lanes.map(self.send, mails))

    def send(self, mail: Mail) -> Outcome:
        """Return the outcome of one mail: exactly one HTTP request, whatever comes back."""
        try:
            answer = self._client.send_email(**self._request(mail))
        except ClientError as error:
            return _refusal(error)
        except NoCredentialsError as error:
            return Outcome(fate=Fate.STOP, reason="credentials_rejected", detail=str(error))
        except _NOTHING_SENT as error:
            return classify_ses_loss(request_was_sent=False, detail=type(error).__name__)
        except (BotoCoreError, ConnectionClosedError) as error:
            return classify_ses_loss(request_was_sent=True, detail=type(error).__name__)
        return accepted(answer["MessageId"])

    def _request(self, mail: Mail) -> dict[str, Any]:
        body: dict[str, Any] = {"Text": _utf8(mail.rendered.text)}
        if mail.rendered.html:
            body["Html"] = _utf8(mail.rendered.html)
        request: dict[str, Any] = {
            "FromEmailAddress": mail.config.from_email,
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {"Simple": {"Subject": _utf8(mail.rendered.subject), "Body": body}},
            # by these the events of this attempt find their row
            "EmailTags": [
                {"Name": "campaign_id", "Value": mail.campaign_id},
                {"Name": "recipient_id", "Value": mail.rid},
                {"Name": "attempt", "Value": str(mail.attempt)},
            ],
        }
        if mail.config.reply_to:
            request["ReplyToAddresses"] = [mail.config.reply_to]
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def _refusal(error: ClientError) -> Outcome:
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return classify_ses(
        status=int(status), code=str(said.get("Code", "")), message=str(said.get("Message", ""))
    )


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
