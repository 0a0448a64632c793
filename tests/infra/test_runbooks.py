"""Every alarm has its page, and every page an alarm that leads to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.stem: path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md")}
INDEX = PAGES.pop("README")


def named_by_alarms() -> set[str]:
    watches = (ROOT / "terraform/modules/monitoring").glob("watches_*.tf")
    return {
        name for path in watches for name in re.findall(r'\brunbook += "([^"]+)"', path.read_text())
    }


def test_every_alarm_names_a_page_and_every_page_has_its_alarm() -> None:
    assert len(named_by_alarms()) > 15
    assert named_by_alarms() == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    text = PAGES[name]
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == [
        "What it means",
        "Look here",
        "Do this",
    ]
    assert f"]({name}.md)" in INDEX
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (ROOT / "docs/runbooks" / link).exists()] == []
