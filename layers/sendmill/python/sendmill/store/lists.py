"""Keep contact lists: what an import came to in DynamoDB, the contacts in S3.

::

    campaigns table     pk=L#{list}  sk=META          g2pk=KIND#list  g2sk=created
                        pk=L#{list}  sk=REV#{n:06}    where the parts of a revision lie
    contacts bucket     lists/{list}/part-{n:06}.jsonl    one contact a line, at most CHUNK_SIZE
                        lists/{list}/part-{n:06}.{token}.jsonl  written anew, or by another import
                        lists/{list}/rejected.csv         rejected rows of the newest import

A part is written once and never changed, so that what was approved is what is sent: a change
writes a new part and a new revision (docs/decisions/0004).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sendmill.contact_list import (
    Accepted,
    ContactList,
    Layout,
    Rejected,
    layout_from,
    layout_text,
    rejected_csv,
    rejected_from_csv,
)
from sendmill.errors import NotFound, StoreUnavailable
from sendmill.ledger import contact_from_fields, contact_text
from sendmill.store.item import (
    Item,
    decode,
    encode,
    error_code,
    number,
    text,
    transact,
    translated,
)
from sendmill.store.kinds import items_of_kind

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_READERS = 16
# Parts of a search that are held at once, of 50 to 200 KB each.
_READ_AHEAD = 32


class ListStore:
    """Keep contact lists in one table and one bucket."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, s3: S3Client, bucket: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._s3 = s3
        self._bucket = bucket
        self._layouts: dict[tuple[str, int], Layout] = {}

    def add(self, found: ContactList) -> None:
        """Keep what the import of a file came to."""
        with translated("writing a contact list"):
            self._dynamodb.put_item(TableName=self._table, Item=encode(_item(found)))

    def revise(self, found: ContactList, layout: Layout) -> bool:
        """Keep the next revision of a list; tell whether the one before it was the newest."""
        return transact(self._dynamodb, "revising a list", self.actions(found, layout))

    def actions(self, found: ContactList, layout: Layout) -> list[Any]:
        """Return what writes a revision in a transaction, also one with more in it."""
        put: dict[str, Any] = {"TableName": self._table, "Item": encode(_item(found))}
        if not found.revision:
            return [{"Put": {**put, "ConditionExpression": "attribute_not_exists(pk)"}}]
        put |= {
            "ConditionExpression": "revision = :before AND attribute_not_exists(deleted)",
            "ExpressionAttributeValues": encode({":before": found.revision - 1}),
        }
        item = {**_revision_key(found.id, found.revision), "layout": layout_text(layout)}
        return [{"Put": put}, {"Put": {"TableName": self._table, "Item": encode(item)}}]

    def rename(self, list_id: str, name: str) -> bool:
        """Change a list's name; tell whether it exists."""
        return self._update(list_id, "SET #name = :value", {"#name": "name"}, {":value": name})

    def mark_deleted(self, list_id: str) -> bool:
        """Let nobody see a list any more; tell whether it existed, deleted or not."""
        changes = "SET deleted = :value REMOVE g2pk, g2sk"
        return self._update(list_id, changes, {}, {":value": True}, also_deleted=True)

    def delete(self, list_id: str) -> None:
        """Delete what lies in the bucket, then the items."""
        delete_under(self._s3, self._bucket, f"lists/{list_id}/")
        with translated("deleting a contact list"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=encode({":pk": f"L#{list_id}"}),
                ProjectionExpression="pk, sk",
            )
            keys = [
                {"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]
            ]
            # META last: while it stands, deleting can be asked again
            for key in sorted(keys, key=lambda key: str(key["sk"]), reverse=True):
                self._dynamodb.delete_item(TableName=self._table, Key=key)

    def layout(self, list_id: str, revision: int) -> Layout:
        """Return where the parts of a revision lie; raises NotFound."""
        if not revision:
            return Layout()
        found = self._layouts.get((list_id, revision))
        if found is None:
            with translated("reading a revision"):
                raw = self._dynamodb.get_item(
                    TableName=self._table, Key=encode(_revision_key(list_id, revision))
                )
            if "Item" not in raw:
                raise NotFound(f"revision {revision} of contact list {list_id} does not exist")
            found = layout_from(text(decode(raw["Item"]), "layout"))
            self._layouts = {(list_id, revision): found}  # one is enough: campaigns come in runs
        return found

    def get(self, list_id: str) -> ContactList | None:
        """Return what the import of a file came to."""
        with translated("reading a contact list"):
            found = self._dynamodb.get_item(
                TableName=self._table, Key=encode(_key(list_id)), ConsistentRead=True
            )
        item = decode(found.get("Item", {}))
        return _list(item) if item and not item.get("deleted") else None

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[list[ContactList], str]:
        """Return contact lists, newest first, and the cursor of the next page."""
        items, following = items_of_kind(self._dynamodb, self._table, "list", cursor, limit)
        return [_list(item) for item in items], following

    def write_part(
        self, list_id: str, part: int, rows: Sequence[Accepted], token: str = ""
    ) -> None:
        """Keep the contacts of one part."""
        self._write(_part_key(list_id, part, token), part_text(rows), "application/x-ndjson")

    def read_part(self, list_id: str, part: int, revision: int = 0) -> Sequence[Accepted]:
        """Return the contacts of one part; raises NotFound: one that is gone is not empty."""
        return part_rows(self.part_text(list_id, part, revision))

    def part_text(self, list_id: str, part: int, revision: int = 0) -> str:
        """Return one part as it is kept, one contact a line: quick to search."""
        number_, token = self.layout(list_id, revision).place(part)
        return self._read(_part_key(list_id, number_, token))

    def part_texts(
        self, list_id: str, parts: Iterable[int], revision: int
    ) -> Iterator[tuple[int, str]]:
        """Yield parts as they are kept, one contact a line, several read at once."""
        layout = self.layout(list_id, revision)
        wanted = list(parts)
        keys = [_part_key(list_id, *layout.place(part)) for part in wanted]
        with ThreadPoolExecutor(_READERS) as readers:
            for first in range(0, len(keys), _READ_AHEAD):
                texts = readers.map(self._read, keys[first : first + _READ_AHEAD])
                yield from zip(wanted[first : first + _READ_AHEAD], texts, strict=True)

    def forget_parts(self, list_id: str, token: str) -> None:
        """Delete the parts that one import wrote."""
        for key in keys_under(self._s3, self._bucket, f"lists/{list_id}/part-"):
            if key.split(".")[1:] == ([token, "jsonl"] if token else ["jsonl"]):
                with translated("deleting contacts"):
                    self._s3.delete_object(Bucket=self._bucket, Key=key)

    def write_rejected(self, list_id: str, rows: Sequence[Rejected]) -> None:
        """Keep the rejected rows of a small file."""
        self._write(rejected_key(list_id), rejected_csv(rows), "text/csv; charset=utf-8")

    def read_rejected(self, list_id: str) -> Sequence[Rejected]:
        """Return the rejected rows of a small file, in its order."""
        try:
            return rejected_from_csv(self._read(rejected_key(list_id)))
        except NotFound:
            return []  # an import that rejected nothing, or was not of a small file

    def rejected_page(self, list_id: str, *, start: int, limit: int) -> tuple[str, int] | None:
        """Return whole lines of the file of rejected rows from a byte on, and where they end.

        At most ``limit`` bytes; the end is 0 when nothing is left. None when there is no file.
        """
        wanted = f"bytes={start}-{start + limit - 1}"
        try:
            with translated("reading rejected rows"):
                found = self._s3.get_object(
                    Bucket=self._bucket, Key=rejected_key(list_id), Range=wanted
                )
        except StoreUnavailable as error:
            if str(error).endswith(("NoSuchKey", "InvalidRange")):
                return None
            raise
        raw = found["Body"].read()
        whole = int(found["ContentRange"].rpartition("/")[2])
        if start + len(raw) < whole:
            raw = raw[: raw.rfind(b"\n") + 1]
        end = start + len(raw)
        return raw.decode(), end if end < whole else 0

    def _update(
        self,
        list_id: str,
        changes: str,
        names: dict[str, str],
        values: Item,
        *,
        also_deleted: bool = False,
    ) -> bool:
        condition = "attribute_exists(pk)"
        condition += "" if also_deleted else " AND attribute_not_exists(deleted)"
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": encode(_key(list_id)),
            "UpdateExpression": changes,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": encode(values),
        }
        update |= {"ExpressionAttributeNames": names} if names else {}
        return transact(self._dynamodb, "changing a contact list", [{"Update": update}])

    def _write(self, key: str, body: str, kind: str) -> None:
        with translated("writing contacts"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body.encode(),
                ContentType=kind,
            )

    def _read(self, key: str) -> str:
        with translated("reading contacts"):
            try:
                return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    raise NotFound(f"{key} does not exist") from error
                raise


def part_text(rows: Iterable[Accepted]) -> str:
    """Return the contacts of a part as they are kept."""
    return "\n".join(f"[{row.line},{contact_text(row.contact)}]" for row in rows)


def part_rows(text: str) -> list[Accepted]:
    """Return the contacts that :func:`part_text` wrote."""
    found = (json.loads(line) for line in text.split("\n") if line)
    return [Accepted(line=line, contact=contact_from_fields(raw)) for line, raw in found]


def rejected_key(list_id: str) -> str:
    """Return where the file of rejected rows lies."""
    return f"lists/{list_id}/rejected.csv"


def keys_under(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """Return the names of all objects under a prefix."""
    with translated("listing objects"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]


def delete_under(s3: S3Client, bucket: str, prefix: str) -> None:
    """Delete all objects under a prefix; old versions go by the bucket's own rule."""
    delete_all(s3, bucket, [{"Key": key} for key in keys_under(s3, bucket, prefix)])


def delete_all(s3: S3Client, bucket: str, gone: Sequence[Any]) -> None:
    """Delete objects, or versions of objects, side by side.

    One call for each: what a role is used for is then seen in the record of calls.
    """

    def delete(one: Any) -> None:
        with translated("deleting objects"):
            s3.delete_object(Bucket=bucket, **one)

    with ThreadPoolExecutor(_READERS) as deleters:
        # list() so that an error of any is raised here
        list(deleters.map(delete, gone))


def _part_key(list_id: str, part: int, token: str = "") -> str:
    return f"lists/{list_id}/part-{part:06}{'.' if token else ''}{token}.jsonl"


def _key(list_id: str) -> Item:
    return {"pk": f"L#{list_id}", "sk": "META"}


def _revision_key(list_id: str, revision: int) -> Item:
    return {"pk": f"L#{list_id}", "sk": f"REV#{revision:06}"}


def _item(found: ContactList) -> Item:
    return {
        **_key(found.id),
        "id": found.id,
        "name": found.name,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "rows": found.rows,
        "accepted": found.accepted,
        "invalid": found.invalid,
        "duplicates": found.duplicates,
        "parts": found.parts,
        "fields": ",".join(found.fields),
        "revision": found.revision,
        "note": found.note,
        "g2pk": "KIND#list",
        "g2sk": f"{found.created_at:012}#{found.id}",
    }


def _list(item: Item) -> ContactList:
    fields = text(item, "fields")
    return ContactList(
        id=text(item, "id"),
        name=text(item, "name"),
        created_at=number(item, "created_at"),
        created_by=text(item, "created_by"),
        rows=number(item, "rows"),
        accepted=number(item, "accepted"),
        invalid=number(item, "invalid"),
        duplicates=number(item, "duplicates"),
        parts=number(item, "parts"),
        fields=tuple(fields.split(",")) if fields else (),
        revision=number(item, "revision"),
        note=text(item, "note"),
    )
