"""SES v2 identities and account: what Terraform sets and reads back, apart from sending."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any
from urllib.parse import unquote

ses: Any = import_module("ministack.services.ses_v2")

PREFIX = "/v2/email"
ATTRIBUTES = re.compile(rf"{PREFIX}/identities/([^/]+)/(mail-from|configuration-set)/?")


def close() -> None:
    """Keep an identity's MAIL FROM and configuration set, and the account's suppression reasons.

    Missing upstream: PutEmailIdentityMailFromAttributes and ...ConfigurationSetAttributes do not
    exist, CreateEmailIdentity forgets its
    ConfigurationSetName, and PutAccountSuppressionAttributes is taken and forgotten, so
    `aws_sesv2_email_identity_mail_from_attributes` fails and two more resources drift.
    """
    original = ses.handle_request
    reasons = ses.AccountRegionScopedDict()

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        match = ATTRIBUTES.fullmatch(path)
        if match and method == "PUT":
            return _put_attributes(unquote(match[1]), match[2], _json(body))
        if path.rstrip("/") == f"{PREFIX}/account/suppression" and method == "PUT":
            reasons["account"] = list(_json(body).get("SuppressedReasons") or [])
        status, answer_headers, answer = await original(method, path, headers, body, query)
        if status == 200 and method == "GET" and path.rstrip("/") == f"{PREFIX}/account":
            described = _json(answer)
            described["SuppressionAttributes"] = {"SuppressedReasons": reasons.get("account", [])}
            return ses.json_response(described)
        if status == 200 and method == "POST" and path.rstrip("/") == f"{PREFIX}/identities":
            _keep_configuration_set(_json(body))
        return status, answer_headers, answer

    ses.handle_request = handle


def _put_attributes(identity: str, kind: str, data: dict[str, Any]) -> Any:
    record = ses._identities.get(identity)
    if record is None:
        return ses._json_err("NotFoundException", f"Identity {identity} not found", 404)
    if kind == "configuration-set":
        record["ConfigurationSetName"] = data.get("ConfigurationSetName") or None
        return ses.json_response({})
    attributes = {"BehaviorOnMxFailure": data.get("BehaviorOnMxFailure") or "USE_DEFAULT_VALUE"}
    if data.get("MailFromDomain"):
        attributes["MailFromDomain"] = data["MailFromDomain"]
        attributes["MailFromDomainStatus"] = "SUCCESS"
    record["MailFromAttributes"] = attributes
    return ses.json_response({})


def _keep_configuration_set(data: dict[str, Any]) -> None:
    record = ses._identities.get(data.get("EmailIdentity"))
    if record is not None and data.get("ConfigurationSetName"):
        record["ConfigurationSetName"] = data["ConfigurationSetName"]


def _json(body: bytes | str) -> dict[str, Any]:
    try:
        value = json.loads(body or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
