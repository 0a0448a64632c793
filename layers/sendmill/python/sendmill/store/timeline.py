"""Keep how far a campaign had come, by the time.

::

    campaigns table   pk=C#{campaign}  sk=TL#{time in tens of seconds}   {at, accepted, failed, ttl}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sendmill.store.item import Item, decode, encode, number, translated
from sendmill.timeline import Point

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STEP_SECONDS = 10
_KEEP_SECONDS = 90 * 86_400


class TimelineStore:
    """Keep points in the campaigns table for 90 days."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, campaign_id: str, point: Point) -> None:
        """Keep a point; one that was noted within the same ten seconds gives way."""
        step = point.at // STEP_SECONDS * STEP_SECONDS
        item: Item = {
            "pk": f"C#{campaign_id}",
            "sk": f"TL#{step:012}",
            "at": point.at,
            "accepted": point.accepted,
            "failed": point.failed,
            "ttl": point.at + _KEEP_SECONDS,
        }
        with translated("noting progress"):
            self._client.put_item(TableName=self._table, Item=encode(item))

    def points(self, campaign_id: str) -> list[Point]:
        """Return every point of a campaign, oldest first."""
        found: list[Point] = []
        with translated("reading progress"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=encode({":pk": f"C#{campaign_id}", ":prefix": "TL#"}),
            )
            for page in pages:
                found += [_point(decode(item)) for item in page["Items"]]
        return found


def _point(item: Item) -> Point:
    return Point(
        at=number(item, "at"), accepted=number(item, "accepted"), failed=number(item, "failed")
    )
