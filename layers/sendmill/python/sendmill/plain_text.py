"""Write the plain-text part of a mail of which only the HTML was written.

Two readers give the same text. Python's own parser takes whatever a browser would, at 0.55 ms for
3.5 KB with 116 tags. :func:`_quick_parts` takes a tenth of that: what stands between the words is
the same in every mail of a campaign, so what it means is kept. It gives up on all that is not
plain: a bare ``<``, attributes without quotes, rare elements. That the two agree is shown by
tests/unit/test_plain_text.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser

_SKIP = frozenset({"head", "style", "script", "title"})
_BLOCKS = ("p", "div", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4")
# What the beginning or the end of an element leaves in the text.
_BREAKS = {"br": "\n", "li": "\n- "}
_BREAKS |= {slash + name: "\n" for name in _BLOCKS for slash in ("", "/")}

_SPACE = re.compile(r"\s+")
_GAPS = re.compile(r"\n{3,}")

_FLAGS = re.IGNORECASE | re.ASCII
_BLANK = r"[ \t\r\n]"
_GIVEN = rf"""(?:{_BLANK}+[a-z][a-z0-9:_-]*(?:="[^"<>]*"|='[^'<>]*')?)*{_BLANK}*"""
_ATTRIBUTE = re.compile(rf"""{_BLANK}+([a-z][a-z0-9:_-]*)(?:=("[^"]*"|'[^']*'))?""", _FLAGS)
# A doctype, a comment, or an element whose content is never shown.
_SILENT = r"<!doctype[^<>]*>|<!--(?![->])[^-]*(?:-[^-]+)*-->" + "".join(
    rf"|<{name}{_GIVEN}>[^<]*</{name}>" for name in ("style", "script", "title")
)
_TAG = re.compile(rf"<(/?[a-z][a-z0-9:-]*)({_GIVEN}/?)>", _FLAGS)
_ONE_MARK = re.compile(rf"({_SILENT})|(<[^<>]*>)", _FLAGS)
# The tag of a link, or a run of whatever else stands between two pieces of text.
_LINK_TAG = rf"</?a(?={_BLANK}|[/>])[^<>]*>"
_NO_LINK = rf"(?:{_SILENT}|<(?!/?a(?:{_BLANK}|[/>]))[^<>]*>)"
_MARKS = re.compile(rf"({_LINK_TAG})|({_NO_LINK}(?:{_BLANK}*{_NO_LINK})*)", _FLAGS)
# Elements in whose content one parser or another sees no tags.
_OPAQUE = frozenset(
    {
        "iframe", "math", "noembed", "noframes", "noscript", "plaintext", "script", "style",
        "svg", "textarea", "title", "xmp",
    }
)  # fmt: skip
# References that every reader takes for one character; others depend on what follows.
_OTHER_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|#34|#39);)")
# Runs longer than this are read anew each time: they would fill the memory.
_MAX_KEPT_CHARS = 4000


def text_from_html(html: str) -> str:
    """Return the words of an HTML mail, links written out, blocks on lines of their own."""
    parts = _quick_parts(html)
    if parts is None:
        parts = parsed_parts(html)
    lines = [line.strip(" ") for line in "".join(parts).split("\n")]
    return _GAPS.sub("\n\n", "\n".join(lines)).strip() + "\n"


def parsed_parts(html: str) -> Sequence[str]:
    """Return what Python's parser makes of the mail: words and line breaks."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.writer.parts


class _Writer:
    """Take the tags and the words of a mail, and write what is to be read of them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.links: list[str] = []
        self.skipping = 0

    def mark(self, tag: str, link: str = "") -> None:
        """Take the beginning of an element by its name, or the end by ``/`` and its name."""
        if tag in _BREAKS:
            self.parts.append(_BREAKS[tag])
        elif tag == "a":
            self.links.append(link)
        elif tag == "/a" and self.links:
            link = self.links.pop()
            if link.startswith(("http://", "https://")):
                self.parts.append(f" <{link}>")
        elif tag in _SKIP:
            self.skipping += 1
        elif tag == "body":
            self.skipping = 0  # a head need not be closed
        elif tag[1:] in _SKIP:
            self.skipping = max(0, self.skipping - 1)

    def words(self, data: str) -> None:
        if self.skipping:
            return
        if "  " in data or not data.isprintable():
            # every space but the common one is not printable
            data = _SPACE.sub(" ", data)
        self.parts.append(data)


class _Parser(HTMLParser):
    """Read a mail with Python's parser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.writer = _Writer()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.writer.mark(tag, dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.writer.mark(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.writer.words(data)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Skip what looks like a marked section of SGML and is none."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)


def _quick_parts(html: str) -> Sequence[str] | None:
    """Return the same for a mail that is plain, None for another."""
    found: list[str | None] = [*_MARKS.split(html), None, None]
    writer = _Writer()
    for words, link, run in zip(found[::3], found[1::3], found[2::3], strict=True):
        if words:
            if "<" in words:
                return None
            writer.words(unescape(words) if "&" in words else words)
        if run:
            steps = _kept_steps(run) if len(run) < _MAX_KEPT_CHARS else _steps(run)
            if steps is None:
                return None
            if steps.text is not None and not writer.skipping:
                writer.parts.append(steps.text)
            else:
                steps.take(writer)
        elif link and not _take_link(link, writer):
            return None
    return writer.parts


class _Steps:
    """Hold what a run of tags does: marks, and None for the blanks between two of them.

    ``text`` is all that it leaves, when it does nothing else and nothing is skipped.
    """

    def __init__(self, marks: Sequence[str | None]) -> None:
        self._marks = marks
        alone = _Writer()
        self.take(alone)
        plain = all(mark is None or mark in _BREAKS or mark not in _ACTING for mark in marks)
        self.text = "".join(alone.parts) if plain else None

    def take(self, writer: _Writer) -> None:
        for mark in self._marks:
            if mark is None:
                writer.words(" ")
            else:
                writer.mark(mark)


_ACTING = frozenset({"a", "/a", "body"} | {slash + name for name in _SKIP for slash in ("", "/")})


def _steps(run: str) -> _Steps | None:
    marks: list[str | None] = []
    for blank, silent, tag in _pieces(run):
        if blank:
            marks.append(None)
        if silent or not tag:
            continue
        found = _TAG.fullmatch(tag)
        if not found:
            return None
        name, given = found[1].lower(), found[2]
        if name in _OPAQUE or (given and name.startswith("/")):
            return None
        marks.append(name)
        if given.endswith("/"):
            marks.append(f"/{name}")
    return _Steps(marks)


_kept_steps = lru_cache(maxsize=512)(_steps)


def _pieces(run: str) -> Sequence[tuple[str, str | None, str | None]]:
    found = [*_ONE_MARK.split(run), None, None]
    return list(zip(found[::3], found[1::3], found[2::3], strict=True))  # type: ignore[arg-type]


def _take_link(tag: str, writer: _Writer) -> bool:
    """Take the tag of a link; tell whether it is plain."""
    if tag.startswith("</"):
        writer.mark("/a")
        return len(tag) == len("</a>")
    found = _TAG.fullmatch(tag)
    if not found:
        return False
    writer.mark("a", _target(found[2].removesuffix("/")))
    if found[2].endswith("/"):
        writer.mark("/a")
    return True


def _target(given: str) -> str:
    """Return where a link with these attributes leads, empty if nowhere."""
    target = ""
    for name, value in _ATTRIBUTE.findall(given):
        if name.lower() == "href":
            target = value[1:-1]
    if "&" not in target:
        return target
    if _OTHER_REFERENCE.search(target):
        return _parsed_target(given)
    return unescape(target)


@lru_cache(maxsize=256)
def _parsed_target(given: str) -> str:
    parser = _Parser()
    parser.feed(f"<a{given}>")
    return parser.writer.links[-1]
