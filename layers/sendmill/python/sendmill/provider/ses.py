"""Send through SES API v2, one recipient a call and one HTTP request a mail.

SES has no idempotency token, and the SDK's own retry after a lost answer mails people three
times. So nothing here ever asks twice: :mod:`sendmill.wire` writes a request once, and says of
every loss whether a byte of it may have left.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError

from sendmill.mail import Mail, sender_header
from sendmill.outcome import Fate, Outcome, accepted, classify_ses, classify_ses_loss
from sendmill.wire import Answer, Endpoint, Loss

# Requests in flight at once: a batch of 10, and one of 100 as well, is one wave.
LANES = 100
CONNECT_SECONDS = 3
READ_SECONDS = 20
_HEADERS = {"content-type": "application/json"}


def client_config() -> ClientConfig:
    """Return the settings of the client that says where SES is; its time-outs hold."""
    return ClientConfig(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )


def prepare_send(client: Any) -> None:
    """Call the operation that mails are posted to."""
    client.send_email(Content={})


class SesProvider:
    """Send the mails of a batch side by side."""

    def __init__(self, endpoint: Endpoint, *, configuration_set: str = "") -> None:
        self._endpoint = endpoint
        self._configuration_set = configuration_set

    def send_all(self, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order; one HTTP request a mail at most."""
        bodies = [json.dumps(self._request(mail)).encode() for mail in mails]
        try:
            found = self._endpoint.post_all(bodies, headers=_HEADERS)
        except (NoCredentialsError, PartialCredentialsError) as error:
            outcome = Outcome(fate=Fate.STOP, reason="credentials_rejected", detail=str(error))
            return [outcome] * len(mails)
        except BotoCoreError as error:
            # where SES is, or who asks, could not be found out
            outcome = classify_ses_loss(request_was_sent=False, detail=type(error).__name__)
            return [outcome] * len(mails)
        return [_outcome(one) for one in found]

    def _request(self, mail: Mail) -> dict[str, Any]:
        request = self._raw(mail) if mail.raw else self._simple(mail)
        # by these the events of this attempt find their row
        request["EmailTags"] = [
            {"Name": "campaign_id", "Value": mail.campaign_id},
            {"Name": "recipient_id", "Value": mail.rid},
            {"Name": "attempt", "Value": str(mail.attempt)},
            # SES puts this into its own Feedback-ID, by which Gmail groups complaints
            {"Name": "ses:feedback-id-a", "Value": mail.campaign_id},
        ]
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request

    def _raw(self, mail: Mail) -> dict[str, Any]:
        # the sender is the message's own From; one recipient, whatever its To and Cc say
        return {
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {"Raw": {"Data": base64.b64encode(mail.raw).decode()}},
        }

    def _simple(self, mail: Mail) -> dict[str, Any]:
        body: dict[str, Any] = {"Text": _utf8(mail.rendered.text)}
        if mail.rendered.html:
            body["Html"] = _utf8(mail.rendered.html)
        request: dict[str, Any] = {
            "FromEmailAddress": sender_header(mail.config.from_email),
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {"Simple": {"Subject": _utf8(mail.rendered.subject), "Body": body}},
        }
        if mail.headers:
            request["Content"]["Simple"]["Headers"] = [
                {"Name": name, "Value": value} for name, value in mail.headers
            ]
        if mail.config.reply_to:
            request["ReplyToAddresses"] = [sender_header(mail.config.reply_to)]
        return request


def _outcome(found: Answer | Loss) -> Outcome:
    if isinstance(found, Loss):
        return classify_ses_loss(request_was_sent=found.request_was_sent, detail=found.detail)
    said = _object(found.body)
    if found.status >= 300:
        return classify_ses(
            status=found.status,
            code=_error_code(found.header("x-amzn-errortype") or said.get("__type")),
            message=str(said.get("message") or said.get("Message") or ""),
        )
    message_id = said.get("MessageId")
    if not isinstance(message_id, str) or not message_id:
        # an answer without an id is none: a proxy's page, or half of one
        return classify_ses_loss(request_was_sent=True, detail="no MessageId")
    return accepted(message_id)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _error_code(raw: object) -> str:
    """Return the name in ``aws.ses#MessageRejected:http://...``, as the services write it."""
    return str(raw or "").partition(":")[0].rpartition("#")[2]


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
