"""No template that a person can write reaches an attribute, loops for long or grows without bound.

The corpus holds what broke Jinja2 sandboxes (CVE-2024-56326, CVE-2025-27516, CVE-2024-56201's
relatives), what exhausts memory or time, and what would let a template reach another file.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import CONFIG
from sendmill.campaign import MAX_TEMPLATE_BYTES, Content
from sendmill.errors import InvalidTemplate
from sendmill.plain_text import text_from_html
from sendmill.template import FILTERS, Rendered, compile_content

FIELDS = {"first_name": "Ada", "company": "Acme Corp", "email": "ada@example.com"}


def content(body: str, subject: str = "Hello") -> Content:
    return Content(subject=subject, body=body, config=CONFIG)


def render(body: str, subject: str = "Hello", **fields: str) -> Rendered:
    return compile_content(content(body, subject)).render({**FIELDS, **fields})


HOSTILE = {
    # reaching Python
    "class_of_text": "{{ ''.__class__ }}",
    "mro": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "item_class": "{{ ''['__class__'] }}",
    "attribute_of_field": "{{ first_name.__class__ }}",
    "harmless_looking_attribute": "{{ first_name.upper }}",
    "method": "{{ first_name.upper() }}",
    "str_format_reference_cve_2024_56326": (
        "{% set f = '{0.__class__.__base__}'.format %}{{ [f] | map(attribute='x') }}{{ f('') }}"
    ),
    "str_format": "{{ '{0.__class__}'.format(first_name) }}",
    "str_format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "attr_format_cve_2025_27516": "{{ '{0.__class__}'|attr('format')(first_name) }}",
    "attr_class": "{{ first_name|attr('__class__') }}",
    "attr_only": "{{ first_name|attr('format') }}",
    "map_attr": "{{ ['{0.__class__}']|map('format', 1)|first }}",
    "xmlattr_cve_2024_34064": "<p {{ {'a onload': 'b'}|xmlattr }}>",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "cycler_bare": "{{ cycler }}",
    "joiner": "{{ joiner.__init__ }}",
    "joiner_bare": "{{ joiner }}",
    "namespace": "{% set ns = namespace(x=1) %}{{ ns.x }}",
    "namespace_bare": "{{ namespace }}",
    "lipsum_globals": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "lipsum_bare": "{{ lipsum }}",
    "dict_bare": "{{ dict }}",
    "range_bare": "{{ range }}",
    "self": "{{ self.__init__.__globals__ }}",
    "self_bare": "{{ self }}",
    "config": "{{ config }}",
    "request": "{{ request }}",
    # time and memory
    "range_loop": "{% for n in range(99999999) %}x{% endfor %}",
    "nested_loops": "{% for a in 'xxxxxx' %}{% for b in 'xxxxxx' %}y{% endfor %}{% endfor %}",
    "plain_loop": "{% for a in first_name %}{{ a }}{% endfor %}",
    "recursive_loop": "{% for a in [[1]] recursive %}{{ loop(a) }}{% endfor %}",
    "lipsum_large": "{{ lipsum(100000) }}",
    "multiplication": "{{ 'a' * 10**10 }}",
    "number_power": "{{ 9 ** 9 ** 9 }}",
    "number_product": "{{ 99999999 * 99999999 }}",
    "list_product": "{{ [0] * 9999999999 }}",
    "modulo_format": "{{ '%1000000000s' % 'a' }}",
    "addition": "{{ 'a' + 'b' }}",
    "concat_doubling": "{% set a = 'xx' %}{% set a = a ~ a %}{{ a }}",
    "concat": "{{ first_name ~ first_name }}",
    "center": "{{ 'a'|center(1000000000) }}",
    "format_filter": "{{ '%1000000000s'|format('a') }}",
    "indent": "{{ 'a\nb'|indent(1000000000) }}",
    "replace_chain": "{{ 'aaaa'|replace('a','aaaaaaaaaa')|replace('a','aaaaaaaaaa') }}",
    "replace": "{{ first_name|replace('a', 'b') }}",
    "join": "{{ [first_name, first_name]|join(first_name) }}",
    "batch": "{{ 'a'|batch(1000000000, 'x')|list }}",
    "wordwrap": "{{ 'aaaa'|wordwrap(1) }}",
    "tojson": "{{ first_name|tojson }}",
    "urlize": "{{ first_name|urlize }}",
    "ljust": "{{ 'a'.ljust(1000000000) }}",
    "round_to_many_digits": "{{ 5|round(100000000, 'ceil') }}",
    "round_to_many_tens": "{{ 5|round(-100000000) }}",
    "round_by_a_field": "{{ 5|round(company|length - 1000000000, 'floor') }}",
    "number_of_many_digits": "{{ " + "9" * 5_000 + " }}",
    "tuple_of_a_field": "{{ (company, company, company) }}",
    "list_of_a_field": "{{ [company, company] }}",
    "slice": "{{ company[0:2] }}",
    "nested_brackets": "{{" + "(" * 2_000 + "1" + ")" * 2_000 + "}}",
    "nested_not": "{{" + "not " * 5_000 + "1 }}",
    "nested_if": "{% if first_name %}" * 150 + "x" + "{% endif %}" * 150,
    "nested_conditions": "{{ " + "1 if first_name else (" * 500 + "1" + ")" * 500 + " }}",
    # other files, other code
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "from_import": "{% from 'os' import path %}",
    "extends": "{% extends 'base.html' %}",
    "block": "{% block a %}{{ self.a() }}{% endblock %}",
    "macro": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "call_block": "{% call first_name() %}x{% endcall %}",
    "filter_block": "{% filter upper %}x{% endfilter %}",
    "set": "{% set a = first_name %}{{ a }}",
    "set_block": "{% set a %}{{ first_name }}{% endset %}{{ a }}",
    "set_namespace": "{% set ns.a = 1 %}",
    "do": "{% do first_name %}",
    "debug": "{% debug %}",
    "safe": "<p>{{ first_name|safe }}",
    "autoescape_off": "<p>{% autoescape false %}{{ first_name }}{% endautoescape %}",
    # no templates at all
    "unclosed": "{{ first_name",
    "unclosed_tag": "{% if first_name",
    "no_end": "{% if first_name %}",
    "unknown_tag": "{% frobnicate %}",
    "unknown_filter": "{{ first_name|frobnicate }}",
    "unknown_test": "{{ first_name is callable }}",
    "lone_surrogate": "\ud800",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(5)
def test_a_hostile_body_is_refused(body: str) -> None:
    with pytest.raises(InvalidTemplate, match=r"body|subject"):
        render(body)


@pytest.mark.parametrize("subject", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(5)
def test_a_hostile_subject_is_refused(subject: str) -> None:
    with pytest.raises(InvalidTemplate, match=r"subject"):
        render("plain", subject)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Dear {{ first_name }}", "Dear Ada"),
        ("Dear {{first_name}} of {{ company }}!", "Dear Ada of Acme Corp!"),
        ("{{ first_name|upper }}", "ADA"),
        ("{{ first_name|lower|capitalize }}", "Ada"),
        ("{{ company|title }}", "Acme Corp"),
        ("{{ nickname|default('friend') }}", "friend"),
        ("{{ nickname|d(first_name) }}", "Ada"),
        ("{{ ''|default('friend', true) }}", "friend"),
        ("{% if company %}at {{ company }}{% else %}alone{% endif %}", "at Acme Corp"),
        ("{% if nickname is defined %}{{ nickname }}{% else %}-{% endif %}", "-"),
        ("{% if company == 'Acme Corp' %}yes{% elif company %}no{% endif %}", "yes"),
        ("{{ 'yes' if company else 'no' }}", "yes"),
        ("{{ first_name|length }}", "3"),
        ("{{ first_name|first }}{{ first_name|last }}", "Aa"),
        ("{{ '7.6'|int }} {{ 3.14159|round(2) }} {{ 2.5|round }}", "7 3.14 2.0"),
        ("{{ '  x  '|trim }}", "x"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        ("a{# a comment #}b", "ab"),
        ("100 % sure, 1 + 1 = 2, {a}, }} {{ '{{' }}", "100 % sure, 1 + 1 = 2, {a}, }} {{"),
        ("line\n", "line\n"),
    ],
)
def test_what_writers_need_renders(body: str, text: str) -> None:
    assert render(body) == Rendered(subject="Hello", text=text, html="")


def test_every_allowed_filter_is_one_that_renders() -> None:
    arguments = {"default": "('x')", "d": "('x')"}
    for name in sorted(FILTERS):
        value = "3" if name in ("abs", "round") else "first_name"
        assert render(f"{{{{ {value}|{name}{arguments.get(name, '')} }}}}").text


def test_a_missing_variable_is_named_with_its_part() -> None:
    with pytest.raises(InvalidTemplate, match="body: 'nickname' is undefined"):
        render("Dear {{ nickname }}")
    with pytest.raises(InvalidTemplate, match="subject: 'nickname' is undefined"):
        render("Dear", "Hi {{ nickname }}")


def test_a_refusal_names_line_and_construct() -> None:
    with pytest.raises(InvalidTemplate, match=r"body, line 3: for is not allowed"):
        render("one\ntwo\n{% for a in b %}{% endfor %}")
    with pytest.raises(InvalidTemplate, match=r"body, line 2: .*unexpected"):
        render("one\n{{ first_name ) }}")


def test_a_render_error_does_not_show_the_fields() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        render("{{ email|abs }}")
    assert "ada@example.com" not in str(caught.value)


def test_the_variables_a_template_asks_for_are_known_before_the_first_mail() -> None:
    compiled = compile_content(content("{{ a }}{% if b %}{{ c|default(d) }}{% endif %}", "{{ e }}"))
    assert compiled.variables == {"a", "b", "c", "d", "e"}


def test_html_escapes_fields_and_text_does_not() -> None:
    fields = {"first_name": "<b>&'\"", "company": "<script>alert(1)</script>"}
    mail = render("<p>{{ first_name }} {{ company }}</p>", "{{ first_name }}", **fields)
    assert mail.html == ("<p>&lt;b&gt;&amp;&#39;&#34; &lt;script&gt;alert(1)&lt;/script&gt;</p>")
    assert mail.subject == "<b>&'\""
    assert "<script>alert(1)</script>" in mail.text
    plain = render("Hi {{ first_name }}", **fields)
    assert (plain.text, plain.html) == ("Hi <b>&'\"", "")


def test_a_field_is_never_a_template() -> None:
    assert render("{{ first_name }}", first_name="{{ 1 }}{% if %}").text == "{{ 1 }}{% if %}"


@pytest.mark.parametrize(
    "name", ["Ada\r\nBcc: eve@example.com", "Ada\nBcc: x", "Ada\rBcc: x", "Ada\u2028Bcc: x"]
)
def test_line_ends_in_a_subject_become_spaces(name: str) -> None:
    subject = render("x", "Hello {{ first_name }}", first_name=name).subject
    assert subject == "Hello Ada Bcc: " + name.rpartition("Bcc: ")[2]
    assert len(subject.splitlines()) == 1


def test_a_subject_template_of_several_lines_is_one_line() -> None:
    assert render("x", "  Hello\n  {{ first_name }} \t ! ").subject == "Hello Ada !"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x08"])
def test_other_control_characters_in_a_subject_are_refused(character: str) -> None:
    with pytest.raises(InvalidTemplate, match="subject must not contain control"):
        render("x", "Hello {{ first_name }}", first_name=f"A{character}da")


def test_a_template_that_is_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(InvalidTemplate, match=rf"body .* {MAX_TEMPLATE_BYTES} bytes .got 100001"):
        compile_content(content("x" * 100_001))


def test_a_mail_that_grows_too_large_is_stopped_before_it_fills_the_memory() -> None:
    compiled = compile_content(content("{{ company }}" * 7_000))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidTemplate, match="body must render to at most 2000000"):
            compiled.render({"company": "x" * 10_000})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_one_content_is_compiled_once() -> None:
    wanted = content("<p>Dear {{ first_name }} of {{ company|upper }}</p>")
    assert compile_content(wanted) is compile_content(wanted)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello</p><p>World</p>", "Hello\n\nWorld\n"),
        ("Hello<br>World<br/>!", "Hello\nWorld\n!\n"),
        ("<p>a &amp; b &lt;c&gt; &eacute;&nbsp;</p>", "a & b <c> \u00e9\n"),
        (
            '<p>See <a href="https://example.com/a?b=1&amp;c=2">our page</a>.</p>',
            "See our page <https://example.com/a?b=1&c=2>.\n",
        ),
        ('<p><a href="mailto:a@example.com">us</a> <a>x</a></p>', "us x\n"),
        ('<p><a href="javascript:alert(1)">us</a></p>', "us\n"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two\n"),
        ("<style>p {}</style><script>x()</script><p>words</p>", "words\n"),
        ("<html><head><title>t</title></head><body><p>words</p></body></html>", "words\n"),
        ("<html><head><title>t</title><body><p>words</p></body></html>", "words\n"),
        ("<h1>Title</h1>\n\n<p>one\n   two</p>", "Title\n\none two\n"),
        ("<!--[if mso]><p>Outlook</p><![endif]--><p>words</p>", "words\n"),
        ("<![if !mso]><p>words</p><![endif]>", "words\n"),
        ("<p>a<![odd[x]]>b</p>", "ab\n"),
        ("<p>a<![ b</p>", None),
        ("<p>1 < 2 and 3 > 2</p>", "1 < 2 and 3 > 2\n"),
    ],
)
def test_the_text_part_is_what_the_html_says(html: str, text: str | None) -> None:
    found = text_from_html(html)
    assert found.endswith("\n")
    if text is not None:
        assert found == text


SNIPPET = st.sampled_from(
    [
        "{{", "}}", "{%", "%}", "{#", "#}", "-%}", "{%-", "first_name", "company", "nobody", "if",
        "else", "elif", "endif", "for", "in", "set", "endset", "raw", "endraw", "with", "endwith",
        "autoescape", "|", "upper", "default", "round", "int", "e", "(", ")", "[", "]", ".", ",",
        "__class__", "'", '"', "0", "9999999999", "1e309", "-", "*", "**", "/", "//", "%", "~",
        "==", "<", ">", "not", "is", "defined", "none", "true", " ", "\n", "<p>", "<![", "<!--",
        "<", "&", "\x00", "\u00e9",
    ]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(SNIPPET, max_size=14).map(" ".join), st.booleans())
def test_every_text_renders_or_is_refused_as_a_template(source: str, tight: bool) -> None:
    _render_or_refuse(source.replace(" ", "") if tight else source)


@settings(max_examples=150, deadline=None)
@given(st.lists(SNIPPET, max_size=8).map(" ".join))
def test_every_expression_renders_or_is_refused_as_a_template(source: str) -> None:
    _render_or_refuse("{{ " + source + " }}")


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_character_renders_or_is_refused_as_a_template(source: str) -> None:
    _render_or_refuse(source)
    _render_or_refuse("<p>" + source)


def _render_or_refuse(source: str) -> None:
    for body, subject in ((source, "Hello"), ("plain", source)):
        try:
            mail = render(body, subject)
        except InvalidTemplate:
            continue
        assert isinstance(mail, Rendered)
        assert len(mail.subject.splitlines()) <= 1
