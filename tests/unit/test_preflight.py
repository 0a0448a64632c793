"""The checklist says what would stop a campaign; what could not be found out is never fine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes import make_campaign
from sendmill.campaign import Service
from sendmill.preflight import (
    Check,
    Facts,
    Identity,
    Level,
    RowsChecked,
    blocking,
    checklist,
    estimate,
)
from sendmill.rate import Account

VERIFIED = Identity(name="example.com", verified=True, dkim="SUCCESS", mail_from="SUCCESS")
IDS = [
    "sender_identity", "dkim", "mail_from", "dmarc", "sandbox", "quota", "content", "size",
    "unsubscribe", "variables", "approval",
]  # fmt: skip


def facts(**changes: Any) -> Facts:
    plain: dict[str, Any] = {
        "campaign": with_body("Dear {{name}} {{unsubscribe_url}}"),
        "account": Account(max_rate=100.0, daily_quota=50_000.0),
        "asked": True,
        "identity": VERIFIED,
        "dmarc": "v=DMARC1; p=none",
        "rows": RowsChecked(checked=1000, total=1000),
    }
    return Facts(**{**plain, **changes})


def with_body(body: str, *, expected: int = 1000, service: str = "ses") -> Any:
    campaign = make_campaign()
    config = replace(campaign.content.config, email_service=Service(service))
    content = replace(campaign.content, subject="Hello", body=body, config=config)
    return replace(campaign, content=content, expected=expected)


def levels(found: Facts) -> dict[str, Level]:
    return {check.id: check.level for check in checklist(found)}


def test_a_campaign_without_fault_is_fine_in_every_point() -> None:
    found = checklist(facts())
    assert [check.id for check in found] == IDS
    assert {check.level for check in found} == {Level.OK}
    assert blocking(found, []) == []


@pytest.mark.parametrize(
    ("changes", "check", "level", "said"),
    [
        ({"identity": None}, "sender_identity", Level.ERROR, "unknown to SES"),
        ({"identity": replace(VERIFIED, verified=False)}, "sender_identity", Level.ERROR, "not"),
        ({"own_domain": "other.example"}, "sender_identity", Level.ERROR, "not of other.example"),
        ({"own_domain": "Example.com"}, "sender_identity", Level.OK, "example.com is verified"),
        ({"asked": False}, "sender_identity", Level.WARNING, "not checked"),
        ({"asked": False}, "dkim", Level.WARNING, "not checked"),
        ({"identity": replace(VERIFIED, dkim="PENDING")}, "dkim", Level.WARNING, "is pending"),
        ({"identity": replace(VERIFIED, mail_from="")}, "mail_from", Level.WARNING, "not set"),
        ({"dmarc": None}, "dmarc", Level.WARNING, "not checked"),
        ({"dmarc": ""}, "dmarc", Level.WARNING, "has no DMARC record"),
        ({"account": Account(production=False)}, "sandbox", Level.WARNING, "sandbox"),
        ({"account": Account(stopped="sending_paused")}, "sandbox", Level.ERROR, "sending paused"),
        ({"account": Account(daily_quota=999.0)}, "quota", Level.WARNING, "999 left today"),
        ({"campaign": with_body("{{ x")}, "content", Level.ERROR, "body, line 1"),
        ({"campaign": with_body("x" * 95_001)}, "size", Level.WARNING, "95001 bytes"),
        ({"campaign": with_body("no link")}, "unsubscribe", Level.WARNING, "unsubscribe_url"),
        (
            {"rows": RowsChecked(checked=3, total=9, refused="line 4 of the list: x")},
            "variables",
            Level.ERROR,
            "line 4 of the list",
        ),
        ({"rows": RowsChecked(checked=3, total=9)}, "variables", Level.OK, "3 of 9 rows"),
        ({"needs_approval": True}, "approval", Level.ERROR, "nobody has approved"),
        ({"needs_approval": True, "approved": True}, "approval", Level.OK, "approved"),
    ],
)
def test_each_fault_is_named_where_it_belongs(
    changes: dict[str, Any], check: str, level: Level, said: str
) -> None:
    (found,) = [one for one in checklist(facts(**changes)) if one.id == check]
    assert found.level is level
    assert said in found.detail
    assert bool(found.fix) == (level is not Level.OK)


def test_smtp_is_not_asked_for_what_only_ses_knows() -> None:
    found = levels(facts(campaign=with_body("{{unsubscribe_url}}", service="smtp"), asked=False))
    assert {found[name] for name in ("sender_identity", "dkim", "mail_from", "sandbox")} == {
        Level.OK
    }


def test_errors_block_and_warnings_only_those_who_looked_at_them() -> None:
    error = Check(id="a", level=Level.ERROR, title="", detail="")
    warning = Check(id="b", level=Level.WARNING, title="", detail="")
    assert blocking([error, warning], None) == [error]
    assert blocking([error, warning], []) == [error, warning]
    assert blocking([error, warning], ["a", "b"]) == [error]


def test_the_estimate_is_time_money_and_quota() -> None:
    found = estimate(facts(account=Account(max_rate=100.0, safety=1.0, daily_quota=50_000.0)))
    assert (found.recipients, found.seconds, found.cost_usd) == (1000, 10, 0.1)
    assert found.quota_left == 50_000
    assert estimate(facts(account=Account())).quota_left == -1
    smtp = estimate(facts(campaign=with_body("x", service="smtp")))
    assert (smtp.seconds, smtp.cost_usd) == (0, 0.0)
