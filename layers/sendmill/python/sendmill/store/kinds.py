"""List what is of one kind (campaigns, contact lists, templates), newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sendmill.errors import InvalidCampaign
from sendmill.store.item import Item, decode, encode, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def items_of_kind(
    client: DynamoDBClient, table: str, kind: str, cursor: str, limit: int
) -> tuple[list[Item], str]:
    """Return items of one kind, newest first, and the cursor of the next page.

    Raises InvalidCampaign for a cursor that no page gave.
    """
    start: dict[str, Any] = {}
    if cursor:
        start = {"ExclusiveStartKey": encode(_key_of(cursor))}
    with translated(f"listing {kind}s"):
        page = client.query(
            TableName=table,
            IndexName="by_kind",
            KeyConditionExpression="g2pk = :kind",
            ExpressionAttributeValues=encode({":kind": f"KIND#{kind}"}),
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
    last = page.get("LastEvaluatedKey")
    following = json.dumps(decode(last)).encode().hex() if last else ""
    return [decode(item) for item in page["Items"]], following


def _key_of(cursor: str) -> Item:
    try:
        found = json.loads(bytes.fromhex(cursor))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or set(found) != {"pk", "sk", "g2pk", "g2sk"}:
        raise InvalidCampaign(f"cursor must be one that a page gave (got {cursor[:80]!r})")
    return {name: str(value) for name, value in found.items()}
