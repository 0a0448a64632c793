"""Keep how far the provider's event stream has provably come.

::

    campaigns table   pk=WM#{configuration set}  sk=WM   {last_send_ts, seen_at}

Written by feedback for each Send event, only ever forwards; read by the sweep, which sends an
unknown mail again only when the stream has passed its attempt and said nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.store.item import (
    CONDITION_FAILED,
    decode,
    encode,
    error_code,
    number,
    translated,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Say when the youngest mail was sent of which a Send event came, and when that event came.

    Both are seconds since 1970, and 0 when no event ever came.
    """

    last_send_at: int = 0
    seen_at: int = 0


class WatermarkStore:
    """Keep one watermark for each configuration set."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._written: dict[str, int] = {}

    def advance(self, configuration_set: str, *, sent_at: int, seen_at: int) -> None:
        """Move a watermark forwards; one that is further already is left alone."""
        if sent_at <= self._written.get(configuration_set, 0):
            return
        try:
            with translated("moving the watermark"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(configuration_set),
                    UpdateExpression="SET last_send_ts = :sent, seen_at = :seen",
                    ConditionExpression="attribute_not_exists(pk) OR last_send_ts < :sent",
                    ExpressionAttributeValues=encode({":sent": sent_at, ":seen": seen_at}),
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
        self._written[configuration_set] = sent_at

    def read(self, configuration_set: str) -> Watermark:
        """Return a watermark as it stands now."""
        with translated("reading the watermark"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(configuration_set), ConsistentRead=True
            )
        item = decode(found.get("Item", {}))
        return Watermark(last_send_at=number(item, "last_send_ts"), seen_at=number(item, "seen_at"))


def _key(configuration_set: str) -> dict[str, Any]:
    return encode({"pk": f"WM#{configuration_set}", "sk": "WM"})
