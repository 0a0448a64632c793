"""The quick reader of HTML says what Python's own parser says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmill import plain_text
from sendmill.plain_text import parsed_parts, text_from_html

NAMES = [
    "p", "div", "span", "td", "a", "a", "b", "br", "img", "li", "ul", "title", "style", "head",
    "body", "script", "o:p", "A", "Br", "H1", "table", "tr", "abbr",
]  # fmt: skip
VALUES = [
    "x",
    "",
    "https://example.com/?a=1&amp;b=2",
    "https://example.com/?a=1&copy=2",
    "HTTP://example.com",
    "http://example.com/&lt;x&#39;",
    "a b",
    "a'b",
    "/",
    "a=b",
]


@st.composite
def attributes(draw: st.DrawFn, quotes: tuple[str | None, ...], blanks: str) -> str:
    given_ = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["href", "HREF", "style", "title", "data-x", "nowrap"]))
        value = draw(st.sampled_from(VALUES))
        quote = draw(st.sampled_from(quotes))
        blank = draw(st.sampled_from(blanks))
        given_.append(f"{blank}{name}" + ("" if quote is None else f"={quote}{value}{quote}"))
    return "".join(given_) + draw(st.sampled_from(["", "", " ", "/", " /"]))


def tags(given_: st.SearchStrategy[str], ends: list[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, rest: f"<{name}{rest}>", st.sampled_from(NAMES), given_
    ) | st.builds(
        lambda name, end: f"</{name}{end}>", st.sampled_from(NAMES), st.sampled_from(ends)
    )


PLAIN = tags(attributes(quotes=('"', "'", None), blanks=" \n\t"), [""]) | st.sampled_from(
    [
        "Dear Ada", " ", "\n", " \n\t ", "  two  blanks ", "\xa0", " \xa0 ", "AT&amp;T", "&nbsp;",
        "&copy", "&", ">", "'words'", "\x1c", "\u2028", "<!doctype html>", "<!-- note -->",
        "<!--[if mso]><p>Outlook</p><![endif]-->", "<style>p > a { color: red }</style>",
        "<script>if (a) b()</script>", "<title>News</title>",
    ]
)  # fmt: skip
LOOSE = attributes(quotes=('"', "", None), blanks=" /\f")
ODD = tags(LOOSE, [" ", ' class="x"']) | st.sampled_from(
    [
        "<", "a < b", "<!-->", "<!--a--b-->", "<!---->", "<![endif]>", "<?php x ?>", "<!x>",
        "<![CDATA[x]]>", "<style>a<b</style>", "<title>a<b>c</title>", "<p", "<a href=", "</",
        "<!--", "<td bg=red>", "<textarea><p></textarea>", "<plaintext>", "<svg><p></svg>",
    ]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given((st.lists(PLAIN, max_size=24) | st.lists(PLAIN | ODD | st.text(max_size=4))).map("".join))
@example('<p>Hello <a href="https://example.com/{x}&y=1">there</a> </p>')
@example('<a href="https://example.com/?a=1&copy=2"/>')
@example("<title>a</title><p>b</p></title>")
def test_what_the_quick_reader_says_is_what_the_parser_says(html: str) -> None:
    quick = plain_text._quick_parts(html)
    if quick is not None:
        assert "".join(quick) == "".join(parsed_parts(html))


@pytest.mark.parametrize(
    "html",
    [
        "<p>Dear Ada</p>",
        '<!doctype html><html><head><title>x</title><style type="text/css">p>a{}</style></head>'
        '<body bgcolor="#ffffff"><!-- preheader --><table role="presentation"><tr><td nowrap>'
        '<h1>Hi</h1><p style="margin:0">a<br/>b<br>c</p><ul><li>one</li></ul>'
        "<a href='https://example.com/?a=1&b=2'>go</a></td></tr></table></body></html>\n",
    ],
)
def test_mails_as_people_write_them_are_read_quickly(html: str) -> None:
    """Whatever is read slowly is right too, but costs ten times as much."""
    assert plain_text._quick_parts(html) is not None


def test_a_mail_reads_as_its_writer_meant_it() -> None:
    html = (
        '<html><head><title>no</title></head><body>\n<h1>Hello&nbsp;Ada</h1> <p>See  <a href="'
        'https://example.com/?x=1&amp;y=2">the\nnews</a>.</p><ul><li>one</li><li>two</li></ul>'
    )
    assert text_from_html(html) == (
        "Hello Ada\n\nSee the news <https://example.com/?x=1&y=2>.\n\n- one\n- two\n"
    )
