"""Compile and render templates that people, not programmers, write.

Jinja2 in an immutable sandbox with nothing in it: no globals, a short list of filters and
tests, and no construct that can loop for long, grow without bound or reach an attribute. Each
refusal happens when the template is compiled, so a hostile template never renders.
Recipe and payload corpus: tests/unit/test_template.py; why each thing is denied: docs/templates.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal, NoReturn

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, nodes
from jinja2.filters import do_round
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sendmill.campaign import MAX_TEMPLATE_BYTES, Content
from sendmill.errors import InvalidTemplate
from sendmill.plain_text import text_from_pieces

# Nothing here can build a string much longer than its input, or reach an attribute.
FILTERS = frozenset(
    {
        "abs", "capitalize", "default", "d", "e", "escape", "first", "int", "last", "length",
        "lower", "round", "title", "trim", "upper",
    }
)  # fmt: skip
TESTS = frozenset(
    [
        "defined",
        "undefined",
        "none",
        "string",
        "number",
        "even",
        "odd",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "in",
    ]
)
DENIED: tuple[type[nodes.Node], ...] = (
    nodes.Call,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.Concat,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.NSRef,
    nodes.For,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
    nodes.Add,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.EvalContextModifier,
)
# A mail larger than this is no mail; SES takes 40 MB, mailbox providers clip at 100 KB.
MAX_RENDERED_CHARS = 2_000_000
# 10 to this power is computed to round a number.
MAX_ROUND_DIGITS = 9
_HTML = re.compile(
    r"<\s*(html|body|head|p|br|div|span|table|a|h[1-6]|ul|ol|img|strong|em|b|i)\b[^>]*>", re.I
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Hold what one recipient reads; ``html`` is empty when the template is plain text."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Hold the compiled templates of one campaign; :meth:`render` takes about 20 us."""

    _subject: Callable[[Mapping[str, str]], list[str]]
    _body: Callable[[Mapping[str, str]], list[str]]
    is_html: bool
    variables: frozenset[str]
    _text: Callable[[Mapping[str, str]], list[str]] | None = None
    _defaults: tuple[tuple[str, str], ...] = ()

    def render(self, fields: Mapping[str, str]) -> Rendered:
        """Return the mail for these fields.

        Raises InvalidTemplate naming the variable that is missing and has no default.
        """
        if self._defaults:
            fields = with_defaults(fields, self._defaults)
        subject = " ".join("".join(_render("subject", self._subject, fields)).split())
        control = _CONTROL.search(subject)
        if control:
            raise InvalidTemplate(
                f"subject must not contain control characters (got {control.group()!r})"
            )
        pieces = _render("body", self._body, fields)
        body = "".join(pieces)
        if self._text is not None:
            said = "".join(_render("text", self._text, fields))
            return Rendered(subject=subject, text=said, html=body if self.is_html else "")
        if self.is_html:
            return Rendered(subject=subject, text=text_from_pieces(pieces), html=body)
        return Rendered(subject=subject, text=body, html="")


@lru_cache(maxsize=64)
def compile_content(content: Content) -> Compiled:
    """Compile the subject and the body of a campaign, once for each content.

    A body is HTML when it holds an HTML tag. Raises InvalidTemplate naming part and line.
    """
    return _compiled(content, _ENVIRONMENTS)


def preview(content: Content, fields: Mapping[str, str]) -> tuple[Rendered, list[str]]:
    """Return what somebody would read, a missing field as its name in brackets, and those names.

    Raises InvalidTemplate where a template cannot even so be rendered.
    """
    missing: set[str] = set()
    undefined = type("Noted", (_Noted,), {"missing": missing})
    environments = {
        escape: _environment(escape=escape, undefined=undefined) for escape in _ENVIRONMENTS
    }
    rendered = _compiled(content, environments).render(fields)
    return rendered, sorted(missing)


def with_defaults(
    fields: Mapping[str, str], defaults: tuple[tuple[str, str], ...]
) -> Mapping[str, str]:
    """Return the fields, and the default of each that is missing or empty."""
    return {**fields, **{name: said for name, said in defaults if not fields.get(name)}}


def _compiled(content: Content, environments: Mapping[bool, _Sandbox]) -> Compiled:
    is_html = bool(_HTML.search(content.body))
    subject, used = _compile("subject", content.subject, environments[False])
    body, used_below = _compile("body", content.body, environments[is_html])
    text, used_beside = None, frozenset[str]()
    if content.text:
        text, used_beside = _compile("text", content.text, environments[False])
    return Compiled(
        _subject=subject,
        _body=body,
        is_html=is_html,
        variables=used | used_below | used_beside,
        _text=text,
        _defaults=content.defaults,
    )


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuse every attribute, whatever its name."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return False


class _Noted(Undefined):
    """Stand in the place of a missing field, and note which one it is."""

    missing: ClassVar[set[str]] = set()

    def _note(self) -> str:
        name = str(self._undefined_name)
        self.missing.add(name)
        return f"[{name}]"

    def __str__(self) -> str:
        return self._note()

    def __bool__(self) -> bool:
        self._note()
        return False

    def __len__(self) -> int:
        self._note()
        return 0

    def __eq__(self, other: object) -> bool:
        return self._note() == other

    def __hash__(self) -> int:
        return hash(self._note())


def _environment(*, escape: bool, undefined: type[Undefined] = StrictUndefined) -> _Sandbox:
    found = _Sandbox(autoescape=escape, undefined=undefined, keep_trailing_newline=True)
    found.globals = {}
    found.filters = {**{name: found.filters[name] for name in FILTERS}, "round": _round}
    found.tests = {name: found.tests[name] for name in TESTS}
    return found


def _round(
    value: float, digits: int = 0, method: Literal["common", "ceil", "floor"] = "common"
) -> float:
    if not -MAX_ROUND_DIGITS <= digits <= MAX_ROUND_DIGITS:
        raise ValueError(f"round takes at most {MAX_ROUND_DIGITS} digits (got {digits})")
    return do_round(value, digits, method)


_ENVIRONMENTS = {escape: _environment(escape=escape) for escape in (False, True)}


def _compile(
    part: str, source: str, environment: _Sandbox
) -> tuple[Callable[[Mapping[str, str]], list[str]], frozenset[str]]:
    _check_size(part, source)
    try:
        tree = environment.parse(source)
        _refuse_denied(part, tree)
        template = environment.from_string(tree)
    except (TemplateError, ValueError) as error:
        # ValueError: a number of thousands of digits
        _refuse(part, error)
    except (RecursionError, SyntaxError) as error:
        # SyntaxError: Python knows 100 levels of indentation
        raise InvalidTemplate(f"{part} is nested too deeply") from error
    used = frozenset(node.name for node in tree.find_all(nodes.Name))
    return partial(_written, part, template), used


def _check_size(part: str, source: str) -> None:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise InvalidTemplate(f"{part} must be text that UTF-8 can hold") from error
    if size > MAX_TEMPLATE_BYTES:
        raise InvalidTemplate(f"{part} must be at most {MAX_TEMPLATE_BYTES} bytes (got {size})")


def _refuse_denied(part: str, tree: nodes.Template) -> None:
    for name in tree.find_all(nodes.Name):
        if name.name == "self":  # what Jinja2 itself puts among the variables
            raise InvalidTemplate(f"{part}, line {name.lineno}: self is not a variable")
    for node in tree.find_all(DENIED):
        raise InvalidTemplate(
            f"{part}, line {node.lineno}: {type(node).__name__.lower()} is not allowed in a "
            "template; variables, if, and the filters "
            f"{', '.join(sorted(FILTERS))} are"
        )


def _render(
    part: str, render: Callable[[Mapping[str, str]], list[str]], fields: Mapping[str, str]
) -> list[str]:
    try:
        return render(fields)
    except (TemplateError, TypeError, ValueError, OverflowError, ArithmeticError) as error:
        _refuse(part, error)


def _written(part: str, template: Template, fields: Mapping[str, str]) -> list[str]:
    """Return the pieces that a template renders to, stopped before they fill the memory."""
    pieces: list[str] = []
    size = 0
    for piece in template.generate(fields):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_RENDERED_CHARS:
            raise InvalidTemplate(f"{part} must render to at most {MAX_RENDERED_CHARS} characters")
    return pieces


def _refuse(part: str, error: Exception) -> NoReturn:
    if isinstance(error, InvalidTemplate):
        raise error
    line = getattr(error, "lineno", None)
    where = f"{part}, line {line}" if line else part
    raise InvalidTemplate(f"{where}: {error}") from error
