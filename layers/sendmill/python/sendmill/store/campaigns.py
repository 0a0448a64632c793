"""Keep campaigns, their contents, chunks and counters in the campaigns table.

::

    pk=C#{campaign}  sk=META            the campaign           g2pk=KIND#campaign  g2sk=created
    pk=C#{campaign}  sk=CONTENT#{hash}  a content of its own
    pk=C#{campaign}  sk=CH#{chunk:06}   {st: todo | done}
    pk=C#{campaign}  sk=CNT#{shard:02}  {accepted, failed, ...}: their sum over shards is the ledger
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.campaign import (
    OVER,
    STARTABLE,
    Campaign,
    Config,
    Content,
    Service,
    Status,
    UnknownPolicy,
)
from sendmill.contact_list import ContactList
from sendmill.errors import InvalidCampaign, NotFound, StoreUnavailable
from sendmill.ledger import COUNTED_NEWS, State
from sendmill.store.item import (
    CONDITION_FAILED,
    CONFLICT_ATTEMPTS,
    Item,
    cancellation_codes,
    decode,
    encode,
    error_code,
    number,
    text,
    translated,
    wait,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A pause acts within this many seconds on what is already queued.
CACHE_SECONDS = 2.0


# The sweep looks after campaigns that are doing, or are about to do, something.
_LOOKED_AFTER = frozenset({Status.SCHEDULED, Status.PLANNING, Status.RUNNING, Status.PAUSED})
# Two sweeps that find the same drift must not both repair it; none runs for so long, in seconds.
_REPAIR_SECONDS = 900
# What an edit leaves as it is, and what it takes back.
_FIXED = frozenset({"id", "created_at", "created_by", "ver", "g2pk", "g2sk"})
_APPROVAL = ("approved_by", "approved_digest", "approved_at")
_COUNTERS = (*(str(state) for state in State), *(str(news) for news in COUNTED_NEWS))


class CampaignStore:
    """Keep campaigns in one DynamoDB table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._monotonic = monotonic
        self._clock = clock
        self._sleep = sleep
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
                TableName=self._table, Key=_key(campaign_id, "META"), ConsistentRead=True
            )
        return _campaign(decode(found["Item"])) if "Item" in found else None

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
            self._cache[campaign_id] = (now, found)
        return found

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[list[Campaign], str]:
        """Return campaigns, newest first, and the cursor of the next page."""
        items, following = items_of_kind(self._client, self._table, "campaign", cursor, limit)
        return [_campaign(item) for item in items], following

    def content(self, campaign_id: str, digest: str) -> Content:
        """Return a content that differs from the campaign's own; raises NotFound."""
        found = self._contents.get((campaign_id, digest))
        if found is None:
            with translated("reading a content"):
                raw = self._client.get_item(
                    TableName=self._table, Key=_key(campaign_id, f"CONTENT#{digest}")
                )
            if "Item" not in raw:
                raise NotFound(f"content {digest} of campaign {campaign_id} does not exist")
            found = _content(text(decode(raw["Item"]), "content"))
            self._contents[campaign_id, digest] = found
        return found

    def keep_content(self, campaign_id: str, content: Content) -> None:
        """Keep a content that differs from the campaign's own."""
        digest = content.digest()
        if (campaign_id, digest) in self._contents:
            return
        item: Item = {"content": _content_text(content)}
        with translated("writing a content"):
            self._client.put_item(
                TableName=self._table,
                Item={**_key(campaign_id, f"CONTENT#{digest}"), **encode(item)},
            )
        self._contents[campaign_id, digest] = content

    def revise(self, campaign: Campaign) -> bool:
        """Replace a draft or a refused campaign; tell whether it was one."""
        changes = {name: value for name, value in _item(campaign).items() if name not in _FIXED}
        editable = {Status.DRAFT, Status.REFUSED}
        done = self._change_meta(campaign.id, changes, expected=editable, removes=_APPROVAL)
        if done:
            self.uncheck(campaign.id)
        return done

    def remove(self, campaign_id: str) -> bool:
        """Delete a draft; tell whether it was one."""
        try:
            with translated("deleting a draft"):
                self._client.delete_item(
                    TableName=self._table,
                    Key=meta_key(campaign_id),
                    ConditionExpression="#st = :draft",
                    ExpressionAttributeNames={"#st": "st"},
                    ExpressionAttributeValues=encode({":draft": str(Status.DRAFT)}),
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

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
        try:
            with translated("changing a campaign"):
                self._client.update_item(
                    TableName=self._table,
                    Key=meta_key(campaign_id),
                    UpdateExpression=expression,
                    ConditionExpression=f"#st IN ({', '.join(wanted)})",
                    ExpressionAttributeNames={
                        f"#{name}": name for name in {"st", *changes, *removes}
                    },
                    ExpressionAttributeValues=encode(values),
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

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
            "Key": _key(campaign_id, "META"),
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
            actions.append({"Put": {"TableName": self._table, "Item": _active(campaign_id)}})
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

    def counters(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counters of states (but ``pending``) and of news, summed over shards."""
        sums: Counter[str] = Counter()
        for item in self._under(campaign_id, "CNT#"):
            for name in _COUNTERS:
                sums[name] += number(item, name)
        return {name: count for name, count in sums.items() if count}

    def add_chunks(self, campaign_id: str, first: int, last: int) -> Sequence[int]:
        """Create those of the chunks ``first`` to ``last`` (exclusive) that do not stand yet.

        Returns those that are not done.
        """
        standing = {text(item, "sk"): text(item, "st") for item in self._under(campaign_id, "CH#")}
        for chunk in range(first, last):
            if _chunk_key(chunk) not in standing:
                self._put_new({**_plain_key(campaign_id, _chunk_key(chunk)), "st": "todo"})
        return [one for one in range(first, last) if standing.get(_chunk_key(one)) != "done"]

    def check_chunk(self, campaign_id: str, chunk: int) -> None:
        """Mark a chunk as checked and count it; one that is checked already is left alone."""
        self._advance_chunk(campaign_id, chunk, "todo", "checked", {"chunks_checked": 1})

    def finish_chunk(self, campaign_id: str, chunk: int, *, rows: int, duplicates: int) -> None:
        """Mark a chunk as done and count it in; a chunk that is done is left alone."""
        counts = {"chunks_done": 1, "total": rows, "duplicates": duplicates}
        self._advance_chunk(campaign_id, chunk, "checked", "done", counts)

    def uncheck(self, campaign_id: str) -> None:
        """Forget that chunks were checked: the content has changed, or is to be checked again."""
        for item in self._under(campaign_id, "CH#"):
            if text(item, "st") != "done":
                with translated("resetting a chunk"):
                    self._client.put_item(
                        TableName=self._table,
                        Item=encode({**_plain_key(campaign_id, text(item, "sk")), "st": "todo"}),
                    )
        with translated("resetting a campaign"):
            self._client.update_item(
                TableName=self._table,
                Key=meta_key(campaign_id),
                UpdateExpression="SET chunks_checked = :zero",
                ExpressionAttributeValues=encode({":zero": 0}),
            )

    def pin_list(self, campaign_id: str, contacts: ContactList) -> None:
        """Let a campaign that is not started read this revision of its list."""
        changes: Item = {
            "list_revision": contacts.revision,
            "rows": contacts.rows,
            "expected": contacts.accepted,
            "invalid": contacts.invalid,
            "duplicates": contacts.duplicates,
            "chunks": contacts.parts,
        }
        startable = {f":s{n}": str(value) for n, value in enumerate(sorted(STARTABLE))}
        values: Item = {**startable, **{f":{name}": value for name, value in changes.items()}}
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            "ConditionExpression": f"#st IN ({', '.join(startable)})",
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

    def activate(self, campaign_id: str) -> None:
        """Let the sweep look after a campaign."""
        with translated("activating a campaign"):
            self._client.put_item(TableName=self._table, Item=_active(campaign_id))

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
        delete = {"TableName": self._table, "Key": _active(campaign_id)}
        self._transact("deactivating a campaign", [{"ConditionCheck": check}, {"Delete": delete}])

    def active(self) -> Iterator[str]:
        """Yield the ids of the campaigns that the sweep looks after."""
        with translated("reading active campaigns"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=encode({":pk": "ACTIVE"}),
            )
            for page in pages:
                yield from (text(decode(item), "sk") for item in page["Items"])

    def repair(self, campaign_id: str, changes: Mapping[str, int]) -> bool:
        """Move counters by these amounts, unless that was just done; tell whether it was now."""
        now = int(self._clock())
        values: Item = {":now": now, ":before": now - _REPAIR_SECONDS}
        values |= {f":{name}": change for name, change in changes.items()}
        try:
            with translated("repairing counters"):
                self._client.update_item(
                    TableName=self._table,
                    Key=counter_key(campaign_id, 0),
                    UpdateExpression="SET repaired_at = :now ADD "
                    + ", ".join(f"#{name} :{name}" for name in changes),
                    ConditionExpression="attribute_not_exists(repaired_at) "
                    "OR repaired_at < :before",
                    ExpressionAttributeNames={f"#{name}": name for name in changes},
                    ExpressionAttributeValues=encode(values),
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

    def _advance_chunk(
        self, campaign_id: str, chunk: int, before: str, after: str, counts: Mapping[str, int]
    ) -> None:
        """Move a chunk and the campaign's counts together; chunks of a campaign meet on META."""
        moved: dict[str, Any] = {
            "TableName": self._table,
            "Key": _key(campaign_id, _chunk_key(chunk)),
            "UpdateExpression": "SET st = :after",
            "ConditionExpression": "st = :before",
            "ExpressionAttributeValues": encode({":after": after, ":before": before}),
        }
        counted: dict[str, Any] = {
            "TableName": self._table,
            "Key": meta_key(campaign_id),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counts),
            "ExpressionAttributeNames": {f"#{name}": name for name in counts},
            "ExpressionAttributeValues": encode({f":{name}": n for name, n in counts.items()}),
        }
        actions: list[Any] = [{"Update": moved}, {"Update": counted}]
        self._transact("counting a chunk", actions)

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

    def _create(self, campaign: Campaign) -> bool:
        return self._put_new({**_plain_key(campaign.id, "META"), **_item(campaign)})

    def _put_new(self, item: Item) -> bool:
        try:
            with translated("creating an item"):
                self._client.put_item(
                    TableName=self._table,
                    Item=encode(item),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

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


def counter_key(campaign_id: str, shard: int) -> dict[str, Any]:
    """Return the key of one shard of a campaign's counters."""
    return _key(campaign_id, f"CNT#{shard:02}")


def meta_key(campaign_id: str) -> dict[str, Any]:
    """Return the key of the campaign's own item."""
    return _key(campaign_id, "META")


def _active(campaign_id: str) -> dict[str, Any]:
    return encode({"pk": "ACTIVE", "sk": campaign_id})


def items_of_kind(
    client: DynamoDBClient, table: str, kind: str, cursor: str, limit: int
) -> tuple[list[Item], str]:
    """Return items of one kind, newest first; shared with the contact lists.

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


def _plain_key(campaign_id: str, sort: str) -> Item:
    return {"pk": f"C#{campaign_id}", "sk": sort}


def _key(campaign_id: str, sort: str) -> dict[str, Any]:
    return encode(_plain_key(campaign_id, sort))


def _chunk_key(chunk: int) -> str:
    return f"CH#{chunk:06}"


def _content_text(content: Content) -> str:
    return json.dumps(content.plain(), ensure_ascii=False, separators=(",", ":"))


def _content(raw: str) -> Content:
    value = json.loads(raw)
    config = value["config"]
    service = Service(config.pop("email_service"))
    return Content(
        subject=value["subject"],
        body=value["body"],
        config=Config(email_service=service, **config),
        text=value.get("text", ""),
        defaults=tuple((name, said) for name, said in value.get("defaults", ())),
    )


def _item(campaign: Campaign) -> Item:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "content": _content_text(campaign.content),
        "st": str(campaign.status),
        "created_at": campaign.created_at,
        "list_id": campaign.list_id,
        "list_revision": campaign.list_revision,
        "template_id": campaign.template_id,
        "template_version": campaign.template_version,
        "rows": campaign.rows,
        "expected": campaign.expected,
        "total": campaign.total,
        "invalid": campaign.invalid,
        "duplicates": campaign.duplicates,
        "chunks": campaign.chunks,
        "chunks_checked": campaign.chunks_checked,
        "chunks_done": campaign.chunks_done,
        "unknown_policy": str(campaign.unknown_policy),
        "start_at": campaign.start_at,
        "start_by": campaign.start_by,
        "reason": campaign.reason,
        "created_by": campaign.created_by,
        "edited_by": campaign.edited_by,
        "forgiven": json.dumps(dict(campaign.forgiven)),
        "ver": 1,
        "g2pk": "KIND#campaign",
        "g2sk": f"{campaign.created_at:012}#{campaign.id}",
    }


def _campaign(item: Item) -> Campaign:
    return Campaign(
        id=text(item, "id"),
        name=text(item, "name"),
        content=_content(text(item, "content")),
        status=Status(text(item, "st")),
        created_at=number(item, "created_at"),
        list_id=text(item, "list_id"),
        list_revision=number(item, "list_revision"),
        template_id=text(item, "template_id"),
        template_version=number(item, "template_version"),
        rows=number(item, "rows"),
        expected=number(item, "expected"),
        total=number(item, "total"),
        invalid=number(item, "invalid"),
        duplicates=number(item, "duplicates"),
        chunks=number(item, "chunks"),
        chunks_checked=number(item, "chunks_checked"),
        chunks_done=number(item, "chunks_done"),
        unknown_policy=UnknownPolicy(text(item, "unknown_policy") or "auto"),
        start_at=number(item, "start_at"),
        start_by=number(item, "start_by"),
        changed_at=number(item, "changed_at"),
        reason=text(item, "reason"),
        created_by=text(item, "created_by"),
        edited_by=text(item, "edited_by"),
        started_by=text(item, "started_by"),
        approved_by=text(item, "approved_by"),
        approved_digest=text(item, "approved_digest"),
        approved_at=number(item, "approved_at"),
        forgiven=json.loads(text(item, "forgiven") or "{}"),
    )
