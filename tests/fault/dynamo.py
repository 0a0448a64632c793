"""DynamoDB in memory: every call atomic, conditions and transactions as the real one has them.

It knows exactly the expressions that the stores use and refuses any other, and it refuses what
DynamoDB refuses: an empty expression, a name or value that is not used, one item twice in a
transaction. What a caller reads or writes is copied, so that no two workers share an item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
Names = Mapping[str, str]
Values = Mapping[str, Any]
Test = Callable[[Item, Names, Values], bool]
Change = Callable[[Item, Names, Values], None]
# Told of every item that a call has changed, all of a transaction at once: (table, old, new).
Watcher = Callable[[list[tuple[str, Item | None, Item | None]]], None]

INDEXES = {"due": ("g1pk", "g1sk"), "by_kind": ("g2pk", "g2sk")}
_NAME = re.compile(r"#\w+")
_VALUE = re.compile(r":\w+")
_IN = re.compile(r"(\S+) IN \((.+)\)\Z")
_COMPARE = re.compile(r"(\S+) (=|<>|<=|>=|<|>) (\S+)\Z")
_CALL = re.compile(r"(attribute_exists|attribute_not_exists|begins_with)\((\S+?)(?:, (\S+))?\)\Z")
_COMMA = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(#?\w+) = (?:if_not_exists\()?(:?\w+)(?:, (:\w+)\))?")
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE|DELETE) ")


def refusal(code: str, message: str = "", **more: Any) -> ClientError:
    """Return an error as boto3 raises it."""
    response: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(response, "call")


def plain(value: Mapping[str, Any]) -> Any:
    """Return what an attribute value holds."""
    ((kind, raw),) = value.items()
    return int(raw) if kind == "N" else raw


@dataclass
class MemoryDynamo:
    """Stand in for a boto3 client; ``watch`` is told of every change, in the order of commits."""

    tables: dict[str, dict[str, dict[str, Item]]] = field(default_factory=dict)
    watch: Watcher = lambda _: None

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Any:  # noqa: N803
        """Read one item."""
        found = self._find(TableName, Key)
        return {"Item": dict(found)} if found is not None else {}

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        """Read up to 100 items, each once."""
        answers: dict[str, list[Item]] = {}
        for table, asked in RequestItems.items():
            keys = asked["Keys"]
            _check(0 < len(keys) <= 100, "a batch reads 1 to 100 keys")
            _check(len({_id(key) for key in keys}) == len(keys), "a key stands twice in a batch")
            found = (self._find(table, key) for key in keys)
            answers[table] = [dict(item) for item in found if item is not None]
        return {"Responses": answers, "UnprocessedKeys": {}}

    def put_item(self, *, TableName: str, Item: Item, **asked: Any) -> Any:  # noqa: N803
        """Write one item."""
        self._one("Put", {"TableName": TableName, "Item": Item, **asked})
        return {}

    def update_item(self, *, ReturnValues: str = "", **asked: Any) -> Any:  # noqa: N803
        """Change one item."""
        after = self._one("Update", asked)
        return {"Attributes": dict(after or {})} if ReturnValues else {}

    def delete_item(self, **asked: Any) -> Any:
        """Remove one item."""
        self._one("Delete", asked)
        return {}

    def transact_write_items(self, *, TransactItems: Any, **_: Any) -> Any:  # noqa: N803
        """Write all or nothing."""
        _check(0 < len(TransactItems) <= 100, "a transaction has 1 to 100 actions")
        parts = [next(iter(action.items())) for action in TransactItems]
        touched = [(part["TableName"], _id(part.get("Key") or part["Item"])) for _, part in parts]
        _check(len(set(touched)) == len(touched), "an item stands twice in a transaction")
        reasons = [self._refused(part) for _, part in parts]
        if any(reasons):
            said = [reason or {"Code": "None"} for reason in reasons]
            raise refusal("TransactionCanceledException", CancellationReasons=said)
        self._commit([self._change(verb, part) for verb, part in parts])
        return {}

    def query(
        self,
        *,
        TableName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Values,  # noqa: N803
        ExpressionAttributeNames: Names | None = None,  # noqa: N803
        IndexName: str = "",  # noqa: N803
        FilterExpression: str = "",  # noqa: N803
        ExclusiveStartKey: Item | None = None,  # noqa: N803
        Limit: int = 10_000,  # noqa: N803
        ScanIndexForward: bool = True,  # noqa: N803
        **_: Any,
    ) -> Any:
        """Read one partition of a table or an index, in order."""
        names = ExpressionAttributeNames or {}
        both = f"{KeyConditionExpression} {FilterExpression}"
        _check_used(both, names, ExpressionAttributeValues)
        test = condition(KeyConditionExpression)
        partition, sort = INDEXES[IndexName] if IndexName else ("pk", "sk")
        pool: Any
        if IndexName:
            pool = (item for part in self._table(TableName).values() for item in part.values())
        else:
            wanted = plain(ExpressionAttributeValues[KeyConditionExpression.split()[2]])
            pool = self._table(TableName).get(wanted, {}).values()
        found = [
            item
            for item in pool
            if partition in item and test(item, names, ExpressionAttributeValues)
        ]
        found.sort(key=lambda item: (plain(item[sort]), *_id(item)), reverse=not ScanIndexForward)
        if ExclusiveStartKey:
            places = [n for n, item in enumerate(found) if _id(item) == _id(ExclusiveStartKey)]
            start = ExclusiveStartKey["sk"]["S"]
            after = [n for n, item in enumerate(found) if plain(item["sk"]) > start]
            found = found[places[0] + 1 :] if places else found[after[0] :] if after else []
        page, more = found[:Limit], len(found) > Limit
        shown = [
            dict(item)
            for item in page
            if not FilterExpression
            or condition(FilterExpression)(item, names, ExpressionAttributeValues)
        ]
        answer: dict[str, Any] = {"Items": shown}
        if more:
            keys = {"pk", "sk", partition, sort}
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in keys}
        return answer

    def get_paginator(self, _: str) -> Any:
        """Return what yields every page of a query."""
        return Pages(self.query)

    def items(self, table: str) -> Iterator[Item]:
        """Yield every item of a table."""
        for part in self._table(table).values():
            yield from part.values()

    def _one(self, verb: str, part: Any) -> Item | None:
        reason = self._refused(part)
        if reason:
            old = reason.get("Item")
            raise refusal("ConditionalCheckFailedException", **({"Item": old} if old else {}))
        change = self._change(verb, part)
        self._commit([change])
        return change[2]

    def _refused(self, part: Any) -> Item | None:
        names = part.get("ExpressionAttributeNames", {})
        values = part.get("ExpressionAttributeValues", {})
        expressions = [part.get("UpdateExpression", ""), part.get("ConditionExpression", "")]
        _check_used(" ".join(expressions), names, values)
        if not part.get("ConditionExpression"):
            return None
        old = self._find(part["TableName"], part.get("Key") or part["Item"])
        if condition(part["ConditionExpression"])(old or {}, names, values):
            return None
        shown = part.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
        return {"Code": "ConditionalCheckFailed", **({"Item": dict(old or {})} if shown else {})}

    def _change(self, verb: str, part: Any) -> tuple[str, Item | None, Item | None]:
        table, key = part["TableName"], part.get("Key") or part["Item"]
        old = self._find(table, key)
        if verb == "Put":
            return table, old, dict(part["Item"])
        if verb == "Delete":
            return table, old, None
        if verb == "ConditionCheck":
            return table, old, old
        new = dict(old if old is not None else key)
        update(part["UpdateExpression"])(
            new, part.get("ExpressionAttributeNames", {}), part["ExpressionAttributeValues"]
        )
        return table, old, new

    def _commit(self, changes: list[tuple[str, Item | None, Item | None]]) -> None:
        for table, old, new in changes:
            if new is not None:
                pk, sk = _id(new)
                self._table(table).setdefault(pk, {})[sk] = new
            elif old is not None:
                pk, sk = _id(old)
                self._table(table)[pk].pop(sk, None)
        self.watch([change for change in changes if change[1] is not None or change[2] is not None])

    def _table(self, name: str) -> dict[str, dict[str, Item]]:
        return self.tables.setdefault(name, {})

    def _find(self, table: str, key: Item) -> Item | None:
        return self._table(table).get(key["pk"]["S"], {}).get(key["sk"]["S"])


@dataclass
class Pages:
    """Yield every page of a query."""

    query: Callable[..., Any]

    def paginate(self, **asked: Any) -> Iterator[Any]:
        """Ask until there is no more."""
        while True:
            page = self.query(**asked)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@cache
def condition(text: str) -> Test:
    """Return the test that a condition of the stores' kind makes: OR of AND of comparisons."""
    options = [[_atom(atom) for atom in option.split(" AND ")] for option in text.split(" OR ")]
    return lambda item, names, values: any(
        all(atom(item, names, values) for atom in option) for option in options
    )


def _atom(text: str) -> Test:
    text = text.strip()
    called = _CALL.match(text)
    if called:
        return _called(called[1], called[2], called[3])
    among = _IN.match(text)
    if among:
        name, options = among[1], [option.strip() for option in among[2].split(",")]
        return lambda item, names, values: (
            item.get(_name(name, names)) in [values[option] for option in options]
        )
    compared = _COMPARE.match(text)
    if not compared:
        raise refusal("ValidationException", f"no such condition here: {text!r}")
    name, sign, right = compared[1], compared[2], compared[3]
    return lambda item, names, values: _compare(item.get(_name(name, names)), sign, values[right])


def _called(function: str, name: str, argument: str | None) -> Test:
    if function == "begins_with":
        return lambda item, names, values: str(plain(item[_name(name, names)])).startswith(
            plain(values[str(argument)])
        )
    wanted = function == "attribute_exists"
    return lambda item, names, values: (_name(name, names) in item) is wanted


def _compare(left: Any, sign: str, right: Any) -> bool:
    if left is None:
        return False
    a, b = plain(left), plain(right)
    if type(a) is not type(b):
        return False
    found = {"=": a == b, "<>": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}
    return found[sign]


@cache
def update(text: str) -> Change:
    """Return the change that an update expression makes: SET, ADD and REMOVE of whole values."""
    words = _CLAUSE.split(text.strip() + " ")
    if words[0].strip() or len(words) < 3:
        raise refusal("ValidationException", f"no such update: {text!r}")
    steps = [
        _step(verb, part.strip())
        for verb, clause in zip(words[1::2], words[2::2], strict=True)
        for part in _COMMA.split(clause)
    ]

    def change(item: Item, names: Names, values: Values) -> None:
        # every right side is what stood before
        before = dict(item)
        for step in steps:
            step(item, before, names, values)

    return change


def _step(verb: str, text: str) -> Callable[[Item, Item, Names, Values], None]:
    if verb == "REMOVE" and re.fullmatch(r"#?\w+", text):
        return lambda item, before, names, values: item.pop(_name(text, names), None)
    if verb == "SET" and (found := _SET.fullmatch(text)):
        name, source, other = found.groups()

        def put(item: Item, before: Item, names: Names, values: Values) -> None:
            known = {**before, **values}
            item[_name(name, names)] = known[source if source in known else other]

        return put
    if verb == "ADD" and re.fullmatch(r"#?\w+ :\w+", text):
        name, value = text.split()

        def add(item: Item, before: Item, names: Names, values: Values) -> None:
            at = _name(name, names)
            item[at] = {"N": str(plain(item.get(at, {"N": "0"})) + plain(values[value]))}

        return add
    raise refusal("ValidationException", f"no such update here: {verb} {text!r}")


def _name(name: str, names: Names) -> str:
    return names[name] if name.startswith("#") else name


def _id(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _check(good: bool, message: str) -> None:
    if not good:
        raise refusal("ValidationException", message)


def _check_used(text: str, names: Names, values: Values) -> None:
    _check(set(_NAME.findall(text)) == set(names), f"names and {text!r} do not match")
    _check(set(_VALUE.findall(text)) == set(values), f"values and {text!r} do not match")
