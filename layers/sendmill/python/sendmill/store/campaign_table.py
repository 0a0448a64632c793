"""Read and write the items of one campaign: they share a partition of the campaigns table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.errors import StoreUnavailable
from sendmill.store.item import (
    CONFLICT_ATTEMPTS,
    Item,
    cancellation_codes,
    decode,
    encode,
    on_condition,
    translated,
    wait,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class CampaignTable:
    """Hold the table, and the three ways in which everything about a campaign is kept in it."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._sleep = sleep

    def _transact(self, what: str, actions: Sequence[Any]) -> bool:
        """Write all or nothing; tell whether the first action's condition held."""
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                with translated(what):
                    self._client.transact_write_items(TransactItems=actions)
            except ClientError as error:
                codes = cancellation_codes(error)
                if codes[0] == "ConditionalCheckFailed":
                    return False
                if "TransactionConflict" not in codes:
                    raise StoreUnavailable(f"{what}: {', '.join(codes)}") from error
                wait(self._sleep, attempt)
            else:
                return True
        raise StoreUnavailable(f"{what}: transactions kept conflicting")

    def _put_new(self, item: Item) -> bool:
        return on_condition(
            "creating an item",
            self._client.put_item,
            TableName=self._table,
            Item=encode(item),
            ConditionExpression="attribute_not_exists(pk)",
        )

    def _under(self, campaign_id: str, prefix: str) -> Iterator[Item]:
        with translated("reading a campaign's items"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=encode({":pk": f"C#{campaign_id}", ":prefix": prefix}),
                ConsistentRead=True,
            )
            for page in pages:
                for item in page["Items"]:
                    yield decode(item)
