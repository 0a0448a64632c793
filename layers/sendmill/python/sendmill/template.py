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
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sendmill.campaign import MAX_TEMPLATE_BYTES, Content
from sendmill.errors import InvalidTemplate

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
    nodes.Dict,
)
# A mail larger than this is no mail; SES takes 40 MB, mailbox providers clip at 100 KB.
MAX_RENDERED_CHARS = 2_000_000
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

    _subject: Callable[[Mapping[str, str]], str]
    _body: Callable[[Mapping[str, str]], str]
    is_html: bool
    variables: frozenset[str]

    def render(self, fields: Mapping[str, str]) -> Rendered:
        """Return the mail for these fields.

        Raises InvalidTemplate naming the variable that is missing and has no default.
        """
        subject = " ".join(_render("subject", self._subject, fields).split())
        control = _CONTROL.search(subject)
        if control:
            raise InvalidTemplate(
                f"subject must not contain control characters (got {control.group()!r})"
            )
        body = _render("body", self._body, fields)
        if self.is_html:
            return Rendered(subject=subject, text=text_from_html(body), html=body)
        return Rendered(subject=subject, text=body, html="")


@lru_cache(maxsize=64)
def compile_content(content: Content) -> Compiled:
    """Compile the subject and the body of a campaign, once for each content.

    A body is HTML when it holds an HTML tag. Raises InvalidTemplate naming part and line.
    """
    is_html = bool(_HTML.search(content.body))
    subject, used_above = _compile("subject", content.subject, escape=False)
    body, used_below = _compile("body", content.body, escape=is_html)
    return Compiled(
        _subject=subject, _body=body, is_html=is_html, variables=used_above | used_below
    )


def text_from_html(html: str) -> str:
    """Return the plain-text part for a mail of which only the HTML was written."""
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuse every attribute, whatever its name."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return False


def _environment(*, escape: bool) -> _Sandbox:
    found = _Sandbox(autoescape=escape, undefined=StrictUndefined, keep_trailing_newline=True)
    found.globals = {}
    found.filters = {name: found.filters[name] for name in FILTERS}
    found.tests = {name: found.tests[name] for name in TESTS}
    return found


_ENVIRONMENTS = {escape: _environment(escape=escape) for escape in (False, True)}


def _compile(
    part: str, source: str, *, escape: bool
) -> tuple[Callable[[Mapping[str, str]], str], frozenset[str]]:
    size = len(source.encode())
    if size > MAX_TEMPLATE_BYTES:
        raise InvalidTemplate(f"{part} must be at most {MAX_TEMPLATE_BYTES} bytes (got {size})")
    environment = _ENVIRONMENTS[escape]
    try:
        tree = environment.parse(source)
        _refuse_denied(part, tree)
        template = environment.from_string(tree)
    except TemplateError as error:
        _refuse(part, error)
    except RecursionError as error:
        raise InvalidTemplate(f"{part} is nested too deeply") from error
    used = frozenset(node.name for node in tree.find_all(nodes.Name))
    return template.render, used


def _refuse_denied(part: str, tree: nodes.Template) -> None:
    for node in tree.find_all(DENIED):
        raise InvalidTemplate(
            f"{part}, line {node.lineno}: {type(node).__name__.lower()} is not allowed in a "
            "template; variables, if, and the filters "
            f"{', '.join(sorted(FILTERS))} are"
        )


def _render(
    part: str, render: Callable[[Mapping[str, str]], str], fields: Mapping[str, str]
) -> str:
    try:
        text = render(fields)
    except (TemplateError, TypeError, ValueError, OverflowError, ArithmeticError) as error:
        _refuse(part, error)
    if len(text) > MAX_RENDERED_CHARS:
        raise InvalidTemplate(
            f"{part} must render to at most {MAX_RENDERED_CHARS} characters (got {len(text)})"
        )
    return text


def _refuse(part: str, error: Exception) -> NoReturn:
    line = getattr(error, "lineno", None)
    where = f"{part}, line {line}" if line else part
    raise InvalidTemplate(f"{where}: {error}") from error


class _TextReader(HTMLParser):
    """Collect the words of an HTML mail, links written out, blocks on lines of their own."""

    _SKIP = frozenset({"head", "style", "script", "title"})
    _BREAK = frozenset({"br", "p", "div", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._skipping = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SKIP:
            self._skipping += 1
        elif tag in self._BREAK:
            self._parts.append("\n- " if tag == "li" else "\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SKIP:
            self._skipping = max(0, self._skipping - 1)
        elif tag == "a" and self._links:
            link = self._links.pop()
            if link.startswith(("http://", "https://")):
                self._parts.append(f" <{link}>")
        elif tag in self._BREAK and tag not in ("br", "li"):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._parts.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        joined = re.sub(r" *\n *", "\n", "".join(self._parts))
        return re.sub(r"\n{3,}", "\n\n", joined).strip() + "\n"
