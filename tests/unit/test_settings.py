"""A function that lacks a setting says so when it starts, all of them at once."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from sendmill.errors import InvalidSettings
from sendmill.settings import ApiSettings, DispatchSettings, WorkerSettings, load

KINDS = [ApiSettings, DispatchSettings, WorkerSettings]


def full(kind: type) -> dict[str, str]:
    return {field.name.upper(): f"the {field.name}" for field in fields(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_read_from_the_variable_of_its_name(kind: type) -> None:
    found = load(kind, {**full(kind), "SOMETHING": "else"})
    for field in fields(kind):
        assert getattr(found, field.name) == f"the {field.name}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_setting_is_named_at_once(kind: type) -> None:
    required = [field.name.upper() for field in fields(kind) if field.default is MISSING]
    with pytest.raises(InvalidSettings) as caught:
        load(kind, {})
    assert str(caught.value) == f"the environment lacks {', '.join(required)}"


def test_an_empty_setting_is_a_missing_one() -> None:
    with pytest.raises(InvalidSettings, match="lacks CONTACTS_BUCKET, KEYS_SECRET_NAME$"):
        load(ApiSettings, {**full(ApiSettings), "CONTACTS_BUCKET": "", "KEYS_SECRET_NAME": ""})


def test_what_is_optional_may_be_missing() -> None:
    environment = full(WorkerSettings)
    for name in ("SES_CONFIGURATION_SET", "MAIL_SECRET_NAME", "DEFAULT_FROM_EMAIL"):
        del environment[name]
    found = load(WorkerSettings, environment)
    assert (found.ses_configuration_set, found.mail_secret_name) == ("", "")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in full(DispatchSettings).items():
        monkeypatch.setenv(name, value)
    assert load(DispatchSettings).email_queue_url == "the email_queue_url"
