"""Keep campaigns and their contents in the campaigns table.

::

    pk=C#{campaign}  sk=META            the campaign           g2pk=KIND#campaign  g2sk=created
    pk=C#{campaign}  sk=CONTENT#{hash}  a content of its own

Beside them lie their chunks, their counters and the list of those that the sweep looks after,
each in the module of its name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sendmill.campaign import EDITABLE, STARTABLE, Campaign, Content, Status
from sendmill.contact_list import ContactList
from sendmill.errors import NotFound
from sendmill.store.campaign_item import (
    campaign_from,
    content_from,
    content_text,
    item_of,
    key,
    meta_key,
    plain_key,
)
from sendmill.store.chunks import ChunkBook
from sendmill.store.counters import CounterBook
from sendmill.store.item import Item, decode, encode, on_condition, text, translated
from sendmill.store.kinds import items_of_kind
from sendmill.store.watch_list import WatchList, watched_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

K = TypeVar("K")
V = TypeVar("V")
# A pause acts within this many seconds on what is already queued.
CACHE_SECONDS = 2.0
# Campaigns, and contents of messages, that one worker holds, of 300 KB each at most.
MOST_REMEMBERED = 32
# The sweep looks after campaigns that are doing, or are about to do, something.
_LOOKED_AFTER = frozenset({Status.SCHEDULED, Status.PLANNING, Status.RUNNING, Status.PAUSED})
# What an edit leaves as it is, and what it takes back.
_FIXED = frozenset({"id", "created_at", "created_by", "ver", "g2pk", "g2sk"})
_APPROVAL = ("approved_by", "approved_digest", "approved_at")


class CampaignStore(ChunkBook, CounterBook, WatchList):
    """Keep campaigns, and all that belongs to them, in one DynamoDB table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(client, table, clock=clock, sleep=sleep)
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, Campaign]] = {}
        self._contents: dict[tuple[str, str], Content] = {}

    def add(self, campaign: Campaign) -> None:
        """Create a campaign; raises StoreUnavailable."""
        self._create(campaign)

    def adopt(self, campaign: Campaign) -> Campaign:
        """Create the campaign unless one of this id stands; return the one that stands.

        The sweep looks after it from now on: it too may bounce too much.
        """
        if not self._create(campaign):
            standing = self.get(campaign.id)
            if standing is not None:
                return standing
        self.activate(campaign.id)
        return campaign

    def get(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stands now."""
        with translated("reading a campaign"):
            found = self._client.get_item(
                TableName=self._table, Key=meta_key(campaign_id), ConsistentRead=True
            )
        return campaign_from(decode(found["Item"])) if "Item" in found else None

    def load(self, campaign_id: str) -> Campaign | None:
        """Return the campaign as it stood at most CACHE_SECONDS ago, while it was sending.

        One that is not is looked up each time: what a resume has just queued must not meet
        yesterday's pause.
        """
        cached = self._cache.get(campaign_id)
        now = self._monotonic()
        if cached and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        found = self.get(campaign_id)
        if found is not None and found.may_send():
            _remember(self._cache, campaign_id, (now, found))
        return found

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[list[Campaign], str]:
        """Return campaigns, newest first, and the cursor of the next page."""
        items, following = items_of_kind(self._client, self._table, "campaign", cursor, limit)
        return [campaign_from(item) for item in items], following

    def content(self, campaign_id: str, digest: str) -> Content:
        """Return a content that differs from the campaign's own; raises NotFound."""
        found = self._contents.get((campaign_id, digest))
        if found is None:
            with translated("reading a content"):
                raw = self._client.get_item(
                    TableName=self._table, Key=key(campaign_id, f"CONTENT#{digest}")
                )
            if "Item" not in raw:
                raise NotFound(f"content {digest} of campaign {campaign_id} does not exist")
            found = content_from(text(decode(raw["Item"]), "content"))
            _remember(self._contents, (campaign_id, digest), found)
        return found

    def keep_content(self, campaign_id: str, content: Content) -> None:
        """Keep a content that differs from the campaign's own."""
        digest = content.digest()
        if (campaign_id, digest) in self._contents:
            return
        item: Item = {"content": content_text(content)}
        with translated("writing a content"):
            self._client.put_item(
                TableName=self._table,
                Item={**key(campaign_id, f"CONTENT#{digest}"), **encode(item)},
            )
        _remember(self._contents, (campaign_id, digest), content)

    def revise(self, campaign: Campaign) -> bool:
        """Replace a draft or a refused campaign; tell whether it was one."""
        changes = {name: value for name, value in item_of(campaign).items() if name not in _FIXED}
        done = self._change_meta(campaign.id, changes, expected=set(EDITABLE), removes=_APPROVAL)
        if done:
            self.uncheck(campaign.id)
        return done

    def remove(self, campaign_id: str) -> bool:
        """Delete a draft; tell whether it was one."""
        return on_condition(
            "deleting a draft",
            self._client.delete_item,
            TableName=self._table,
            Key=meta_key(campaign_id),
            ConditionExpression="#st = :draft",
            ExpressionAttributeNames={"#st": "st"},
            ExpressionAttributeValues=encode({":draft": str(Status.DRAFT)}),
        )

    def approve(self, campaign_id: str, *, by: str, digest: str, at: int) -> bool:
        """Note who approved what, if it can still be started; tell whether it can."""
        changes: Item = {"approved_by": by, "approved_digest": digest, "approved_at": at}
        return self._change_meta(campaign_id, changes, expected=set(STARTABLE))

    def note_starter(self, campaign_id: str, by: str) -> None:
        """Note who started a campaign."""
        self._change_meta(campaign_id, {"started_by": by}, expected=set(Status))

    def _change_meta(
        self,
        campaign_id: str,
        changes: Item,
        *,
        expected: set[Status],
        removes: Sequence[str] = (),
    ) -> bool:
        wanted = {f":e{n}": str(value) for n, value in enumerate(sorted(expected))}
        values: Item = {**{f":{name}": value for name, value in changes.items()}, **wanted}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes)
        if removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        return on_condition(
            "changing a campaign",
            self._client.update_item,
            TableName=self._table,
            Key=meta_key(campaign_id),
            UpdateExpression=expression,
            ConditionExpression=f"#st IN ({', '.join(wanted)})",
            ExpressionAttributeNames={f"#{name}": name for name in {"st", *changes, *removes}},
            ExpressionAttributeValues=encode(values),
        )

    def set_status(
        self,
        campaign_id: str,
        status: Status,
        *,
        expected: set[Status],
        reason: str = "",
        paused_for: str = "",
    ) -> bool:
        """Change the status if it is one of the expected ones; tell whether it was.

        With ``paused_for`` a campaign that is paused must be so for this reason.
        """
        return self._set_status(
            campaign_id,
            status,
            expected=expected,
            changes={"reason": reason},
            paused_for=paused_for,
        )

    def resume(
        self,
        campaign_id: str,
        *,
        forgiven: Mapping[str, int] | None = None,
        paused_for: str = "",
    ) -> bool:
        """Let a paused campaign run, if it was paused for this reason; tell whether it was.

        ``forgiven`` are its counters that the reputation brake is to leave out from now on.
        """
        changes: Item = {"reason": ""}
        if forgiven is not None:
            changes["forgiven"] = json.dumps(dict(forgiven))
        return self._set_status(
            campaign_id,
            Status.RUNNING,
            expected={Status.PAUSED},
            changes=changes,
            paused_for=paused_for,
        )

    def _set_status(
        self,
        campaign_id: str,
        status: Status,
        *,
        expected: set[Status],
        changes: Item,
        paused_for: str = "",
    ) -> bool:
        sets: Item = {"st": str(status), "changed_at": int(self._clock()), **changes}
        wanted = {f":e{n}": str(value) for n, value in enumerate(sorted(expected))}
        values: Item = {":one": 1, **{f":{name}": value for name, value in sets.items()}, **wanted}
        condition = f"#st IN ({', '.join(wanted)})"
        if paused_for:
            condition = f"{condition} AND #st <> :paused OR {condition} AND #reason = :paused_for"
            values |= {":paused": str(Status.PAUSED), ":paused_for": paused_for}
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "SET "
            + ", ".join(f"#{name} = :{name}" for name in sets)
            + " ADD #ver :one",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#ver": "ver", **{f"#{name}": name for name in sets}},
            "ExpressionAttributeValues": encode(values),
        }
        actions: list[Any] = [{"Update": update}]
        if status in _LOOKED_AFTER:
            # together, or the sweep would never learn of a campaign that began to run again
            actions.append({"Put": {"TableName": self._table, "Item": watched_key(campaign_id)}})
        try:
            return self._transact("changing a campaign's status", actions)
        finally:
            self._cache.pop(campaign_id, None)

    def pause(self, campaign_id: str, reason: str) -> None:
        """Stop a campaign that is sending, and say why; one that is not is left alone."""
        self.set_status(
            campaign_id,
            Status.PAUSED,
            expected={Status.PLANNING, Status.RUNNING},
            reason=reason,
        )

    def pin_list(self, campaign_id: str, contacts: ContactList) -> None:
        """Let a campaign that may be changed read this revision of its list."""
        changes: Item = {
            "list_revision": contacts.revision,
            "rows": contacts.rows,
            "expected": contacts.accepted,
            "invalid": contacts.invalid,
            "duplicates": contacts.duplicates,
            "chunks": contacts.parts,
        }
        editable = {f":s{n}": str(value) for n, value in enumerate(sorted(EDITABLE))}
        values: Item = {**editable, **{f":{name}": value for name, value in changes.items()}}
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            "ConditionExpression": f"#st IN ({', '.join(editable)})",
            "ExpressionAttributeNames": {"#st": "st", **{f"#{name}": name for name in changes}},
            "ExpressionAttributeValues": encode(values),
        }
        self._transact("pinning a list", [{"Update": update}])

    def schedule(
        self, campaign_id: str, *, start_at: int, start_by: int, expected: set[Status]
    ) -> bool:
        """Schedule a campaign whose status is one of the expected ones; tell whether it was."""
        return self._set_status(
            campaign_id,
            Status.SCHEDULED,
            expected=expected,
            changes={"reason": "", "start_at": start_at, "start_by": start_by},
        )

    def _create(self, campaign: Campaign) -> bool:
        return self._put_new({**plain_key(campaign.id, "META"), **item_of(campaign)})


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """Keep a value, and forget the one that was kept longest ago when there are too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_REMEMBERED:
        known.pop(next(iter(known)))
