"""Turn plain values into DynamoDB items and back, and its errors into ours.

Only text, whole numbers and booleans: what is nested is kept as JSON text. boto3's own
serializer costs 10 times as much and returns Decimal.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sendmill.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | int | bool
Item = dict[str, Value]

CONDITION_FAILED = "ConditionalCheckFailedException"
# Attempts of one transaction against conflicts; the waits add up to about 6 s.
CONFLICT_ATTEMPTS = 10


def encode(item: Mapping[str, Value]) -> dict[str, Any]:
    """Return an item as DynamoDB's API wants it."""
    return {name: encode_value(value) for name, value in item.items()}


def encode_value(value: Value) -> dict[str, Any]:
    """Return one attribute value as DynamoDB's API wants it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"S": value}


def decode(item: Mapping[str, Any]) -> Item:
    """Return an item of DynamoDB's API as plain values."""
    return {name: _decode_value(value) for name, value in item.items()}


def text(item: Mapping[str, Value], name: str) -> str:
    """Return a text attribute, empty if it is not there."""
    return str(item.get(name, ""))


def number(item: Mapping[str, Value], name: str) -> int:
    """Return a whole number attribute, 0 if it is not there."""
    return int(item.get(name, 0))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what boto3 raises into StoreUnavailable; failed conditions pass through."""
    try:
        yield
    except ClientError as error:
        if error_code(error) in (CONDITION_FAILED, "TransactionCanceledException"):
            raise
        raise StoreUnavailable(f"{what}: {error_code(error)}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{what}: {type(error).__name__}") from error


def on_condition(what: str, write: Callable[..., object], **asked: Any) -> bool:
    """Make a write that has a condition; return whether that held. Raises StoreUnavailable."""
    return _refused(what, write, asked) is None


def unless_standing(what: str, write: Callable[..., object], **asked: Any) -> Item | None:
    """Make a write that has a condition; return None if that held, else the item that stands.

    Raises StoreUnavailable.
    """
    asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    error: Any = _refused(what, write, asked)
    return None if error is None else decode(error.response.get("Item", {}))


def _refused(
    what: str, write: Callable[..., object], asked: Mapping[str, Any]
) -> ClientError | None:
    try:
        with translated(what):
            write(**asked)
    except ClientError as error:
        if error_code(error) != CONDITION_FAILED:
            raise
        return error
    return None


def error_code(error: ClientError) -> str:
    """Return the name that AWS gave to an error."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def cancellation_codes(error: ClientError) -> list[str]:
    """Return why each part of a transaction was cancelled, or the error's own name."""
    reasons = error.response.get("CancellationReasons", [])
    return [str(reason.get("Code")) for reason in reasons] or [error_code(error)]


def transact(
    client: DynamoDBClient,
    what: str,
    actions: list[Any],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Write all or nothing; tell whether every condition held. Raises StoreUnavailable."""
    codes: list[str] = []
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            with translated(what):
                client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            codes = cancellation_codes(error)
            if "ConditionalCheckFailed" in codes:
                return False
        else:
            return True
        wait(sleep, attempt)
    raise StoreUnavailable(f"{what}: {', '.join(codes)}")


def wait(sleep: Callable[[float], None], attempt: int) -> None:
    """Wait before a transaction that met another one is sent again."""
    sleep(random.random() * min(2.0, 0.02 * 2**attempt))  # noqa: S311  jitter, no secret


def _decode_value(value: Mapping[str, Any]) -> Value:
    ((kind, raw),) = value.items()
    if kind == "N":
        return int(raw)
    if kind == "BOOL":
        return bool(raw)
    return str(raw)
