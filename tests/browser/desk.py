"""Somebody at the console."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Dialog, FrameLocator, Page, Request, expect

PICTURES = Path(__file__).resolve().parents[2] / "build/screenshots"


@dataclass
class Desk:
    """Somebody at the console: the page, and everything that must not have happened on it."""

    page: Page
    url: str
    alarms: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note what must not happen: a dialog, an error of a script, a request to another."""
        self.page.on("dialog", self._refuse)
        self.page.on("pageerror", lambda error: self.alarms.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", self._note)

    def go(self, path: str) -> None:
        """Open a page of the console without loading it anew, since that would sign out."""
        self.page.evaluate("(path) => { location.hash = path }", path)
        # a browser writes some characters of an address in its own way
        page = json.dumps(self.page.evaluate("() => location.hash.slice(1).split('?')[0]"))
        self.page.locator(f"main[data-page={page}] h1").wait_for()
        expect(self.page.get_by_text("Loading", exact=True)).to_have_count(0)
        # a preview that is replaced while it loads keeps Playwright from ever saying "networkidle"
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def sign_in(self, name: str, password: str) -> None:
        """Sign in at the issuer's own page."""
        self.page.goto(self.url)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.fill("#username", name)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        self.page.locator("main[data-page] h1").wait_for()

    def preview(self) -> FrameLocator:
        """Return the mail in the preview, once it is the one that stands in the form."""
        frame = self.page.get_by_title("Preview of the mail")
        expect(frame).to_have_attribute("aria-busy", "false")
        return frame.content_frame.get_by_title("The mail").content_frame

    def left(self, host: str) -> list[str]:
        """Return the requests to a host that the page's own policy did not stop."""
        return [url for url in self.asked if host in url and url not in self.stopped]

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of what is shown."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)

    def picture_as(
        self, name: str, *, scheme: str = "light", width: int = 1280, height: int = 860
    ) -> None:
        """Keep a picture from the top of the page, in a colour scheme and at a size."""
        page, usual = self.page, self.page.viewport_size
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => scrollTo(0, 0)")
        # what was said a moment ago lies over a corner of the page
        page.evaluate("() => { document.querySelector('.toasts').style.display = 'none' }")
        self.picture(name)
        page.evaluate("() => { document.querySelector('.toasts').style.display = '' }")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(usual or {"width": 1280, "height": 860})

    def _refuse(self, dialog: Dialog) -> None:
        self.alarms.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, request: Request) -> None:
        if request.failure == "csp":
            self.stopped.append(request.url)
