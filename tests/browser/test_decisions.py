"""What a sender decides at the console: when to start, whether to approve, whom to mail again."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from browser.desk import Desk
from integration.harness import draft_campaign, eventually, until_over
from stack import Stack


@pytest.fixture(scope="module")
def sender(sit_down: Callable[..., Desk]) -> Desk:
    """Somebody who may start what others wrote."""
    return sit_down("sender")


@pytest.fixture
def campaign(mailbox: Stack) -> str:
    """A campaign that can be started, to one person whose name is new."""
    email = f"ann.{uuid.uuid4().hex[:6]}@example.com"
    # what the provider leaves open is held for a person to decide
    draft = draft_campaign(mailbox, f"email,name\n{email},Ann\n")
    path = f"/v1/campaigns/{draft['campaign_id']}"
    mailbox.request("PATCH", path, {"unknown_policy": "hold"})
    return str(draft["campaign_id"])


def open_checks(desk: Desk, campaign: str) -> None:
    """Open the checklist and go ahead in spite of each warning."""
    desk.go(f"/campaigns/{campaign}/preflight")
    for box in desk.page.get_by_label("Go ahead anyway").all():
        box.check()


def test_a_campaign_is_scheduled_for_a_day_and_called_off(
    stack: Stack, sender: Desk, campaign: str
) -> None:
    page = sender.page
    open_checks(sender, campaign)
    page.get_by_role("button", name="Schedule").click()
    dialog = page.get_by_role("dialog", name="Start later")
    tomorrow = datetime.datetime.now().astimezone() + datetime.timedelta(days=1)
    dialog.get_by_label("Start", exact=True).fill(tomorrow.strftime("%Y-%m-%dT08:30"))
    dialog.get_by_label("At most this many minutes late").fill("45")
    sender.picture("schedule")
    dialog.get_by_role("button", name="Schedule").click()
    expect(page.locator("main header .badge")).to_have_text("Scheduled")
    expect(page.get_by_role("main")).to_contain_text("8:30 AM")
    found = stack.request("GET", f"/v1/campaigns/{campaign}")["schedule"]
    at = tomorrow.replace(hour=8, minute=30, second=0, microsecond=0).timestamp()
    assert found == {"start_at": at, "start_by": at + 45 * 60}
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the campaign").click()
    expect(page.locator("main header .badge")).to_have_text("Cancelled")
    assert sender.alarms == []


def test_a_second_person_approves_and_an_edit_withdraws_it(
    stack: Stack, sender: Desk, campaign: str
) -> None:
    """The stack wants no approval, so its answer is changed to that of one that does."""
    page = sender.page

    def wanted(route: Route) -> None:
        said = stack.request("GET", f"/v1/campaigns/{campaign}")
        said["approval"]["needed"] = True
        route.fulfill(json=said)

    page.route(f"**/v1/campaigns/{campaign}", wanted)
    sender.go(f"/campaigns/{campaign}/preflight")
    expect(page.get_by_text("A second person has to approve it")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    sender.picture("approved")
    found = stack.request("GET", f"/v1/campaigns/{campaign}")["approval"]
    assert (found["approved"], bool(found["by"])) == (True, True)
    stack.request("PATCH", f"/v1/campaigns/{campaign}", {"subject": "Another, {{name}}"})
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("A second person has to approve it")).to_be_visible()
    page.unroute_all()


def test_unknown_recipients_are_mailed_again_or_counted_as_failed(
    mailbox: Stack, sender: Desk, campaign: str
) -> None:
    page = sender.page
    # the provider takes nothing and says nothing, twice
    mailbox.mailbox("PUT", "/faults", [{"action": "drop", "match": {"times": 2}}])
    mailbox.request("POST", f"/v1/campaigns/{campaign}/start")
    assert until_over(mailbox, campaign)["states"] == {"unknown": 1}
    sender.go(f"/campaigns/{campaign}")
    failures = page.get_by_role("region", name="Who did not get it, and why")
    failures.get_by_role("button", name="Decide").click()
    dialog = page.get_by_role("dialog", name="Were they mailed?")
    sender.picture("unknown")
    dialog.get_by_role("button", name="Mail them again").click()
    expect(dialog).to_have_count(0)
    eventually(
        lambda: mailbox.request("GET", f"/v1/campaigns/{campaign}/recipients")["items"][0],
        lambda row: (row["state"], row["attempts"]) == ("unknown", 2),
        what="the second attempt",
    )
    failures.get_by_role("button", name="Decide").click()
    dialog.get_by_role("button", name="Count them as failed").click()
    expect(page.locator('[data-state="failed"]')).to_have_text("1")
    expect(page.locator("main header .badge")).to_have_text("Complete")
    assert until_over(mailbox, campaign)["states"] == {"failed": 1}
    assert mailbox.delivered(campaign_id=campaign) == []
