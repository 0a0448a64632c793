"""A communications officer sends a campaign, from the file of contacts to the last recipient."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from browser.desk import Desk
from integration.harness import eventually
from stack import Stack

MEMBERS = 120
# a stack that stands remembers who left
RUN = uuid.uuid4().hex[:6]
REFUSED = f"member7.{RUN}@example.com"
LEAVING = f"member3.{RUN}@example.com"
BODY = """<h1 style="color:#005ea2">Hello {{ nickname }}</h1>
<p>From December on the library of {{ company }} is open on <b>Sundays</b>, from ten to four.</p>
<p>Bring a friend: the first fifty visitors get a cup of tea.</p>"""
SLOW = {"match": {"after": 20}, "action": "latency_ms", "milliseconds": 5000}
REFUSAL = {"match": {"to": f"^{REFUSED}$"}, "action": "reject", "message": "Refused for a test"}


def contacts() -> bytes:
    """Return a file as a club's office would have it: two of its rows are bad."""
    rows = [f"member{n}.{RUN}@example.com;Ada;Aldwick" for n in range(MEMBERS)]
    rows.insert(10, "no address;Bob;Aldwick")
    rows.append(f"MEMBER1.{RUN}@example.com;Ada again;Aldwick")
    return ("E-mail;First name;Company\r\n" + "\r\n".join(rows) + "\r\n").encode("utf-8-sig")


def test_a_campaign_from_its_contacts_to_its_last_recipient(
    mailbox: Stack, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("admin")
    import_contacts(desk)
    compose(desk)
    meet_an_error_and_mend_it(desk)
    send_a_test(desk, mailbox)
    mailbox.mailbox("PUT", "/faults", {"rules": [REFUSAL, SLOW]})
    start(desk)
    pause_and_resume(desk)
    mailbox.mailbox("PUT", "/faults", {"rules": [REFUSAL]})
    see_the_failure(desk)
    mailbox.mailbox("DELETE", "/faults")
    retry(desk)
    unsubscribe(desk, mailbox)
    see_the_suppression(desk)
    assert desk.alarms == []


def import_contacts(desk: Desk) -> None:
    page = desk.page
    desk.go("/contacts/import")
    file: Any = {"name": "members.csv", "mimeType": "text/csv", "buffer": contacts()}
    page.get_by_label("Drop a CSV file here").set_input_files(files=[file])
    page.get_by_role("button", name="Upload").click()
    column = page.get_by_label("Name in messages for the column First name")
    expect(column).to_have_value("first_name")
    expect(page.get_by_label("for the column E-mail")).to_have_value("email")
    desk.picture("import-columns")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("you can write to its contacts now")).to_be_visible()
    rejected = page.get_by_role("region", name="Rejected rows").get_by_role("row")
    expect(rejected).to_have_count(3)
    expect(rejected.nth(1)).to_contain_text("12")
    expect(rejected.nth(1)).to_contain_text("must be valid")
    expect(rejected.nth(2)).to_contain_text("the same as in line 3")
    desk.picture("import-done")


def compose(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("link", name="Write to them").click()
    page.get_by_label("Name", exact=True).fill("Winter hours")
    expect(page.get_by_label("Contacts")).not_to_have_value("")
    page.get_by_label("Subject").fill("New hours, {{ first_name }}")
    page.get_by_label("Message", exact=True).fill(BODY)
    expect(page.get_by_text("1 variable without a value")).to_be_visible()
    expect(page.locator(".chip.missing")).to_have_text("nickname")
    expect(desk.preview().get_by_text("is open on Sundays")).to_contain_text("Aldwick")
    desk.picture("compose")
    page.get_by_role("button", name="Save and check").click()


def meet_an_error_and_mend_it(desk: Desk) -> None:
    page = desk.page
    error = page.locator('[data-check="variables"].error')
    expect(error).to_contain_text("nickname")
    expect(page.get_by_role("button", name="Start sending")).to_be_disabled()
    desk.picture("preflight-error")
    page.get_by_role("link", name="Edit").click()
    body = page.get_by_label("Message", exact=True)
    body.fill(BODY.replace("nickname", "first_name"))
    expect(desk.preview().get_by_role("heading", name="Hello Ada")).to_be_visible()
    expect(page.get_by_text("without a value")).to_have_count(0)
    desk.picture_as("compose-mended", height=900)
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator('[data-check="variables"].ok')).to_be_visible()


def send_a_test(desk: Desk, stack: Stack) -> None:
    page = desk.page
    page.get_by_role("button", name="Send a test").click()
    to = f"office.{uuid.uuid4().hex[:6]}@example.com"
    page.get_by_label("Addresses").fill(to)
    page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("1 test mail sent")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    (mail,) = eventually(lambda: stack.delivered(to=to), bool, what="the test mail")
    assert mail["subject"].startswith("[Test] New hours, Ada")


def start(desk: Desk) -> None:
    page = desk.page
    for box in page.get_by_label("Go ahead anyway").all():
        box.check()
    desk.picture_as("preflight-dark", scheme="dark", height=900)
    desk.picture_as("preflight-phone", width=375, height=780)
    page.get_by_role("button", name="Start sending").click()
    dialog = page.get_by_role("dialog", name=f"Mail {MEMBERS} recipients?")
    dialog.get_by_role("button", name="Start sending").click()
    expect(status(page)).to_have_text(re.compile("Checking|Sending"))


def pause_and_resume(desk: Desk) -> None:
    page = desk.page
    expect(page.locator('[data-state="accepted"]')).not_to_have_text("0")
    desk.picture("sending")
    page.get_by_role("button", name="Pause").click()
    expect(status(page)).to_have_text("Paused")
    expect(page.get_by_text("The states add up to all 120 recipients")).to_be_visible()
    desk.picture("paused")
    page.get_by_role("button", name="Resume").click()
    expect(status(page)).to_have_text(re.compile("Sending|Complete"))


def see_the_failure(desk: Desk) -> None:
    page = desk.page
    expect(status(page)).to_have_text("Complete")
    expect(page.locator('[data-state="accepted"]')).to_have_text(str(MEMBERS - 1))
    expect(page.locator('[data-state="failed"]')).to_have_text("1")
    failures = page.get_by_role("region", name="Who did not get it, and why")
    expect(failures).to_contain_text("Message rejected")
    desk.picture_as("failures", height=1100)
    desk.picture_as("failures-dark", scheme="dark", height=1100)
    desk.picture_as("failures-phone", width=375, height=780)
    failures.get_by_role("link", name="Message rejected").click()
    expect(page.get_by_role("row", name=re.compile(REFUSED))).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("navigation", name="Campaign").get_by_role("link", name="Progress").click()


def retry(desk: Desk) -> None:
    page = desk.page
    failures = page.get_by_role("region", name="Who did not get it, and why")
    failures.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator('[data-state="accepted"]')).to_have_text(str(MEMBERS))
    expect(status(page)).to_have_text("Complete")
    desk.picture("complete")


def unsubscribe(desk: Desk, stack: Stack) -> None:
    """Press the link of a mail, as its reader: in another window, without a token."""
    mails = [one for one in stack.delivered(to=LEAVING) if one["subject"].startswith("New hours")]
    raw = stack.mailbox("GET", f"/messages/{mails[-1]['message_id']}").replace("\r\n ", "")
    found = re.search(r"^List-Unsubscribe:.*<(https?://[^>]+)>", raw, re.MULTILINE)
    assert found is not None
    page = desk.page.context.new_page()
    page.goto(found[1])
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    page.close()


def see_the_suppression(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Suppressions").click()
    page.get_by_label("Find an address").fill(LEAVING)
    expect(page.get_by_role("row", name=re.compile(LEAVING))).to_contain_text("Unsubscribed")
    desk.picture("suppressions")


def status(page: Page) -> Any:
    return page.locator("main header .badge")
