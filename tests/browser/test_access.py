"""Everybody can use the console: axe finds nothing serious, the keyboard and a phone suffice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.desk import Desk
from integration.harness import send_list, until_over
from stack import Stack

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def pages(stack: Stack) -> dict[str, str]:
    """Every page of the console, with something on it."""
    started = send_list(stack, "email,name\nann@example.com,Ann\nbob@example.com,Bob\nbad,Carl\n")
    until_over(stack, started["campaign_id"])
    draft = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": "A draft",
            "list_id": started["list_id"],
            "subject": "Hello {{ name }}",
            "body": "Dear {{ nickname }}",
        },
    )
    template = stack.request(
        "POST", "/v1/templates", {"name": "News", "subject": "News", "body": "Dear {{ name }}"}
    )
    over, new = f"/campaigns/{started['campaign_id']}", f"/campaigns/{draft['campaign_id']}"
    return {
        "campaigns": "/campaigns",
        "campaign": over,
        "recipients": f"{over}/recipients",
        "preflight": f"{new}/preflight",
        "compose": f"{new}/edit",
        "compose new": "/campaigns/new",
        "templates": "/templates",
        "template": f"/templates/{template['template_id']}",
        "contacts": "/contacts",
        "list": f"/contacts/{started['list_id']}",
        "import": "/contacts/import",
        "suppressions": "/suppressions",
        "dead letters": "/dead-letters",
        "tasks": "/tasks",
        "account": "/account",
        "nowhere": "/nowhere",
    }


@pytest.fixture(scope="module")
def reader(sit_down: Callable[..., Desk]) -> Desk:
    """Somebody who has sat down to read."""
    return sit_down("viewer")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 375)])
def test_axe_finds_nothing_serious_on_any_page(
    scheme: str, width: int, pages: dict[str, str], axe: str, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("admin", scheme=scheme, width=width)
    found = {}
    for name, path in pages.items():
        desk.go(path)
        desk.picture(f"{scheme}-{width}/{name.replace(' ', '-')}")
        found[name] = look(desk, axe)
        assert overflow(desk) <= 0, f"{name} is wider than {width} pixels"
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert desk.alarms == []


def look(desk: Desk, axe: str) -> list[str]:
    """Return what axe finds; it is put in by the debugger, past the page's own policy."""
    if not desk.page.evaluate("() => 'axe' in window"):
        desk.page.evaluate(axe)
    result: dict[str, Any] = desk.page.evaluate(
        "() => axe.run(document, { iframes: false, resultTypes: ['violations'] })"
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in result["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def overflow(desk: Desk) -> int:
    """Return by how many pixels the page is wider than its window."""
    found: int = desk.page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/campaigns/nobody", "Campaign"),
        ("/campaigns/nobody/edit", "Edit the campaign"),
        ("/campaigns/nobody/preflight", "Checks"),
        ("/campaigns/nobody/recipients", "Recipients"),
        ("/templates/nobody", "Template"),
        ("/contacts/nobody", "List of contacts"),
        ("/contacts/import/nobody", "Import contacts"),
    ],
)
def test_a_page_whose_data_do_not_come_says_what_it_is(
    path: str, heading: str, reader: Desk
) -> None:
    reader.go(path)
    expect(reader.page.get_by_role("alert").first).to_contain_text("nobody")
    expect(reader.page.get_by_role("heading", level=1)).to_have_text(heading)


def test_a_message_of_plain_text_is_shown_as_it_is(pages: dict[str, str], reader: Desk) -> None:
    reader.go(pages["compose"])
    shown = reader.page.get_by_label("Plain text of the mail")
    expect(shown).to_have_text("Dear [nickname]")
    expect(reader.page.get_by_role("button", name="HTML")).to_be_disabled()


def test_the_keyboard_alone_gets_from_page_to_page(sit_down: Callable[..., Desk]) -> None:
    page = sit_down("viewer").page
    expect(page.get_by_role("heading", level=1, name="Campaigns")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Suppressions").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Suppressions")).to_be_focused()
    expect(page).to_have_title("Suppressions · Sendmill")
    expect(page.get_by_role("link", name="Suppressions")).to_have_attribute("aria-current", "page")


def test_dead_letters_are_thrown_away_once_their_queue_is_named(
    mailbox: Stack, sit_down: Callable[..., Desk]
) -> None:
    url = mailbox.outputs["email_dlq_url"]
    mailbox.client("sqs").send_message(QueueUrl=url, MessageBody="no JSON")
    desk = sit_down("admin")
    desk.go("/dead-letters")
    row = desk.page.get_by_role("row").filter(has_text="body must be JSON")
    expect(row).to_have_count(1)
    desk.page.get_by_role("button", name="Purge").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label(f"Type {url.rpartition('/')[2]} to go on").fill(url.rpartition("/")[2])
    dialog.get_by_role("button", name="Purge").click()
    expect(dialog).to_have_count(0)
    expect(row).to_have_count(0)


def test_a_dialog_holds_the_focus_and_gives_it_back(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("editor")
    desk.go("/suppressions")
    opener = desk.page.get_by_role("button", name="Add an address")
    opener.focus()
    desk.page.keyboard.press("Enter")
    expect(desk.page.get_by_role("dialog", name="Never mail this address")).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk.page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
