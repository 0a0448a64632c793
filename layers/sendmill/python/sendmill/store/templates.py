"""Keep templates in the campaigns table.

::

    pk=T#{template}  sk=META          the newest version's number and name  g2pk=KIND#template
    pk=T#{template}  sk=V#{version}   one version, written once
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sendmill.store.item import Item, decode, encode, number, text, transact, translated
from sendmill.store.kinds import items_of_kind
from sendmill.stored_template import StoredTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient


class TemplateStore:
    """Keep templates in one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, found: StoredTemplate) -> bool:
        """Keep a version; tell whether the one before it was the newest."""
        newest: dict[str, Any] = {
            "TableName": self._table,
            "Item": encode(_newest(found)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if found.version > 1:
            newest["ConditionExpression"] = "version = :before"
            newest["ExpressionAttributeValues"] = encode({":before": found.version - 1})
        version = {
            "TableName": self._table,
            "Item": encode(_version(found)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return transact(self._client, "saving a template", [{"Put": newest}, {"Put": version}])

    def get(self, template_id: str, version: int = 0) -> StoredTemplate | None:
        """Return a version, or the newest."""
        at = version or number(self._item(template_id, "META"), "version")
        item = self._item(template_id, _sort(at)) if at else {}
        return _template(item) if item else None

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[Sequence[StoredTemplate], str]:
        """Return the newest version of every template, the latest saved first."""
        items, following = items_of_kind(self._client, self._table, "template", cursor, limit)
        return [_template(item) for item in items], following

    def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Return every version of a template, newest first."""
        items = self._all(template_id)
        return [_template(item) for item in reversed(items) if text(item, "sk") != "META"]

    def delete(self, template_id: str) -> bool:
        """Delete a template in every version; tell whether there was one."""
        items = self._all(template_id)
        for item in reversed(items):  # META last, so that deleting can be asked again
            with translated("deleting a template"):
                self._client.delete_item(
                    TableName=self._table, Key=_key(template_id, text(item, "sk"))
                )
        return bool(items)

    def _item(self, template_id: str, sort: str) -> Item:
        with translated("reading a template"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(template_id, sort), ConsistentRead=True
            )
        return decode(found.get("Item", {}))

    def _all(self, template_id: str) -> Sequence[Item]:
        with translated("reading a template"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=encode({":pk": f"T#{template_id}"}),
                ConsistentRead=True,
            )
            return [decode(item) for page in pages for item in page["Items"]]


def _key(template_id: str, sort: str) -> dict[str, Any]:
    return encode({"pk": f"T#{template_id}", "sk": sort})


def _sort(version: int) -> str:
    return f"V#{version:06}"


def _common(found: StoredTemplate) -> Item:
    return {
        "pk": f"T#{found.id}",
        "id": found.id,
        "version": found.version,
        "name": found.name,
        "subject": found.subject,
        "variables": ",".join(found.variables),
        "created_at": found.created_at,
        "created_by": found.created_by,
    }


def _newest(found: StoredTemplate) -> Item:
    """Return what lists show; the body is read with its version."""
    listed = {"g2pk": "KIND#template", "g2sk": f"{found.created_at:012}#{found.id}"}
    return {**_common(found), "sk": "META", **listed}


def _version(found: StoredTemplate) -> Item:
    return {
        **_common(found),
        "sk": _sort(found.version),
        "body": found.body,
        "text": found.text,
        "defaults": json.dumps(dict(found.defaults), ensure_ascii=False),
    }


def _template(item: Item) -> StoredTemplate:
    variables = text(item, "variables")
    return StoredTemplate(
        id=text(item, "id"),
        version=number(item, "version"),
        name=text(item, "name"),
        subject=text(item, "subject"),
        body=text(item, "body"),
        text=text(item, "text"),
        defaults=json.loads(text(item, "defaults") or "{}"),
        variables=tuple(variables.split(",")) if variables else (),
        created_at=number(item, "created_at"),
        created_by=text(item, "created_by"),
    )
