"""Keep in the campaigns table how far imports are.

::

    pk=IMPORT#{import}  sk=META   {st, cursor, owner, lease, ...}, for 90 days

No address and no field of a contact is in an item.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.contact_list import ContactList, Layout
from sendmill.importing import Cursor, Import, ImportStatus
from sendmill.store.item import (
    CONDITION_FAILED,
    Item,
    decode,
    encode,
    error_code,
    number,
    text,
    transact,
    translated,
)
from sendmill.store.lists import ListStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 90 * 86_400
_HELD = "#st = :running AND #owner = :me"
_NAMES = {"#st": "st", "#owner": "owner", "#lease": "lease"}


class ImportBook:
    """Keep in one table how far imports are."""

    def __init__(self, client: DynamoDBClient, table: str, lists: ListStore) -> None:
        self._client = client
        self._table = table
        self._lists = lists

    def add(self, found: Import) -> None:
        """Keep a new import."""
        with translated("writing an import"):
            self._client.put_item(TableName=self._table, Item=encode(_item(found)))

    def get(self, import_id: str) -> Import | None:
        """Return an import as it stands now."""
        with translated("reading an import"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(import_id), ConsistentRead=True
            )
        return _import(decode(found["Item"])) if "Item" in found else None

    def start(self, found: Import) -> bool:
        """Let an import run that awaits its upload; tell whether it did."""
        return self._put(found, "#st = :st", {":st": str(ImportStatus.AWAITING_UPLOAD)})

    def claim(self, import_id: str, *, owner: str, lease: int, now: int) -> Import | None:
        """Take a running import that nobody holds, and return it."""
        values: Item = {
            ":running": str(ImportStatus.RUNNING),
            ":me": owner,
            ":lease": lease,
            ":now": now,
        }
        try:
            with translated("claiming an import"):
                found = self._client.update_item(
                    TableName=self._table,
                    Key=_key(import_id),
                    UpdateExpression="SET #owner = :me, #lease = :lease",
                    ConditionExpression="#st = :running AND "
                    "(attribute_not_exists(#lease) OR #lease < :now OR #owner = :me)",
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues=encode(values),
                    ReturnValues="ALL_NEW",
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return None
        return _import(decode(found["Attributes"]))

    def save(self, found: Import, *, owner: str, keep: bool) -> bool:
        """Keep where the owner is, and perhaps let go; tell whether it still was the owner."""
        changes: Item = {
            "cursor": _cursor_text(found.cursor),
            "encoding": found.encoding,
            "mark_bytes": found.mark_bytes,
            "note": found.note,
        }
        return transact(
            self._client, "saving an import", [self._held(found.id, changes, owner, keep=keep)]
        )

    def release(self, import_id: str, *, owner: str) -> None:
        """Let go of an import; what was saved stays."""
        transact(
            self._client, "releasing an import", [self._held(import_id, {}, owner, keep=False)]
        )

    def fail(self, found: Import, *, owner: str) -> bool:
        """Mark an import as failed; tell whether this was still the owner."""
        return transact(
            self._client,
            "failing an import",
            [self._held(found.id, _outcome(found), owner, keep=False)],
        )

    def finish(self, found: Import, whole: ContactList, layout: Layout, *, owner: str) -> bool:
        """Show the list and mark the import as done, together or not at all."""
        done = self._held(found.id, _outcome(found), owner, keep=False)
        actions = [done, *self._lists.actions(whole, layout)]
        return transact(self._client, "finishing an import", actions)

    def _put(self, found: Import, condition: str, values: Item) -> bool:
        put = {
            "TableName": self._table,
            "Item": encode(_item(found)),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#st": "st"},
            "ExpressionAttributeValues": encode(values),
        }
        return transact(self._client, "starting an import", [{"Put": put}])

    def _held(self, import_id: str, changes: Item, owner: str, *, keep: bool) -> dict[str, Any]:
        """Return the write of these changes by the owner, who may let go with it."""
        names = {"#st": "st", "#owner": "owner", **{f"#{name}": name for name in changes}}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes) if changes else ""
        if not keep:
            names["#lease"] = "lease"
            expression += " REMOVE #owner, #lease"
        values: Item = {":running": str(ImportStatus.RUNNING), ":me": owner}
        values |= {f":{name}": value for name, value in changes.items()}
        update = {
            "TableName": self._table,
            "Key": _key(import_id),
            "UpdateExpression": expression.strip(),
            "ConditionExpression": _HELD,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": encode(values),
        }
        return {"Update": update}


def _key(import_id: str) -> dict[str, Any]:
    return encode({"pk": f"IMPORT#{import_id}", "sk": "META"})


def _cursor_text(cursor: Cursor) -> str:
    return json.dumps(asdict(cursor), separators=(",", ":"))


def _outcome(found: Import) -> Item:
    return {
        "st": str(found.status),
        "cursor": _cursor_text(found.cursor),
        "finished_at": found.finished_at,
        "reason": found.reason,
        "note": found.note,
    }


def _item(found: Import) -> Item:
    return {
        "pk": f"IMPORT#{found.id}",
        "sk": "META",
        "id": found.id,
        "list_id": found.list_id,
        "name": found.name,
        "filename": found.filename,
        "size": found.size,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "all_or_nothing": found.all_or_nothing,
        "adds_to": found.adds_to,
        "mapping": json.dumps(dict(found.mapping), ensure_ascii=False),
        "encoding": found.encoding,
        "delimiter": found.delimiter,
        "given": found.given,
        "mark_bytes": found.mark_bytes,
        "columns": json.dumps(found.columns, ensure_ascii=False),
        "etag": found.etag,
        "started_at": found.started_at,
        "ttl": found.created_at + KEPT_SECONDS,
        **_outcome(found),
    }


def _import(item: Item) -> Import:
    return Import(
        id=text(item, "id"),
        list_id=text(item, "list_id"),
        name=text(item, "name"),
        filename=text(item, "filename"),
        size=number(item, "size"),
        status=ImportStatus(text(item, "st")),
        created_at=number(item, "created_at"),
        created_by=text(item, "created_by"),
        all_or_nothing=bool(item.get("all_or_nothing")),
        adds_to=int(item.get("adds_to", -1)),
        mapping=json.loads(text(item, "mapping") or "{}"),
        encoding=text(item, "encoding"),
        delimiter=text(item, "delimiter"),
        given=bool(item.get("given")),
        mark_bytes=number(item, "mark_bytes"),
        columns=tuple(json.loads(text(item, "columns") or "[]")),
        etag=text(item, "etag"),
        cursor=Cursor(**json.loads(text(item, "cursor"))),
        started_at=number(item, "started_at"),
        finished_at=number(item, "finished_at"),
        reason=text(item, "reason"),
        note=text(item, "note"),
    )
