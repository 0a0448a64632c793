"""Templates in Django's manner: what of its language works, what is refused, what is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from sendmill.errors import InvalidTemplate
from sendmill.tasks.builtin.letters import LetterTemplates, register_renderer, render_text
from sendmill.tasks.builtin.texts import TEXTS

CONTEXT: Mapping[str, Any] = {
    "user": {"first_name": "Ada", "pets": ["cat", "dog"]},
    "n": 1,
    "price": 3.5,
    "empty": [],
    "day": "2026-11-23",
    "html": "<b>&",
    "none": None,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Dear {{ user.first_name }}", "Dear Ada"),
        ("{{ user.pets.1 }}", "dog"),
        ("{{ html }}", "&lt;b&gt;&amp;"),
        ("{% if user.last_name %}x{% else %}y{% endif %}", "y"),
        ("{% if n == 1 and not empty %}one{% elif n > 1 %}many{% endif %}", "one"),
        ('{{ user.last_name|default:"friend" }}', "friend"),
        ("{{ none|default_if_none:'-' }}", "-"),
        ("{% for p in user.pets %}{{ forloop.counter }}{{ p }}{% endfor %}", "1cat2dog"),
        (
            "{% for p in user.pets %}{{ p }}{% if not forloop.last %},{% endif %}{% endfor %}",
            "cat,dog",
        ),
        ("{% for p in empty %}{{ p }}{% empty %}none{% endfor %}", "none"),
        ("{% for p in user.fish %}{{ p }}{% empty %}no fish{% endfor %}", "no fish"),
        ("{% for key, value in pairs %}x{% endfor %}.", "."),
        ("{% with who=user.first_name %}{{ who|upper }}{% endwith %}", "ADA"),
        ("{% load i18n static %}a{% comment %}{{ nobody }}{% endcomment %}b{# c #}", "ab"),
        ('{{ user.pets|join:", " }} {{ user.pets|length }}', "cat, dog 2"),
        ('{{ n }} item{{ n|pluralize }}, cherr{{ 2|pluralize:"y,ies" }}', "1 item, cherries"),
        ("{{ price|floatformat:2 }} {{ 3.0|floatformat }}", "3.50 3"),
        ('{{ day|date:"d/m/Y" }}', "23/11/2026"),
        ('{{ n|yesno:"on,off" }}', "on"),
        ("{{ 'abcdef'|truncatechars:4 }}", "abc…"),
        ("{{ html|linebreaksbr }}", "&lt;b&gt;&amp;"),
    ],
)
def test_this_much_of_djangos_language_works(source: str, expected: str) -> None:
    assert render_text(source, CONTEXT) == expected


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("{{ user.last_name }}", "last_name"),
        ("a\n{{ nobody }}", "nobody"),
        ('{% url "home" %}', "unknown tag 'url'"),
        ("{{ html|safe }}", "safe"),
        ("{{ user.first_name.__class__ }}", "__class__"),
        ("{{ user.items() }}", "call is not allowed"),
        ("{{ user.pets.append }}", "append"),
        ("{{ 'x' * 1000000000 }}", "mul is not allowed"),
        ("{% for a in user.pets %}", "line 1"),
        ("{% autoescape off %}{{ html }}{% endautoescape %}", "autoescape"),
        ("{% include 'nothing.html' %}", "no template nothing.html"),
        ("{% include '../secrets.html' %}", "no template ../secrets.html"),
    ],
)
def test_the_rest_is_refused_by_name(source: str, named: str) -> None:
    with pytest.raises(InvalidTemplate) as refused:
        render_text(source, CONTEXT)
    assert named in str(refused.value)


def test_a_template_that_grows_without_end_is_stopped() -> None:
    rows = [{"text": "x" * 10_000}] * 300
    with pytest.raises(InvalidTemplate, match="at most 2000000 characters"):
        render_text("{% for row in rows %}{{ row.text }}{% endfor %}", {"rows": rows})
    with pytest.raises(InvalidTemplate):
        render_text("{% include 'me.html' %}", {}, find=lambda name: "{% include 'me.html' %}")


def templates(found: Mapping[str, str]) -> LetterTemplates:
    return LetterTemplates(sources=(found.get,))


def test_a_template_extends_and_includes_others_and_its_text_part_is_its_twin() -> None:
    written = templates(
        {
            "base.html": "<html>{% block body %}{% endblock %}</html>",
            "sign.html": "<i>{{ user.first_name }}</i>",
            "hi.html": '{% extends "base.html" %}'
            '{% block body %}{% include "sign.html" %}{% endblock body %}',
            "hi.txt": "Hi <{{ user.first_name }}>",
        }
    )
    mail = written.render("hi.html", "Hello\n there", CONTEXT)
    assert mail.html == "<html><i>Ada</i></html>"
    assert mail.text == "Hi <Ada>"
    assert mail.subject == "Hello there"


def test_without_a_twin_the_text_part_is_made_of_the_html() -> None:
    mail = templates({"a.html": "<p>Hi &amp; bye</p><p>{{ n }}</p>"}).render("a.html", "s", CONTEXT)
    assert mail.text == "Hi & bye\n\n1\n"
    assert templates({"a.txt": "{{ html }}"}).render("a.txt", "s", CONTEXT).html == ""


@pytest.mark.parametrize(
    "name", ["../a.html", "/a.html", "a.py", "a.html\n", "", "x" * 300 + ".html"]
)
def test_a_name_that_is_no_template_is_refused(name: str) -> None:
    with pytest.raises(InvalidTemplate, match="must be a path"):
        templates({name: "x"}).render(name, "s", {})


def test_a_renderer_of_the_applications_own_goes_first() -> None:
    def theirs(name: str, context: Mapping[str, Any]) -> str:
        if name != "theirs.html":
            raise LookupError(name)
        return f"<p>theirs {context['n']}</p>"

    register_renderer(theirs)
    assert templates({}).render("theirs.html", "s", CONTEXT).html == "<p>theirs 1</p>"
    assert templates({"ours.html": "ours"}).render("ours.html", "s", CONTEXT).html == "ours"


def test_the_templates_that_come_along_render_with_what_the_tasks_give_them() -> None:
    report = {
        "subject": "Report 5: partial",
        "title": "Gate <4>",
        "report_id": "5",
        "status": "partial",
        "counts": {"files": 4, "done": 2, "failed": 2},
        "failed": [{"name": "<a>.png", "error": "the picture is broken"}],
    }
    html = render_text(TEXTS["sendmill/guard_report.html"], report)
    assert "2 of 4 files of report\n5\nwere processed" in html
    assert "&lt;a&gt;.png: the picture is broken" in html
    links = {
        "subject": "s",
        "title": "t",
        "rows": 1,
        "minutes": 5,
        "links": [{"name": "a.csv", "url": "https://x?a=1&b=2"}],
    }
    html = render_text(TEXTS["sendmill/report_ready.html"], links)
    assert '<a href="https://x?a=1&amp;b=2">a.csv</a>' in html
    assert "1 row.\nThe link below opens it for\n5 minutes" in html


def test_a_date_may_be_one() -> None:
    assert render_text('{{ day|date:"D j M" }}', {"day": date(2026, 11, 23)}) == "Mon j Nov"
