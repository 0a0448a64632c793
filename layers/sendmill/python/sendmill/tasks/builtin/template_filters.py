"""The filters of Django's template language that mails use, by Django's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup, escape

# Letters of Django's ``date`` filter, as strftime writes them; the rest stands for itself.
_DATE = {
    "d": "%d", "D": "%a", "l": "%A", "m": "%m", "M": "%b", "F": "%B", "Y": "%Y", "y": "%y",
    "H": "%H", "i": "%M", "s": "%S", "h": "%I", "A": "%p",
}  # fmt: skip


def _default(value: Any, other: Any = "") -> Any:
    return other if isinstance(value, Undefined) or not value else value


def _default_if_none(value: Any, other: Any = "") -> Any:
    return other if value is None else value


def _capfirst(value: Any) -> str:
    text = str(value)
    return text[:1].upper() + text[1:]


def _length(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else 0


def _join(value: Any, separator: str = "") -> Any:
    return escape(separator).join(escape(one) for one in value)


def _pluralize(value: Any, endings: str = "s") -> str:
    one, _, many = endings.rpartition(",")
    try:
        count = len(value) if isinstance(value, (list, tuple, Mapping)) else float(value)
    except (TypeError, ValueError):
        return ""
    return one if count == 1 else many


def _yesno(value: Any, answers: str = "yes,no,maybe") -> str:
    said = answers.split(",")
    if value is None and len(said) > 2:
        return said[2]
    return said[0] if value else said[1 if len(said) > 1 else 0]


def _floatformat(value: Any, digits: int = -1) -> str:
    number = float(value)
    if digits < 0 and number == int(number):
        return str(int(number))
    return f"{number:.{min(abs(digits), 20)}f}"


def _truncatechars(value: Any, length: int) -> str:
    text = str(value)
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"


def _linebreaksbr(value: Any) -> Markup:
    return Markup("<br>").join(escape(line) for line in str(value).splitlines())


def _linebreaks(value: Any) -> Markup:
    paragraphs = [part for part in str(value).replace("\r\n", "\n").split("\n\n") if part.strip()]
    return Markup("\n\n").join(Markup("<p>{}</p>").format(_linebreaksbr(p)) for p in paragraphs)


def _date(value: Any, form: str = "F d, Y") -> str:
    """Write a date or an ISO time by Django's letters."""
    moment = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    return "".join(moment.strftime(_DATE[letter]) if letter in _DATE else letter for letter in form)


def _text(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: change(str(value))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "capfirst": _capfirst,
    "date": _date,
    "default": _default,
    "default_if_none": _default_if_none,
    "escape": escape,
    "first": lambda value: value[0] if value else "",
    "floatformat": _floatformat,
    "join": _join,
    "last": lambda value: value[-1] if value else "",
    "length": _length,
    "linebreaks": _linebreaks,
    "linebreaksbr": _linebreaksbr,
    "lower": _text(str.lower),
    "pluralize": _pluralize,
    "title": _text(str.title),
    "truncatechars": _truncatechars,
    "upper": _text(str.upper),
    "yesno": _yesno,
}
