"""A real browser in front of the deployed stack, and people of every role to sit at it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build/screenshots"
PATIENCE_MS = 60_000
# As root without a sandbox of its own; and nothing that asks its maker's hosts in the background.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Desk:
    """Somebody at the console: the page, and everything that must not have happened on it."""

    page: Page
    url: str
    alarms: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of the console without loading it anew, since that would sign out."""
        self.page.evaluate("(path) => { location.hash = path }", path)
        self.page.wait_for_function(
            "() => document.querySelector('main h1') && !document.querySelector('main [aria-busy=true]')"
        )

    def sign_in(self, name: str, password: str) -> None:
        """Sign in at the issuer's own page."""
        self.page.goto(self.url)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.fill("#username", name)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        self.page.get_by_role("navigation", name="Main").wait_for(state="attached")

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of what is shown."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; installed if the machine has none."""
    found = subprocess.run(
        [ROOT / "scripts/find_browser.sh"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def axe() -> str:
    """The rules of accessibility, fetched by their hash."""
    subprocess.run([sys.executable, "scripts/vendor.py"], cwd=ROOT, check=True)
    return (ROOT / "build/vendor/axe.min.js").read_text()


@pytest.fixture(scope="package")
def console_url(stack: Stack) -> str:
    """Where people open the console: the address that browsers resolve."""
    return str(stack.outputs["console_urls"][0])


@pytest.fixture(scope="package")
def person(stack: Stack) -> Callable[[str], tuple[str, str]]:
    """A function from a role to the name and password of somebody who has it."""

    def make(role: str) -> tuple[str, str]:
        cognito, pool = stack.client("cognito-idp"), stack.outputs["user_pool_id"]
        name, password = f"{role}.{secrets.token_hex(3)}@example.com", secrets.token_hex(8) + "aA1!"
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=name,
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": "email", "Value": name}],
        )
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=name, Password=password, Permanent=True
        )
        if role != "nobody":
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=role)
        return name, password

    return make


@pytest.fixture(scope="package")
def sit_down(
    browser: Browser, console_url: str, person: Callable[[str], tuple[str, str]]
) -> Iterator[Callable[..., Desk]]:
    """A function that seats somebody of a role at a console of their own, signed in."""
    contexts: list[BrowserContext] = []

    def sit(role: str, *, scheme: str = "light", width: int = 1280) -> Desk:
        context = browser.new_context(
            viewport={"width": width, "height": 860},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        desk = Desk(page=context.new_page(), url=console_url)
        watch(desk)
        desk.sign_in(*person(role))
        return desk

    yield sit
    for context in contexts:
        context.close()


def watch(desk: Desk) -> None:
    """Note what must not happen: a dialog, an error of a script, a request to somebody else."""
    page = desk.page
    page.on("dialog", lambda dialog: (desk.alarms.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: desk.alarms.append(f"error: {error}"))
    page.on("request", lambda request: desk.asked.append(request.url))
