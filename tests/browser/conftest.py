"""A real browser in front of the deployed stack, and people of every role to sit at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from browser.desk import Desk
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
# As root without a sandbox of its own; and nothing that asks its maker's hosts in the background.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


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
    """Where people open the console; ``CONSOLE_URL`` names one served from the sources."""
    return os.environ.get("CONSOLE_URL") or str(stack.outputs["console_urls"][0])


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
        desk.sign_in(*person(role))
        return desk

    yield sit
    for context in contexts:
        context.close()
