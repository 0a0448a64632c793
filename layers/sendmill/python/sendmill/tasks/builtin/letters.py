"""Render the mail templates that an application's programmers wrote, in Django's manner.

Where Django is set up, Django renders. Elsewhere Jinja2 does, in a sandbox that sees data and
nothing else, taught the part of Django's language that mails use: variables with dots, ``if``,
``for`` with ``empty`` and ``forloop``, ``with``, ``include``, ``extends``, ``block``, ``comment``,
filters with ``:"argument"``. What it does not know (``url``, ``static``, ``trans``, ``safe``,
``autoescape off``) is refused by name. A variable that is missing is false, and an error where it
would be shown: Django shows nothing there, and people get mails that greet nobody.
docs/task-processor.md lists it all.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from jinja2 import BaseLoader, ChainableUndefined, TemplateError, TemplateNotFound, nodes
from jinja2.environment import Environment
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sendmill.errors import InvalidTemplate
from sendmill.plain_text import text_from_html
from sendmill.tasks.builtin.template_filters import FILTERS
from sendmill.template import MAX_RENDERED_CHARS, Rendered

# Returns the text of a template by its name, or None when there is none.
Source = Callable[[str], str | None]
# Renders a template by its name, wherever it comes from; raises LookupError when there is none.
Renderer = Callable[[str, Mapping[str, Any]], str]

_NAME = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9_./-]{1,200}\.(?:html|txt)\Z")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_ARGUMENT = re.compile(r"""\|\s*([a-z_]+):("[^"]*"|'[^']*'|[\w.]+)""")
_COMMENT = re.compile(r"\{%-?\s*comment\b.*?%\}.*?\{%-?\s*endcomment\s*-?%\}", re.DOTALL)
_LOAD = re.compile(r"\{%-?\s*load\b.*?%\}")
_FORLOOP = {
    "forloop.counter0": "loop.index0",
    "forloop.counter": "loop.index",
    "forloop.revcounter": "loop.revindex",
    "forloop.first": "loop.first",
    "forloop.last": "loop.last",
}
# What could call something, count without end or make a long text from a short one.
_DENIED: tuple[type[nodes.Node], ...] = (
    nodes.Call,
    nodes.Macro,
    nodes.CallBlock,
    nodes.Import,
    nodes.FromImport,
    nodes.Mul,
    nodes.Pow,
    nodes.EvalContextModifier,
)
_renderers: list[Renderer] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterTemplates:
    """Hold where templates are looked for, in order."""

    sources: Sequence[Source]

    def render(self, name: str, subject: str, context: Mapping[str, Any]) -> Rendered:
        """Return a mail; raises InvalidTemplate.

        ``name`` ends with .html or .txt. Beside an HTML template its .txt twin, where there is one,
        writes the plain part; else the plain part is made from the HTML.
        """
        if not _NAME.match(name):
            raise InvalidTemplate(
                f"template_name must be a path to .html or .txt (got {name!r:.220})"
            )
        body = self._render(name, context)
        if body is None:
            raise InvalidTemplate(f"there is no template {name}")
        line = " ".join(subject.split())
        if name.endswith(".txt"):
            return Rendered(subject=line, text=body, html="")
        text = self._render(f"{name.removesuffix('.html')}.txt", context)
        return Rendered(subject=line, text=text or text_from_html(body), html=body)

    def _render(self, name: str, context: Mapping[str, Any]) -> str | None:
        for renderer in (*_renderers, *_django()):
            try:
                return renderer(name, context)
            except LookupError:
                continue
        source = self._find(name)
        return None if source is None else render_text(source, context, find=self._find, name=name)

    def _find(self, name: str) -> str | None:
        return next((found for ask in self.sources if (found := ask(name)) is not None), None)


def register_renderer(renderer: Renderer) -> None:
    """Have templates rendered by a function of (name, context); it raises LookupError to pass."""
    if renderer not in _renderers:
        _renderers.append(renderer)


def render_text(
    source: str,
    context: Mapping[str, Any],
    *,
    find: Source = lambda name: None,
    name: str = "template.html",
) -> str:
    """Return one rendered template; HTML is escaped unless the name ends with .txt."""
    environment = _environment(find, escape=not name.endswith(".txt"))
    try:
        template = environment.from_string(environment.load_checked(source, name))
        return _limited(template.generate(dict(context)), name)
    except InvalidTemplate:
        raise
    except TemplateNotFound as error:
        raise InvalidTemplate(f"{name}: there is no template {error}") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        line = getattr(error, "lineno", None)
        raise InvalidTemplate(f"{name}{f', line {line}' if line else ''}: {error}") from error
    except RecursionError as error:
        raise InvalidTemplate(f"{name} includes itself, or is nested too deeply") from error


def in_jinja(source: str) -> str:
    """Return a template of Django's with what Jinja2 writes otherwise written so."""
    without = _LOAD.sub("", _COMMENT.sub("", source))
    return _TAG.sub(lambda found: _translated(found.group()), without)


def _translated(tag: str) -> str:
    tag = _ARGUMENT.sub(r"|\1(\2)", tag)
    for django, jinja in _FORLOOP.items():
        tag = tag.replace(django, jinja)
    return re.sub(r"\{%(-?)\s*empty\s*(-?)%\}", r"{%\1 else \2%}", tag)


class _Missing(ChainableUndefined):
    """A variable that is not there: false, empty, and an error when it is shown."""

    def __str__(self) -> str:
        return str(self._fail_with_undefined_error())

    __html__ = __str__


class _Sandbox(ImmutableSandboxedEnvironment):
    """See data alone: keys of mappings and places in lists, and no attribute of anything."""

    def load_checked(self, source: str, name: str) -> nodes.Template:
        """Return the parsed template; raises InvalidTemplate for what must not stand there."""
        tree = self.parse(in_jinja(source), name=name)
        for node in tree.find_all(_DENIED):
            kind = type(node).__name__.lower().replace("scopedevalcontextmodifier", "autoescape")
            raise InvalidTemplate(
                f"{name}, line {node.lineno}: {kind} is not allowed in a template"
            )
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        inside = isinstance(obj, (Mapping, list, tuple)) or type(obj).__name__ == "LoopContext"
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        if isinstance(obj, (list, tuple)) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined(obj=obj)
        if inside and not isinstance(obj, (Mapping, list, tuple)) and argument in _LOOP:
            return getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        return False


_LOOP = {path.partition(".")[2] for path in _FORLOOP.values()}


class _Loader(BaseLoader):
    """Hand over what is included or extended, checked like the rest."""

    def __init__(self, find: Source) -> None:
        self._find = find

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:
        source = self._find(template) if _NAME.match(template) else None
        if source is None:
            raise TemplateNotFound(template)
        if isinstance(environment, _Sandbox):
            environment.load_checked(source, template)
        return in_jinja(source), None, None


def _environment(find: Source, *, escape: bool) -> _Sandbox:
    made = _Sandbox(
        autoescape=escape,
        undefined=_Missing,
        keep_trailing_newline=True,
        loader=_Loader(find),
        cache_size=0,
    )
    made.globals = {}
    made.filters = dict(FILTERS)
    return made


def _limited(pieces: Any, name: str) -> str:
    found: list[str] = []
    size = 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size > MAX_RENDERED_CHARS:
            raise InvalidTemplate(f"{name} must render to at most {MAX_RENDERED_CHARS} characters")
    return "".join(found)


@lru_cache(maxsize=1)
def _django() -> tuple[Renderer, ...]:
    """Return Django's renderer where Django is set up; the import is its own to make."""
    if "django" not in sys.modules and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return ()
    try:
        settings = import_module("django.conf").settings
        if not settings.configured or not settings.TEMPLATES:
            return ()
        loader = import_module("django.template.loader")
    except ImportError:
        return ()
    missing = import_module("django.template").TemplateDoesNotExist

    def render(name: str, context: Mapping[str, Any]) -> str:
        try:
            return str(loader.render_to_string(name, dict(context)))
        except missing as error:
            raise LookupError(name) from error

    return (render,)
