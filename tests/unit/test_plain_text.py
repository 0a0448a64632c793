"""A text that is filled into its skeleton is what the parser makes of the whole mail."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape

from fakes import CONFIG
from sendmill import plain_text
from sendmill.campaign import Content
from sendmill.plain_text import text_from_html, text_from_pieces
from sendmill.template import compile_content

HOLE = object()
NAMES = [
    "p", "div", "span", "td", "a", "a", "b", "br", "img", "li", "ul", "title", "style", "head",
    "body", "script", "o:p", "A", "Br", "H1", "table", "tr", "abbr",
]  # fmt: skip
TARGETS = [
    "",
    "x",
    "/",
    "https://example.com/?a=1&b=",
    "http://",
    "https:",
    "h",
    "a=b",
    "&lt;&copy",
]
# Jinja2 gives what it filled in as Markup, escaped; filters can make odd pieces of it.
VALUES = st.one_of(
    st.sampled_from(
        [
            "Ada", "Zo\u00eb & <Co> \"Ltd\" 'x'", "", " Ada", "Ada ", "a  b", "a b", "a\nb", "\xa0",
            "https://example.com/u?a=1&b=2", "http://", "HTTPS://x", "ttps://x", "s://x", "://x",
            "amp;", "lt", "#39;", "\x1c", "\u2028", "\ue000", "\ue0000\ue001", "--", "-->", "]]>",
            "style", "/p", "p", "0", ";", "=", "x=y",
        ]
    ).map(escape),
    st.text(max_size=5).map(escape),
    st.sampled_from(["&LT;", "&", "&amp", "&lt", ";", "&#60;", "&nbsp;", "&AMP;"]).map(Markup),
)  # fmt: skip


@st.composite
def tags(draw: st.DrawFn, *, loose: bool) -> list[object]:
    """Draw a tag in pieces; attributes may hold holes."""
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        end = draw(st.sampled_from(["", " ", ' class="x"'])) if loose else ""
        return [f"</{name}{end}>"]
    found: list[object] = [f"<{name}"]
    for _ in range(draw(st.integers(0, 2))):
        blank = draw(st.sampled_from([" ", "\n", "  ", *(["/", "\f", ""] if loose else [])]))
        attribute = draw(st.sampled_from(["href", "HREF", "style", "title", "data-x"]))
        quote = draw(st.sampled_from(['"', "'", *([""] if loose else [])]))
        found += [f"{blank}{attribute}={quote}", draw(st.sampled_from(TARGETS))]
        found += [HOLE] * draw(st.integers(0, 1)) + [draw(st.sampled_from(TARGETS)), quote]
    return [*found, draw(st.sampled_from(["", " nowrap", "/", " /"])) + ">"]


PLAIN: st.SearchStrategy[list[object]] = st.sampled_from(
    [
        [HOLE], [HOLE], [HOLE, HOLE], ["Dear ", HOLE, ","], [" ", HOLE, " "], ["  ", HOLE, "\n"],
        [" "], ["\n"], [" \n\t "], ["  two  blanks "], ["\xa0"], ["AT&amp;T"], ["&nbsp;"], [">"],
        ["&copy "], ["&copy"], ["&b=", HOLE], ["&l"], ["&#x3c;"], ["'words'"], ["\x1c"], ["&"],
        ["<!doctype html>"], ["<!-- note -->"], ["<!--[if mso]><p>Outlook</p><![endif]-->"],
        ["<!--[if !mso]><!-->"], ["<!--<![endif]-->"], ["<style>p > a { color: red }</style>"],
        ["<script>if (a) b()</script>"], ["<title>News</title>"], ["</a>"], ["</p><p>"],
    ]
)  # fmt: skip
ODD: st.SearchStrategy[list[object]] = st.sampled_from(
    [
        ["<"], ["a < b"], ["<!-->"], ["<!--a--b-->"], ["<!---->"], ["<![endif]>"], ["<?php x ?>"],
        ["<!x>"], ["<![CDATA[x]]>"], ["<style>a<b</style>"], ["<title>a<b>c</title>"], ["<p"],
        ["<a href="], ["</"], ["<!--"], ["-->"], ["<textarea><p></textarea>"], ["<plaintext>"],
        ["<svg><p></svg>"], ["<", HOLE, ">"], ["<", HOLE],
        ["<p ", HOLE, ">"], ["<!--", HOLE, "-->"],
        ["<style>", HOLE, "</style>"], ["<title>", HOLE, "</title>"], ["<td width=", HOLE, ">"],
        ["<a href='<!--'>", HOLE, "<a href='-->'>"], ["\ue0000\ue001"], ["&#xe000;0&#xe001;"],
        ["&", HOLE], ["&am", HOLE], ["&#", HOLE, ";"], ["&", "a", "m", HOLE], ["&lt", HOLE],
    ]
)  # fmt: skip
MAILS = st.one_of(
    st.lists(PLAIN | tags(loose=False), max_size=16),
    st.lists(PLAIN | tags(loose=False) | tags(loose=True) | ODD, max_size=16),
)


@settings(max_examples=1500, deadline=None)
@given(MAILS, st.data())
@example([["<p>", HOLE, "</p>"]], None)
@example([['<a href="', HOLE, '">go</a>']], None)
def test_the_filled_text_is_what_the_parser_makes_of_the_mail(
    parts: list[list[object]], data: st.DataObject | None
) -> None:
    pieces = [
        (data.draw(VALUES) if data else escape("https://x <y>")) if piece is HOLE else str(piece)
        for part in parts
        for piece in part
    ]
    assert text_from_pieces(pieces) == text_from_html("".join(pieces))


MAIL = (
    '<!doctype html><html xmlns:v="x"><head><title>x</title><style type="text/css">p>a{}</style>'
    '</head><body bgcolor="#ffffff"><!-- preheader --><!--[if mso]><table><![endif]--><table '
    'role="presentation"><tr><td nowrap><h1>Dear {{ name }},</h1><p style="color:{{ color }}">a'
    "<br/>b<br>c</p><ul><li>{{ one }}</li></ul><a href='https://example.com/?a=1&b={{ name }}'>"
    'go</a> or <a href="{{ leave }}">leave</a>{% if more %}<p>{{ more }}</p>{% endif %}</td></tr>'
    "</table></html>"
)
FIELDS = {"name": "Ada & Co", "color": "red", "one": "1", "leave": "https://x.example", "more": ""}


def test_mails_as_people_write_them_are_parsed_once_for_a_campaign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is parsed for each recipient is right too, but costs ten times as much."""
    compiled = compile_content(Content(subject="x", body=MAIL, config=CONFIG))
    compiled.render(FIELDS)
    fed: list[str] = []
    monkeypatch.setattr(plain_text._Parser, "feed", lambda _, html: fed.append(html))
    for n in range(3):
        rendered = compiled.render(FIELDS | {"name": f"Bob {n} <x>", "leave": f"https://y/{n}"})
        assert rendered.text == (
            f"Dear Bob {n} <x>,\n\na\nb\nc\n\n- 1\ngo <https://example.com/?a=1&b=Bob {n} <x>> or "
            f"leave <https://y/{n}>\n"
        )
    assert fed == []


def test_a_mail_reads_as_its_writer_meant_it() -> None:
    html = (
        '<html><head><title>no</title></head><body>\n<h1>Hello&nbsp;Ada</h1> <p>See  <a href="'
        'https://example.com/?x=1&amp;y=2">the\nnews</a>.</p><ul><li>one</li><li>two</li></ul>'
    )
    assert text_from_html(html) == (
        "Hello Ada\n\nSee the news <https://example.com/?x=1&y=2>.\n\n- one\n- two\n"
    )
