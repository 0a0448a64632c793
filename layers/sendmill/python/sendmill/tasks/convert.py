"""Convert arguments by the annotations of their parameters, on both sides alike.

Only ``X``, ``X | None``, ``list[X]`` and ``dict[str, X]`` are converted: what a union of several
types means could not be told from its JSON. An annotation that cannot be resolved converts nothing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

# A plain JSON type: what is checked, and what else is taken for it.
_PLAIN: dict[Any, tuple[type, ...]] = {
    int: (int,),
    str: (str,),
    float: (float, int),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
}
# How a type is written, and how it is read.
_SCALARS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    timedelta: (timedelta.total_seconds, lambda value: timedelta(seconds=value)),
    UUID: (str, UUID),
    Decimal: (str, Decimal),
}


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's parameters, or nothing when they cannot be resolved."""
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that only a type checker sees, or anything an annotation may do
        return {}


def to_json(value: Any, hint: Any, path: str) -> Any:
    """Return a value as its JSON form; raises TypeError or ValueError."""
    return _walk(value, hint, path, writing=True)


def from_json(value: Any, hint: Any, path: str) -> Any:
    """Return a value from its JSON form; raises TypeError or ValueError."""
    return _walk(value, hint, path, writing=False)


def _walk(value: Any, hint: Any, path: str, *, writing: bool) -> Any:
    hint, optional = _without_none(hint)
    if value is None and (optional or hint is None or hint is type(None)):
        return None
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list and type(value) is list:
        return [_walk(v, inner[0], f"{path}[{n}]", writing=writing) for n, v in enumerate(value)]
    if origin in (dict, Mapping) and type(value) is dict and len(inner) == 2:
        return {k: _walk(v, inner[1], f"{path}.{k}", writing=writing) for k, v in value.items()}
    plain = _PLAIN.get(origin or hint) if _hashable(origin or hint) else None
    if plain is not None:
        return _checked(value, plain, hint, path)
    if not isinstance(hint, type):
        return value
    return _converted(value, hint, path, writing=writing)


def _converted(value: Any, hint: Any, path: str, *, writing: bool) -> Any:
    if typing.is_typeddict(hint):
        found = _checked(value, (dict,), hint, path)
        hints = hints_of(hint)
        return {k: _walk(v, hints.get(k), f"{path}.{k}", writing=writing) for k, v in found.items()}
    codec = _codec(hint, path)
    if codec is None:
        return value
    write, read = codec
    instance = value if isinstance(value, hint) else _read(read, value, hint, path)
    return write(instance) if writing else instance


def _codec(hint: Any, path: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if issubclass(hint, Enum):
        return (lambda value: value.value), hint
    if hasattr(hint, "model_validate"):
        return (lambda value: value.model_dump(mode="json")), hint.model_validate
    if hasattr(hint, "__struct_fields__"):
        import msgspec

        return msgspec.to_builtins, lambda value: msgspec.convert(value, hint)
    if dataclasses.is_dataclass(hint):
        return (lambda value: _dataclass_to_json(value, path)), (
            lambda value: _dataclass_from_json(value, hint, path)
        )
    return None


def _dataclass_to_json(value: Any, path: str) -> dict[str, Any]:
    hints = hints_of(type(value))
    names = [field.name for field in dataclasses.fields(value) if field.init]
    return {
        name: to_json(getattr(value, name), hints.get(name), f"{path}.{name}") for name in names
    }


def _dataclass_from_json(value: Any, hint: Any, path: str) -> Any:
    found = _checked(value, (dict,), hint, path)
    hints = hints_of(hint)
    return hint(**{k: from_json(v, hints.get(k), f"{path}.{k}") for k, v in found.items()})


def _read(read: Callable[[Any], Any], value: Any, hint: Any, path: str) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, ArithmeticError) as error:
        name = getattr(hint, "__name__", str(hint))
        raise TypeError(f"{path} must be {name} (got {type(value).__name__}: {error})") from error


def _checked(value: Any, allowed: tuple[type, ...], hint: Any, path: str) -> Any:
    if type(value) not in allowed:
        name = getattr(hint, "__name__", str(hint))
        raise TypeError(f"{path} must be {name} (got {type(value).__name__})")
    return value


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
    return (arms[0] if len(arms) == 1 else Any), len(arms) < len(typing.get_args(hint))


def _hashable(value: Any) -> bool:
    return getattr(value, "__hash__", None) is not None
