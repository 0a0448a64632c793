"""Keep receipts in a DynamoDB table: one item a key, one conditional update a step.

The table: partition key ``pk`` (string), time to live on ``expires_at``, and an index ``recent``
(``g1pk``, ``g1sk``) that :mod:`.recent` reads. Attributes: ``state`` (``held``, ``free``,
``completed``), ``owner``, ``lease_until``, ``attempts``, ``task``, ``error``, ``started_at``,
``finished_at``, ``updated_at``, ``dead`` (the attempts of one that became a dead letter); times are
seconds since 1970. A role needs ``dynamodb:UpdateItem`` and no more.

Receipts outlive the longest way of a message: source queue, dead-letter queue and a redrive. The
claim compares times itself and never waits for DynamoDB to delete what has expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sendmill.errors import StoreUnavailable
from sendmill.tasks.clients import client
from sendmill.tasks.receipts import Claim
from sendmill.tasks.receipts.recent import partition_of, shard_of, sort_key_of

_LONGEST_ERROR = 300


class DynamoReceipts:
    """Keep receipts in a table; ``call`` is an own client, else the process's."""

    shared = True

    def __init__(
        self,
        table: str,
        *,
        region: str = "",
        keep_days: int = 30,
        dynamodb: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._region = region
        self._keep_seconds = keep_days * 86_400
        self._given = dynamodb
        self._clock = clock

    def claim(self, key: str, *, owner: str, task: str, lease_seconds: float) -> Claim:
        """Claim a key; raises StoreUnavailable."""
        now = self._clock()
        held = self._update(
            key,
            "SET #state = :held, #owner = :owner, lease_until = :until, task = :task, "
            "updated_at = :now, expires_at = :expires, "
            "started_at = if_not_exists(started_at, :now), "
            "g1pk = if_not_exists(g1pk, :day), g1sk = if_not_exists(g1sk, :moment), "
            "attempts = if_not_exists(attempts, :zero) + :one REMOVE dead, finished_at",
            "attribute_not_exists(pk) OR #state = :free OR expires_at < :now OR "
            "(#state = :held AND (lease_until < :now OR #owner = :owner))",
            {
                ":held": "held",
                ":free": "free",
                ":owner": owner,
                ":until": now + lease_seconds,
                ":task": task,
                ":now": now,
                ":expires": int(now) + self._keep_seconds,
                ":day": partition_of(now, shard_of(key)),
                ":moment": sort_key_of(now, key),
                ":zero": 0,
                ":one": 1,
            },
        )
        if held is None:
            return Claim(state="acquired")
        return _claim(held, now)

    def complete(self, key: str, *, owner: str) -> bool:
        """Say that the task has run; raises StoreUnavailable."""
        now = self._clock()
        return self._finish(
            key,
            owner,
            "SET #state = :to, updated_at = :now, finished_at = :now, expires_at = :expires "
            "REMOVE lease_until, #error",
            {":to": "completed", ":now": now, ":expires": int(now) + self._keep_seconds},
        )

    def release(self, key: str, *, owner: str, error: str = "", final: bool = False) -> bool:
        """Give a key back; raises StoreUnavailable."""
        said = {":to": "free", ":now": self._clock(), ":error": error[:_LONGEST_ERROR]}
        change = "SET #state = :to, updated_at = :now, #error = :error"
        if final:
            # counted anew when the dead letter is sent back; `dead` keeps what was counted
            change += ", dead = attempts, attempts = :zero, finished_at = :now"
            said[":zero"] = 0
        return self._finish(key, owner, f"{change} REMOVE lease_until", said)

    def _finish(self, key: str, owner: str, change: str, values: Mapping[str, Any]) -> bool:
        ours = "#owner = :owner AND #state = :held"
        answer = self._update(key, change, ours, {**values, ":owner": owner, ":held": "held"})
        # our own answer was lost, and the SDK asked again: what we wanted is there
        return answer is not None and (
            "Attributes" in answer
            or (_text(answer, "owner") == owner and _text(answer, "state") == values[":to"])
        )

    def _update(self, key: str, change: str, condition: str, values: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        names = {"#state": "state", "#owner": "owner", "#error": "error"}
        try:
            return self._client().update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    k: v for k, v in names.items() if k in change + condition
                },
                ExpressionAttributeValues={k: _value(v) for k, v in values.items()},
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return error.response.get("Item", {})
            code = error.response["Error"]["Code"]
            raise StoreUnavailable(f"receipts in {self._table}: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"receipts in {self._table}: {type(error).__name__}") from error

    def _client(self) -> Any:
        return self._given or client(
            "dynamodb", self._region, connect_timeout=0.5, read_timeout=1, attempts=3
        )


def _claim(answer: Mapping[str, Any], now: float) -> Claim:
    if "Attributes" in answer:
        return Claim(state="acquired", attempt=int(answer["Attributes"]["attempts"]["N"]))
    attempt = int(answer.get("attempts", {}).get("N", 1))
    if _text(answer, "state") == "completed":
        return Claim(state="completed", attempt=attempt)
    until = float(answer.get("lease_until", {}).get("N", now))
    return Claim(state="held", attempt=attempt, lease_seconds=max(0.0, until - now))


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _value(value: str | float) -> dict[str, str]:
    return (
        {"S": value}
        if isinstance(value, str)
        else {"N": f"{value:.3f}".rstrip("0").rstrip(".") or "0"}
    )
