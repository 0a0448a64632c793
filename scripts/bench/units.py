"""Count what DynamoDB would bill for the requests that were really made.

Rules: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
A write unit is 1 KB, twice that in a transaction; a read unit is 4 KB read consistently. A write
that adds, changes or removes an entry of an index costs that entry as well.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
_INDEX = ("g1pk", "g1sk")
_SET = re.compile(r"(#?\w+) = (:\w+)")


def item_bytes(item: Item) -> int:
    """Return the size of an item: names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def transaction_units(body: str, standing: Mapping[str, Item]) -> float:
    """Return the write units of one transaction; ``standing`` holds the rows by sort key."""
    units = 0.0
    for action in json.loads(body)["TransactItems"]:
        ((kind, asked),) = action.items()
        before = standing.get(asked.get("Key", {}).get("sk", {}).get("S", ""), asked.get("Key", {}))
        after = asked["Item"] if kind == "Put" else _changed(before, asked)
        size = max(item_bytes(before), item_bytes(after))
        units += 2 * math.ceil(size / 1024)
        if any(before.get(name) != after.get(name) for name in _INDEX):
            # an entry whose key changes is removed and added
            units += sum(any(name in item for name in _INDEX) for item in (before, after))
    return units


def put_units(body: str) -> float:
    """Return the write units of a row that is created, its index entry included."""
    item = json.loads(body)["Item"]
    return math.ceil(item_bytes(item) / 1024) + any(name in item for name in _INDEX)


def read_units(body: str, standing: Mapping[str, Item]) -> float:
    """Return the read units of one BatchGetItem; what is not there costs one."""
    keys: Sequence[Any] = [
        key for table in json.loads(body)["RequestItems"].values() for key in table["Keys"]
    ]
    sizes = [item_bytes(standing.get(key["sk"]["S"], {})) for key in keys]
    return sum(max(1, math.ceil(size / 4096)) for size in sizes)


def _changed(before: Item, asked: Mapping[str, Any]) -> Item:
    names = asked.get("ExpressionAttributeNames", {})
    values = asked.get("ExpressionAttributeValues", {})
    expression, _, removed = asked["UpdateExpression"].partition(" REMOVE ")
    after = dict(before)
    for name, value in _SET.findall(expression):
        after[names.get(name, name)] = values[value]
    for name in re.findall(r"#?\w+", removed):
        after.pop(names.get(name, name), None)
    return after


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, raw),) = value.items()
    if kind == "N":
        return math.ceil(len(str(raw)) / 2) + 1
    return 1 if kind in ("BOOL", "NULL") else len(str(raw).encode())
