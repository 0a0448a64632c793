"""Keep contact lists: what an import came to in DynamoDB, the contacts in S3.

::

    campaigns table     pk=L#{list}  sk=META    g2pk=KIND#list  g2sk=created
    contacts bucket     lists/{list}/part-{n:06}.jsonl     one contact a line, at most CHUNK_SIZE
                        lists/{list}/rejected.jsonl        one rejected row a line

A list is written once and never changed, so that what was approved is what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from sendmill.contact_list import Accepted, ContactList, Rejected
from sendmill.ledger import contact_from_fields, contact_text
from sendmill.store.campaigns import items_of_kind
from sendmill.store.item import Item, decode, encode, error_code, number, text, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class ListStore:
    """Keep contact lists in one table and one bucket."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, s3: S3Client, bucket: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._s3 = s3
        self._bucket = bucket

    def add(self, found: ContactList) -> None:
        """Keep what the import of a file came to."""
        with translated("writing a contact list"):
            self._dynamodb.put_item(TableName=self._table, Item=encode(_item(found)))

    def get(self, list_id: str) -> ContactList | None:
        """Return what the import of a file came to."""
        with translated("reading a contact list"):
            found = self._dynamodb.get_item(
                TableName=self._table, Key=encode({"pk": f"L#{list_id}", "sk": "META"})
            )
        return _list(decode(found["Item"])) if "Item" in found else None

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[list[ContactList], str]:
        """Return contact lists, newest first, and the cursor of the next page."""
        items, following = items_of_kind(self._dynamodb, self._table, "list", cursor, limit)
        return [_list(item) for item in items], following

    def write_part(self, list_id: str, part: int, rows: Sequence[Accepted]) -> None:
        """Keep the contacts of one part."""
        lines = (f"[{row.line},{contact_text(row.contact)}]" for row in rows)
        self._write(_part_key(list_id, part), "\n".join(lines))

    def read_part(self, list_id: str, part: int) -> Sequence[Accepted]:
        """Return the contacts of one part."""
        lines = self._read(_part_key(list_id, part)).split("\n")
        found = (json.loads(line) for line in lines if line)
        return [Accepted(line=line, contact=contact_from_fields(raw)) for line, raw in found]

    def write_rejected(self, list_id: str, rows: Sequence[Rejected]) -> None:
        """Keep the rejected rows."""
        lines = (json.dumps([row.line, row.reason, row.duplicate]) for row in rows)
        self._write(_rejected_key(list_id), "\n".join(lines))

    def read_rejected(self, list_id: str) -> Sequence[Rejected]:
        """Return the rejected rows in the order of the file."""
        lines = self._read(_rejected_key(list_id)).splitlines()
        found = (json.loads(line) for line in lines)
        return [Rejected(line=line, reason=reason, duplicate=dup) for line, reason, dup in found]

    def _write(self, key: str, body: str) -> None:
        with translated("writing contacts"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body.encode(),
                ContentType="application/x-ndjson",
            )

    def _read(self, key: str) -> str:
        with translated("reading contacts"):
            try:
                return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    return ""
                raise


def _part_key(list_id: str, part: int) -> str:
    return f"lists/{list_id}/part-{part:06}.jsonl"


def _rejected_key(list_id: str) -> str:
    return f"lists/{list_id}/rejected.jsonl"


def _item(found: ContactList) -> Item:
    return {
        "pk": f"L#{found.id}",
        "sk": "META",
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
    )
