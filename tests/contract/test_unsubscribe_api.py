"""RFC 8058 at the function's edge: every body acts, no GET does, and nothing is given away."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cloud import CAMPAIGNS, RECIPIENTS, SIGNING_KEYS, Cloud, Context

from fakes import HASH_KEY, make_campaign, make_row
from sendmill.contact import address_hash
from sendmill.store import CampaignStore, RecipientStore
from sendmill.unsubscribe import Keyring

Load = Callable[[str], ModuleType]
MakeEvent = Callable[[str], dict[str, Any]]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
ROW = make_row()
KEYS = Keyring(current="k1", keys={name: key.encode() for name, key in SIGNING_KEYS.items()})
TOKEN = KEYS.sign("spring", ROW.rid)
LINK = f"/u/spring/{ROW.rid}/{TOKEN}"
ADDRESS = address_hash(HASH_KEY, "ada@example.com")
URLENCODED = ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click")
MULTIPART = (
    "multipart/form-data; boundary=AaB03x",
    b'--AaB03x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--AaB03x--\r\n",
)


class Site:
    """The function behind the anonymous routes."""

    def __init__(self, module: ModuleType, event: MakeEvent, rows: RecipientStore) -> None:
        self.module, self.event, self.rows = module, event, rows

    def ask(
        self, method: str, path: str, body: tuple[str, bytes] = ("", b""), *, encoded: bool = False
    ) -> dict[str, Any]:
        kind, data = body
        found = self.event("api_gateway_v2") | {"rawPath": path}
        del found["requestContext"]["authorizer"]
        found["headers"] = {"content-type": kind, "user-agent": "Mail-Provider"}
        found["requestContext"]["http"] |= {"method": method, "path": path}
        text = base64.b64encode(data).decode() if encoded else data.decode()
        found |= {"body": text, "isBase64Encoded": encoded}
        answer: dict[str, Any] = self.module.handler(found, Context())
        return answer

    def reason(self) -> str:
        return self.rows.read([], suppression_keys=[ADDRESS])[1].get(ADDRESS, "")


@pytest.fixture
def site(load: Load, event: MakeEvent, cloud: Cloud) -> Site:
    CampaignStore(cloud.dynamodb, CAMPAIGNS).add(make_campaign())
    rows = RecipientStore(cloud.dynamodb, RECIPIENTS, CAMPAIGNS)
    rows.adopt([ROW])
    return Site(load("api"), event, rows)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("body", [URLENCODED, MULTIPART, ("", b"")])
def test_a_one_click_post_unsubscribes_whatever_its_encoding(
    site: Site, body: tuple[str, bytes], encoded: bool
) -> None:
    answer = site.ask("POST", LINK, body, encoded=encoded)
    assert answer["statusCode"] == 200
    assert site.reason() == "unsubscribed"
    assert site.ask("POST", LINK, body, encoded=encoded)["statusCode"] == 200


def test_an_erased_person_is_not_promised_what_nobody_could_keep(site: Site) -> None:
    site.rows.forget_contact(ROW)
    answer = site.ask("POST", LINK, URLENCODED)
    assert (answer["statusCode"], "You are on no list" in answer["body"]) == (200, True)
    assert "You are unsubscribed" not in answer["body"]
    nobody = address_hash(HASH_KEY, "")
    assert site.rows.read([], suppression_keys=[ADDRESS, nobody])[1] == {}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_changes_nothing(site: Site, method: str) -> None:
    assert site.ask(method, LINK)["statusCode"] == 200
    assert site.reason() == ""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_acts(site: Site, method: str) -> None:
    assert site.ask(method, LINK)["statusCode"] in (404, 405)
    assert site.reason() == ""


def test_the_page_says_what_it_does_and_needs_no_script(site: Site) -> None:
    page = site.ask("GET", LINK)["body"]
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert "<h1>Unsubscribe</h1>" in page
    assert '<form method="post">' in page
    assert '<button type="submit">Unsubscribe</button>' in page
    assert not re.search(r"<script|<img|<link|https?://|action=", page)


def test_the_page_is_the_same_for_every_link(site: Site) -> None:
    pages = [site.ask("GET", path) for path in (LINK, "/u/a/b/c", "/u/spring/x/k1.forged")]
    assert len({page["body"] for page in pages}) == 1
    assert {page["statusCode"] for page in pages} == {200}


FORGED = [
    f"/u/spring/{ROW.rid}/k1.forged",
    f"/u/spring/{ROW.rid}/{TOKEN[:-1]}",
    f"/u/spring/{ROW.rid}/{TOKEN.replace('k1.', 'k0.')}",
    f"/u/summer/{ROW.rid}/{TOKEN}",
    f"/u/spring/{'a' * 26}/{TOKEN}",
    f"/u/spring/{'a' * 26}/{KEYS.sign('spring', 'a' * 26)}",
    f"/u/spring/{ROW.rid}/{Keyring(current='k1', keys={'k1': b'x' * 40}).sign('spring', ROW.rid)}",
]


@pytest.mark.parametrize("path", FORGED)
def test_a_forged_link_changes_nothing_and_looks_like_an_unknown_recipient(
    site: Site, path: str
) -> None:
    unknown = f"/u/spring/{'b' * 26}/{KEYS.sign('spring', 'b' * 26)}"
    answer, stranger = site.ask("POST", path, URLENCODED), site.ask("POST", unknown, URLENCODED)
    assert site.reason() == ""
    assert answer == stranger
    assert answer["statusCode"] == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", [LINK, FORGED[0]])
def test_every_answer_is_locked_down(site: Site, method: str, path: str) -> None:
    answer = site.ask(method, path, URLENCODED)
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "location" not in headers
    assert "set-cookie" not in headers
    assert not answer.get("cookies")
    assert "ada" not in answer["body"]
    assert TOKEN not in answer["body"]


def test_the_style_is_the_one_that_the_policy_allows(site: Site) -> None:
    import hashlib

    answer = site.ask("GET", LINK)
    (style,) = re.findall(r"<style>(.*?)</style>", answer["body"])
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer["headers"]["Content-Security-Policy"]


def test_a_ledger_that_is_away_asks_to_come_again(site: Site, cloud: Cloud) -> None:
    cloud.dynamodb.delete_table(TableName=RECIPIENTS)
    answer = site.ask("POST", LINK, URLENCODED)
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "60"
    assert "not unsubscribed yet" in answer["body"]


def test_neither_address_nor_token_is_logged(site: Site, log: io.StringIO) -> None:
    site.ask("POST", LINK, URLENCODED)
    site.ask("POST", FORGED[0], URLENCODED)
    text = log.getvalue()
    assert '"unsubscribed"' in text
    assert '"unsubscribe_refused"' in text
    assert "ada@" not in text
    assert TOKEN not in text
    assert "forged" not in text
