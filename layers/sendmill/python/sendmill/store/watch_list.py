"""Keep which campaigns the sweep looks after.

::

    pk=ACTIVE  sk={campaign}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sendmill.campaign import OVER, Status
from sendmill.store.campaign_item import meta_key
from sendmill.store.campaign_table import CampaignTable
from sendmill.store.item import decode, encode, text, translated


class WatchList(CampaignTable):
    """Keep the list of the campaigns that are looked after."""

    def activate(self, campaign_id: str) -> None:
        """Let the sweep look after a campaign."""
        with translated("activating a campaign"):
            self._client.put_item(TableName=self._table, Item=watched_key(campaign_id))

    def deactivate(self, campaign_id: str) -> None:
        """Let the sweep forget a campaign, if it is over, refused, or made by plain messages."""
        over = {f":o{n}": str(value) for n, value in enumerate(sorted({*OVER, Status.REFUSED}))}
        check = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "ConditionExpression": f"attribute_not_exists(pk) OR #st IN ({', '.join(over)}) "
            "OR (#list = :none AND #st = :running)",
            "ExpressionAttributeNames": {"#st": "st", "#list": "list_id"},
            "ExpressionAttributeValues": encode(
                {**over, ":none": "", ":running": str(Status.RUNNING)}
            ),
        }
        delete = {"TableName": self._table, "Key": watched_key(campaign_id)}
        self._transact("deactivating a campaign", [{"ConditionCheck": check}, {"Delete": delete}])

    def active(self) -> Iterator[str]:
        """Yield the ids of the campaigns that the sweep looks after."""
        with translated("reading active campaigns"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=encode({":pk": "ACTIVE"}),
                # who deletes a list must see the campaign that has just begun to read it
                ConsistentRead=True,
            )
            for page in pages:
                yield from (text(decode(item), "sk") for item in page["Items"])


def watched_key(campaign_id: str) -> dict[str, Any]:
    """Return what says that a campaign is looked after: a key, and nothing beside it."""
    return encode({"pk": "ACTIVE", "sk": campaign_id})
