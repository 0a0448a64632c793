"""Keep the answers to requests that carry an idempotency key, so that none is done twice.

::

    campaigns table   pk=IDEM#{hash of subject and key}  sk=IDEM
                      {fp: what was asked, st: doing | done, owner, until, answer, ttl}

A claim is made before a request is done. It ends when the answer is kept, when the request failed
and may be tried again, or by itself, when the function that made it must have died.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sendmill.store.item import (
    Item,
    encode,
    text,
    translated,
    unless_standing,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEEP_SECONDS = 86_400
# Longer than the function may run: whoever claimed is dead by then.
CLAIM_SECONDS = 60
# An item holds 400 KB. What is larger is not kept, and a repetition does the request again.
MAX_ANSWER_BYTES = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """Hold an answer as it was given."""

    status: int
    kind: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Say whether a request is ours to do; otherwise what is known of the first one.

    ``answer`` is None while the first one is still being done.
    """

    ours: bool
    fingerprint: str = ""
    answer: KeptAnswer | None = None


class AnswerStore:
    """Keep answers in the campaigns table for 24 hours."""

    def __init__(
        self, client: DynamoDBClient, table: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def claim(self, key: str, fingerprint: str) -> Claim:
        """Claim a request by its key; raises StoreUnavailable."""
        now = int(self._clock())
        # one a call: what our own lost answer left behind is ours
        owner = uuid4().hex
        item: Item = {
            "fp": fingerprint,
            "st": "doing",
            "owner": owner,
            "until": now + CLAIM_SECONDS,
            "ttl": now + KEEP_SECONDS,
        }
        standing = unless_standing(
            "claiming a request",
            self._client.put_item,
            TableName=self._table,
            Item={**_key(key), **encode(item)},
            # DynamoDB forgets by `ttl` when it finds the time, up to days later
            ConditionExpression="attribute_not_exists(pk) OR #ttl <= :now "
            "OR (st = :doing AND #until <= :now)",
            ExpressionAttributeNames={"#ttl": "ttl", "#until": "until"},
            ExpressionAttributeValues=encode({":now": now, ":doing": "doing"}),
        )
        if standing is None or text(standing, "owner") == owner:
            return Claim(ours=True)
        return _standing(standing)

    def keep(self, key: str, fingerprint: str, answer: KeptAnswer) -> None:
        """Keep the answer to a request that was claimed, or forget one that is too large."""
        written = json.dumps(asdict(answer), ensure_ascii=False)
        if len(written.encode()) > MAX_ANSWER_BYTES:
            self.forget(key)
            return
        now = int(self._clock())
        item: Item = {
            "fp": fingerprint,
            "st": "done",
            "until": 0,
            "answer": written,
            "ttl": now + KEEP_SECONDS,
        }
        with translated("keeping an answer"):
            self._client.put_item(TableName=self._table, Item={**_key(key), **encode(item)})

    def forget(self, key: str) -> None:
        """Let a request be done again: it failed, or its answer cannot be kept."""
        with translated("forgetting a request"):
            self._client.delete_item(TableName=self._table, Key=_key(key))


def _standing(item: Item) -> Claim:
    written = text(item, "answer")
    answer = KeptAnswer(**json.loads(written)) if written else None
    return Claim(ours=False, fingerprint=text(item, "fp"), answer=answer)


def _key(key: str) -> dict[str, Any]:
    return encode({"pk": f"IDEM#{key}", "sk": "IDEM"})
