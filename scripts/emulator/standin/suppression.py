"""The account-level suppression list calls."""

from __future__ import annotations

from typing import Any

from standin.errors import BadRequest, NotFound
from standin.mailbox import now
from standin.quota import Account
from standin.wire import Response

REASONS = ("BOUNCE", "COMPLAINT")


def put(account: Account, data: Any) -> Response:
    """PutSuppressedDestination."""
    address = str(data.get("EmailAddress") or "")
    if "@" not in address or data.get("Reason") not in REASONS:
        raise BadRequest("EmailAddress must hold an '@' and Reason be BOUNCE or COMPLAINT.")
    account.suppressed[address.lower()] = {
        "EmailAddress": address,
        "Reason": data["Reason"],
        "LastUpdateTime": int(now()),
    }
    return Response.of_json({})


def list_all(account: Account, query: dict[str, list[str]]) -> Response:
    """ListSuppressedDestinations: by Reason, paged by PageSize and NextToken."""
    reasons = set(query.get("Reason", REASONS))
    found = [entry for entry in account.suppressed.values() if entry["Reason"] in reasons]
    start = int((query.get("NextToken") or ["0"])[0])
    size = int((query.get("PageSize") or ["1000"])[0])
    answer: dict[str, Any] = {"SuppressedDestinationSummaries": found[start : start + size]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return Response.of_json(answer)


def get(account: Account, address: str) -> Response:
    """GetSuppressedDestination."""
    return Response.of_json({"SuppressedDestination": _entry(account, address)})


def delete(account: Account, address: str) -> Response:
    """DeleteSuppressedDestination."""
    _entry(account, address)
    del account.suppressed[address.lower()]
    return Response.of_json({})


def _entry(account: Account, address: str) -> dict[str, Any]:
    entry = account.suppressed.get(address.lower())
    if entry is None:
        raise NotFound(f"Email address {address} does not exist on your suppression list.")
    return entry
