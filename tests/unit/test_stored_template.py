"""Templates are kept in versions that never change; what would kill a function is refused."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest
from cloud import CAMPAIGNS, Cloud

from fakes import CONFIG, Clock
from sendmill.campaign import Content, content_from_mapping
from sendmill.errors import InvalidCampaign, InvalidTemplate, NotFound
from sendmill.store import TemplateStore
from sendmill.stored_template import TemplateDesk, from_template
from sendmill.template import compile_content, preview
from sendmill.template_trial import TemplateTrial

SAID = {
    "name": "Newsletter",
    "subject": "Hello {{ first_name }}",
    "body": "<p>Dear {{ first_name }} of {{ company }}</p>",
    "text": "Dear {{ first_name }}",
    "defaults": {"company": "your company"},
}
# Valid in every rule of the sandbox, small enough to be taken, and compiled for minutes.
BOMB = "{{ a" + "==a" * 32_000 + " }}"


@pytest.fixture
def desk(cloud: Cloud, clock: Clock) -> TemplateDesk:
    numbers = count(1)
    return TemplateDesk(
        shelf=TemplateStore(cloud.dynamodb, CAMPAIGNS),
        trial=lambda content: sorted(compile_content(content).variables),
        clock=clock,
        new_id=lambda kind: f"{kind}_{next(numbers)}",
    )


def content(body: str = "Dear {{ name }}", **more: Any) -> Content:
    return Content(subject="Hello", body=body, config=CONFIG, **more)


def test_a_template_reads_back_as_it_was_saved_with_its_variables(desk: TemplateDesk) -> None:
    made = desk.create(SAID, created_by="someone")
    assert (made.id, made.version, made.variables) == (
        "template_1",
        1,
        ("company", "first_name"),
    )
    assert desk.get("template_1") == made
    assert made.content() == {name: SAID[name] for name in ("subject", "body", "text", "defaults")}


def test_saving_again_makes_a_version_and_leaves_those_before(
    desk: TemplateDesk, clock: Clock
) -> None:
    first = desk.create(SAID)
    clock.advance(60)
    desk.create({**SAID, "name": "Other"})
    clock.advance(60)
    second = desk.save(first.id, {**SAID, "subject": "Good day", "text": ""}, created_by="her")
    assert (second.version, second.created_by) == (2, "her")
    assert desk.get(first.id) == second
    assert desk.get(first.id, 1) == first
    assert list(desk.versions(first.id)) == [second, first]
    listed, cursor = desk.shelf.list()
    assert [(one.name, one.version) for one in listed] == [("Newsletter", 2), ("Other", 1)]
    assert cursor == ""
    with pytest.raises(NotFound, match="version 3 of template template_1"):
        desk.get(first.id, 3)


def test_two_who_save_at_once_make_two_versions(desk: TemplateDesk) -> None:
    first = desk.create(SAID)
    slow = desk.shelf.get(first.id)
    assert slow is not None
    desk.save(first.id, {**SAID, "subject": "Fast"})
    assert desk.shelf.add(slow) is False
    assert desk.save(first.id, {**SAID, "subject": "Slow"}).version == 3
    assert [one.subject for one in desk.versions(first.id)][:2] == ["Slow", "Fast"]


def test_a_template_is_deleted_in_every_version(desk: TemplateDesk, cloud: Cloud) -> None:
    first = desk.create(SAID)
    desk.save(first.id, SAID)
    desk.delete(first.id)
    assert cloud.dynamodb.scan(TableName=CAMPAIGNS)["Count"] == 0
    for act in (desk.delete, desk.get, desk.versions):
        with pytest.raises(NotFound):
            act(first.id)
    with pytest.raises(NotFound):
        desk.save(first.id, SAID)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"name": ""}, InvalidCampaign, "name must be"),
        ({"subject": " "}, InvalidCampaign, "subject must be a template"),
        ({"body": "{% for a in b %}{% endfor %}"}, InvalidTemplate, "body, line 1: for"),
        ({"text": "{{ a.b }}"}, InvalidTemplate, "text, line 1: getattr"),
        ({"defaults": {"first name": "x"}}, InvalidCampaign, "defaults.first name"),
        ({"defaults": {"name": "a\nBcc: b"}}, InvalidCampaign, "defaults.name"),
        ({"defaults": {"name": 1}}, InvalidCampaign, "defaults.name must be text"),
        ({"defaults": ["name"]}, InvalidCampaign, "defaults must be"),
    ],
)
def test_what_cannot_be_saved_is_named(
    desk: TemplateDesk, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        desk.create({**SAID, **changes})


def test_a_campaign_takes_a_version_over_or_the_newest(desk: TemplateDesk) -> None:
    first = desk.create(SAID)
    desk.save(first.id, {**SAID, "subject": "Newer"})
    newest = from_template({"template_id": first.id, "name": "Spring"}, desk.shelf)
    assert (newest["subject"], newest["template_version"], newest["name"]) == ("Newer", 2, "Spring")
    old = from_template({"template_id": first.id, "template_version": 1}, desk.shelf)
    assert old["subject"] == SAID["subject"]
    assert from_template({"subject": "x"}, desk.shelf) == {"subject": "x"}
    with pytest.raises(InvalidCampaign, match="subject must not stand beside template_id"):
        from_template({"template_id": first.id, "subject": "x"}, desk.shelf)
    with pytest.raises(NotFound, match="version 9 of template"):
        from_template({"template_id": first.id, "template_version": 9}, desk.shelf)
    with pytest.raises(InvalidCampaign, match="template_version"):
        from_template({"template_id": first.id, "template_version": True}, desk.shelf)


def test_defaults_stand_for_what_is_missing_or_empty() -> None:
    found = compile_content(content("{{ name }}, {{ city }}", defaults=(("city", "Rome"),)))
    assert found.render({"name": "Ada"}).text == "Ada, Rome"
    assert found.render({"name": "Ada", "city": ""}).text == "Ada, Rome"
    assert found.render({"name": "Ada", "city": "Paris"}).text == "Ada, Paris"
    with pytest.raises(InvalidTemplate, match="'name' is undefined"):
        found.render({})


def test_a_text_part_of_its_own_is_used_as_it_is() -> None:
    made = content("<p>Dear {{ name }}</p>", text="Plain {{ name }} {{ other }}")
    found = compile_content(made)
    assert found.variables == {"name", "other"}
    rendered = found.render({"name": "<b>", "other": "&"})
    assert (rendered.text, rendered.html) == ("Plain <b> &", "<p>Dear &lt;b&gt;</p>")


def test_a_content_without_text_and_defaults_keeps_its_old_name() -> None:
    raw = {"subject": "s", "body": "b", "config": {"from_email": "a@example.com"}}
    plain = content_from_mapping(raw)
    assert set(plain.plain()) == {"subject", "body", "config"}
    assert plain.digest() == content_from_mapping({**raw, "text": "", "defaults": {}}).digest()
    assert plain.digest() != content_from_mapping({**raw, "text": "t"}).digest()


def test_a_preview_names_what_is_missing_instead_of_refusing() -> None:
    body = (
        "{{ a }} {{ b | upper }} {{ c | default('c') }} {% if d %}d{% else %}no{% endif %}"
        "{% if e is defined %}e{% endif %} {{ f }} {{ g }}"
    )
    rendered, missing = preview(content(body, defaults=(("f", "F"),)), {"g": "G"})
    assert rendered.text == "[a] [B] c no F G"
    assert missing == ["a", "b", "d"]
    escaped, _ = preview(content("<p>{{ a }}</p>"), {"a": "<script>"})
    assert escaped.html == "<p>&lt;script&gt;</p>"
    with pytest.raises(InvalidTemplate, match="body, line 1: getattr"):
        preview(content("{{ a.__class__ }}"), {})


def test_a_trial_tells_the_variables_and_refuses_in_the_same_words() -> None:
    trial = TemplateTrial()
    assert trial(content("{{ b }} {{ a }}")) == ("a", "b")
    with pytest.raises(InvalidTemplate, match="body, line 1: for is not allowed"):
        trial(content("{% for a in b %}{% endfor %}"))


def test_a_bomb_is_refused_in_little_time_and_the_process_lives_on() -> None:
    started = time.monotonic()
    with pytest.raises(InvalidTemplate, match="takes more than 1 s or 160 MB to render"):
        TemplateTrial(seconds=1)(content(BOMB))
    assert time.monotonic() - started < 60  # it takes minutes where nobody stops it
    assert TemplateTrial()(content("{{ a }}")) == ("a",)


@pytest.mark.parametrize(
    "program",
    [
        "import resource as r; r.setrlimit(r.RLIMIT_AS, ({memory}, {memory})); x = 'x' * 10**10",
        "import os; os.kill(os.getpid(), 9)",
        "raise SystemExit(1)",
    ],
)
def test_a_child_that_dies_refuses_the_template(program: str) -> None:
    with pytest.raises(InvalidTemplate, match="make it simpler"):
        TemplateTrial(program=program)(content())


def test_a_child_has_no_credentials_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program = "import json, os; print(json.dumps(dict(variables=sorted(os.environ))))"
    assert "AWS_SECRET_ACCESS_KEY" not in TemplateTrial(program=program)(content())
