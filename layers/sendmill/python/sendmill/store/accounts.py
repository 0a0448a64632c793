"""Keep what SES says of the account, and share the sending rate between workers.

::

    campaigns table   pk=ACCOUNT#{region}  sk=SES   quota, rate, factor, why nothing may be sent
                      pk=RATE#{region}     sk=SES   {tat}: until when the rate is taken, in µs
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.campaign import Config, Service
from sendmill.errors import RetryableError, StoreUnavailable
from sendmill.rate import SAMPLE_MAILS, Account, Slot, after_batch, starts_in, taken_until
from sendmill.store.item import (
    CONDITION_FAILED,
    Item,
    decode,
    encode,
    error_code,
    number,
    on_condition,
    text,
    translated,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A change of quota or rate is seen by every worker within this many seconds.
CACHE_SECONDS = 5.0
# What SES said is asked anew by a worker when the sweep has not done so for this long.
STALE_SECONDS = 600
# A worker whom SES did not answer asks again after this many seconds, not for every batch.
ASK_AGAIN_SECONDS = 60
_ATTEMPTS = 8


class AccountStore:
    """Keep one account item for each region."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, Account]] = {}
        # what held last time is tried first: below the rate limit that saves every second write
        self._has_passed = False

    def load(self, region: str) -> Account:
        """Return the account as it was known at most CACHE_SECONDS ago."""
        cached = self._cache.get(region)
        now = self._monotonic()
        if cached and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        with translated("reading the account"):
            found = self._client.get_item(TableName=self._table, Key=_account_key(region))
        account = _account(decode(found["Item"])) if "Item" in found else Account()
        self._cache[region] = (now, account)
        return account

    def save_quota(self, region: str, account: Account) -> None:
        """Keep what SES said, unless it has been asked since; the factor, which is ours, stays."""
        newer = "attribute_not_exists(asked_at) OR asked_at <= :asked_at"
        self._update(region, _quota_item(account), condition=newer)

    def save_factor(self, region: str, account: Account, *, was: Account) -> None:
        """Keep what refusals have left of the rate, unless another worker has changed that."""
        changes: Item = {"factor": str(account.factor), "factor_at": account.factor_at}
        unchanged = "attribute_not_exists(factor_at) OR factor_at = :was_at"
        self._update(region, changes, condition=unchanged, values={":was_at": was.factor_at})

    def reserve(
        self, region: str, count: int, rate: float, now_us: int, *, within: float = inf
    ) -> float:
        """Take ``count`` slots of the rate in one write; return in how many seconds they start.

        They are not taken when they would not start ``within`` so many seconds. Raises
        StoreUnavailable when other workers keep coming first.
        """
        latest_us = None if within == inf else now_us + int(within * 1_000_000)
        tat = self._tat(region, now_us, count, rate, latest_us)
        return starts_in(tat, now_us=now_us, count=count, rate=rate)

    def _tat(self, region: str, now_us: int, count: int, rate: float, latest_us: int | None) -> int:
        """Advance the TAT: from itself while it lies ahead, from now when it has passed.

        One that lies beyond the latest start is returned as it would be, and stays as it is.
        """
        step = taken_until(0, now_us=0, count=count, rate=rate)
        ahead: Any = {
            "UpdateExpression": "ADD tat :step",
            "ConditionExpression": "tat > :now",
            "ExpressionAttributeValues": encode({":step": step, ":now": now_us}),
        }
        if latest_us is not None:
            ahead["ConditionExpression"] += " AND tat <= :latest"
            ahead["ExpressionAttributeValues"] |= encode({":latest": latest_us})
        passed: Any = {
            "UpdateExpression": "SET tat = :next",
            "ConditionExpression": "attribute_not_exists(tat) OR tat <= :now",
            "ExpressionAttributeValues": encode({":next": now_us + step, ":now": now_us}),
        }
        for _ in range(_ATTEMPTS):
            try:
                with translated("reserving the rate"):
                    answer = self._client.update_item(
                        TableName=self._table,
                        Key=_rate_key(region),
                        ReturnValues="UPDATED_NEW",
                        **(passed if self._has_passed else ahead),
                    )
                return number(decode(answer["Attributes"]), "tat")
            except ClientError as error:
                if error_code(error) != CONDITION_FAILED:
                    raise
                self._has_passed = not self._has_passed
            if latest_us is not None and (standing := self._standing_tat(region)) > latest_us:
                return standing + step
        raise StoreUnavailable("reserving the rate: other workers kept coming first")

    def _standing_tat(self, region: str) -> int:
        with translated("reading the rate"):
            found = self._client.get_item(
                TableName=self._table, Key=_rate_key(region), ConsistentRead=True
            )
        return number(decode(found.get("Item", {})), "tat")

    def _update(
        self, region: str, changes: Item, *, condition: str, values: Item | None = None
    ) -> None:
        """Change the account if the condition holds; what stands is read anew either way."""
        self._cache.pop(region, None)
        said: Item = {**{f":{name}": value for name, value in changes.items()}, **(values or {})}
        on_condition(
            "writing the account",
            self._client.update_item,
            TableName=self._table,
            Key=_account_key(region),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{name}": name for name in changes},
            ExpressionAttributeValues=encode(said),
        )


class SharedLimiter:
    """Share the rate of each region's account between every worker; SMTP servers have none.

    ``ask`` returns what SES says of the account in a region; ``home`` is the function's region.
    """

    def __init__(
        self,
        accounts: AccountStore,
        *,
        ask: Callable[[str], Account],
        home: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._ask = ask
        self._home = home
        self._clock = clock
        self._unanswered: dict[str, int] = {}
        self._heard: dict[str, Counter[str]] = {}

    def reserve(self, config: Config, count: int, *, within: float = inf) -> Slot:
        """Return the slot of ``count`` mails; it is taken, whether used or not."""
        if config.email_service is not Service.SES:
            return Slot()
        region = config.aws_region or self._home
        account = self._account(region)
        if account.stopped:
            return Slot(stopped=account.stopped)
        rate = account.rate()
        now_us = int(self._clock() * 1_000_000)
        wait = self._accounts.reserve(region, count, rate, now_us, within=within)
        return Slot(starts_in=wait, rate=rate)

    def report(self, config: Config, *, sent: int, throttled: int) -> None:
        """Cut the rate when most of a sample was refused, and let it recover.

        What was refused comes again in small groups: judged one by one, they would cut and cut.
        """
        if config.email_service is not Service.SES:
            return
        region = config.aws_region or self._home
        heard = self._heard.setdefault(region, Counter())
        heard.update(sent=sent, throttled=throttled)
        refused = 0
        if heard.total() >= SAMPLE_MAILS:
            refused = heard["throttled"]
            self._heard.pop(region)
        account = self._accounts.load(region)
        accepted = heard.total() - refused
        after = after_batch(account, sent=accepted, throttled=refused, now=int(self._clock()))
        if after != account:
            self._accounts.save_factor(region, after, was=account)

    def _account(self, region: str) -> Account:
        account = self._accounts.load(region)
        now = int(self._clock())
        if now - account.asked_at < STALE_SECONDS:
            return account
        if now - self._unanswered.get(region, 0) < ASK_AGAIN_SECONDS:
            return account
        try:
            fresh = self._ask(region)
        except RetryableError:
            self._unanswered[region] = now
            return account
        self._accounts.save_quota(region, replace(fresh, asked_at=now))
        return self._accounts.load(region)


def _rate_key(region: str) -> dict[str, Any]:
    return encode({"pk": f"RATE#{region}", "sk": "SES"})


def _account_key(region: str) -> dict[str, Any]:
    return encode({"pk": f"ACCOUNT#{region}", "sk": "SES"})


def _quota_item(account: Account) -> Item:
    return {
        "max_rate": str(account.max_rate),
        "daily_quota": str(account.daily_quota),
        "sent_today": str(account.sent_today),
        "production": account.production,
        "enforcement": account.enforcement,
        "stopped": account.stopped,
        "asked_at": account.asked_at,
        "safety": str(account.safety),
    }


def _account(item: Item) -> Account:
    fallback = Account()
    return Account(
        max_rate=float(item.get("max_rate", fallback.max_rate)),
        daily_quota=float(item.get("daily_quota", fallback.daily_quota)),
        sent_today=float(item.get("sent_today", 0)),
        production=bool(item.get("production", True)),
        enforcement=text(item, "enforcement") or fallback.enforcement,
        stopped=text(item, "stopped"),
        asked_at=number(item, "asked_at"),
        safety=float(item.get("safety", fallback.safety)),
        factor=float(item.get("factor", 1)),
        factor_at=number(item, "factor_at"),
    )
