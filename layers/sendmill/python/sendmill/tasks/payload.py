"""Turn arguments into JSON and back, refusing whatever would not come back as it went in.

JSON alone would turn a tuple into a list, an integer key into a string, and write NaN as a word
that is not JSON. Here all of them are refused where the task is called, in every mode alike, with
the path of the value and what to pass instead. A parameter annotated as ``datetime``, ``date``,
``time``, ``timedelta``, ``UUID``, ``Decimal``, an Enum, a dataclass, a TypedDict, or a model of
pydantic or msgspec is converted on both sides.
"""

from __future__ import annotations

import json
import math
from typing import Any

from sendmill.tasks.errors import PayloadNotSerializable

_ADVICE = {
    "datetime": "annotate the parameter as datetime, or pass value.isoformat()",
    "date": "annotate the parameter as date, or pass value.isoformat()",
    "time": "annotate the parameter as time, or pass value.isoformat()",
    "timedelta": "annotate the parameter as timedelta, or pass value.total_seconds()",
    "UUID": "annotate the parameter as UUID, or pass str(value)",
    "Decimal": "annotate the parameter as Decimal, or pass str(value)",
    "set": "pass sorted(value)",
    "frozenset": "pass sorted(value)",
    "tuple": "pass list(value)",
    "bytes": "pass base64.b64encode(value).decode()",
    "QuerySet": "pass the ids, list(queryset.values_list('pk', flat=True))",
}
_DEEPEST = 64


def require_json(value: Any, path: str, depth: int = 0) -> None:
    """Raise PayloadNotSerializable unless a value comes out of JSON exactly as it went in."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return
    if kind is str:
        _require_text(value, path)
    elif kind is float:
        _require_finite(value, path)
    elif depth >= _DEEPEST:
        raise PayloadNotSerializable(f"{path} is nested deeper than {_DEEPEST} levels")
    elif kind is list:
        for number, item in enumerate(value):
            require_json(item, f"{path}[{number}]", depth + 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise PayloadNotSerializable(f"{path} has the key {key!r}: keys must be str")
            _require_text(key, path)
            require_json(item, f"{path}.{key}", depth + 1)
    else:
        raise PayloadNotSerializable(f"{path} is a {kind.__name__}: {_advice(kind)}")


def dumps(value: Any) -> str:
    """Return compact JSON; raises PayloadNotSerializable."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise PayloadNotSerializable(f"not JSON: {error}") from error
    # SQS takes what XML 1.0 takes: control characters are escaped by now, these two are not.
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def loads(text: str) -> Any:
    """Return what JSON holds; raises ValueError, also for NaN and for a key that comes twice."""
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once)


def _require_finite(value: float, path: str) -> None:
    if not math.isfinite(value):
        raise PayloadNotSerializable(f"{path} must be a finite number (got {value!r})")


def _require_text(value: str, path: str) -> None:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise PayloadNotSerializable(f"{path} holds half a surrogate pair") from None


def _advice(kind: type) -> str:
    for base in kind.__mro__:
        if base.__name__ in _ADVICE:
            return _ADVICE[base.__name__]
    if issubclass(kind, (str, int, float, list, dict)):
        return "pass the plain value (only exact JSON types come back as they went in)"
    return "pass an id or plain values, and load the object in the task"


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found
