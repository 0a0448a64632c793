"""Write the plain-text part of a mail of which only the HTML was written.

Python's own parser takes 0.55 ms for 3.6 KB of HTML with 116 tags, more than everything else that
is done for a mail. But the mails of a campaign differ only in what is filled into the template.
So the text is made once, with holes, and filled for each recipient. That is done where it is
certain to give what the parser would give, and tests/unit/test_plain_text.py shows that it does;
everywhere else the parser reads the mail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser

from markupsafe import Markup

_SPACE = re.compile(r"\s+")
_LINES = re.compile(r" *\n *")
_GAPS = re.compile(r"\n{3,}")
_LINKS = ("http://", "https://")

# A hole, in characters for private use: no template may bring them.
_HOLE = "\ue000{}\ue001"
_HOLES = re.compile("\ue000([0-9]+)\ue001")
_PRIVATE = re.compile("[\ue000\ue001]")
# Plain HTML: tags with attributes in quotes, doctypes, comments, and elements that show nothing.
# Whatever a hole holds, it can only be text there, or a part of an attribute's value.
_FLAGS = re.IGNORECASE | re.ASCII
_BLANK = r"[ \t\r\n]"
_GIVEN = rf"""(?:{_BLANK}+[a-z][a-z0-9:_-]*(?:="[^"<>]*"|='[^'<>]*')?)*{_BLANK}*"""
_SILENT = re.compile(
    r"<!doctype[^<>]*>|<!--(?![->])[^-]*(?:-[^-]+)*-->"
    + "".join(rf"|<{name}{_GIVEN}>[^<]*</{name}>" for name in ("style", "script", "title")),
    _FLAGS,
)
_TAG = re.compile(rf"<(?:/[a-z][a-z0-9:-]*|([a-z][a-z0-9:-]*){_GIVEN}/?)>", _FLAGS)
# Elements in whose content one parser or another sees no tags.
_OPAQUE = frozenset(
    {
        "iframe", "math", "noembed", "noframes", "noscript", "plaintext", "script", "style",
        "svg", "textarea", "title", "xmp",
    }
)  # fmt: skip
# A hole after this could complete a reference such as &am.
_OPEN_REFERENCE = re.compile(r"&[#\w]*\Z")
# A value that holds anything but text and whole references.
_WILD = re.compile("[<>\"'\ue000\ue001]|&(?!(?:amp|lt|gt|#34|#39);)")


def text_from_html(html: str) -> str:
    """Return the words of an HTML mail, links written out, blocks on lines of their own."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.text()


def text_from_pieces(pieces: Sequence[str]) -> str:
    """Return the same for a mail that Jinja2 gave in pieces: text, and values as Markup."""
    key: list[str | None] = []
    values: list[str] = []
    for piece in pieces:
        if not isinstance(piece, Markup):
            key.append(piece)
            continue
        value = str(piece)
        if value.startswith(_LINKS):
            # whether a link is one is seen from its beginning
            start = value.index("//") + 2
            key.append(value[:start])
            value = value[start:]
        if value:
            key.append(None)
            values.append(value)
    skeleton = _skeleton(tuple(key))
    filled = skeleton.fill(values) if skeleton else None
    return text_from_html("".join(pieces)) if filled is None else filled


class _Skeleton:
    """Hold the text of a mail with holes for its values."""

    def __init__(self, text: str) -> None:
        # pieces of text, and between each two of them the number of a value
        self._pieces = _HOLES.split(text)
        self._holes = [int(number) for number in self._pieces[1::2]]

    def fill(self, values: Sequence[str]) -> str | None:
        """Return the text with these values, or None if one could change what is around it."""
        plain = []
        for value in values:
            if _WILD.search(value):
                return None
            shown = unescape(value) if "&" in value else value
            if " ".join(shown.split()) != shown:
                return None
            plain.append(shown)
        pieces = self._pieces.copy()
        pieces[1::2] = [plain[number] for number in self._holes]
        return "".join(pieces)


@lru_cache(maxsize=64)
def _skeleton(key: tuple[str | None, ...]) -> _Skeleton | None:
    """Return the text of these pieces, None being holes; None if a hole could be more than text."""
    if _PRIVATE.search(unescape("".join(piece or "" for piece in key))):
        return None
    html, holes = "", 0
    for piece in key:
        if piece is not None:
            html += piece
            continue
        if _OPEN_REFERENCE.search(html[-64:]):
            return None
        html += _HOLE.format(holes)
        holes += 1
    if not _is_plain(html):
        return None
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return _Skeleton(parser.text()) if parser.links_are_certain else None


def _is_plain(html: str) -> bool:
    if any(_PRIVATE.search(found[0]) for found in _SILENT.finditer(html)):
        return False
    shown = _SILENT.sub(" ", html)
    if any((found[1] or "").lower() in _OPAQUE for found in _TAG.finditer(shown)):
        return False
    return "<" not in _TAG.sub(" ", shown)


class _Parser(HTMLParser):
    """Collect the words of an HTML mail, links written out, blocks on lines of their own."""

    _SKIP = frozenset({"head", "style", "script", "title"})
    _BREAK = frozenset({"br", "p", "div", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        # false once a hole decided whether a link is one
        self.links_are_certain = True
        self._parts: list[str] = []
        self._skipping = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SKIP:
            self._skipping += 1
        elif tag == "body":
            self._skipping = 0  # a head need not be closed
        elif tag in self._BREAK:
            self._parts.append("\n- " if tag == "li" else "\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SKIP:
            self._skipping = max(0, self._skipping - 1)
        elif tag == "a" and self._links:
            self._end_link(self._links.pop())
        elif tag in self._BREAK and tag not in ("br", "li"):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._parts.append(_SPACE.sub(" ", data))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Skip what looks like a marked section of SGML and is none."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def text(self) -> str:
        """Return what was collected."""
        joined = _LINES.sub("\n", "".join(self._parts))
        return _GAPS.sub("\n\n", joined).strip() + "\n"

    def _end_link(self, link: str) -> None:
        if link.startswith(_LINKS):
            self._parts.append(f" <{link}>")
            return
        before, hole, _ = link.partition("\ue000")
        if hole and any(start.startswith(before) for start in _LINKS):
            self.links_are_certain = False
