"""A whole campaign by the command alone, its answers read as jq reads them."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.harness import ROOT
from stack import Stack, local_environment

pytestmark = pytest.mark.integration

# Where the command has a browser come back to.
BACK = "http://localhost:8976/"
# Of RFC 7636, appendix B, with the challenge below.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class Shell:
    """Run the command against the stack."""

    def __init__(self, stack: Stack) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if name == "PATH"},
            **local_environment(stack.port),
            "PYTHONPATH": str(ROOT / "layers/sendmill/python"),
            "SENDMILL_API_URL": stack.outputs["api_url"],
            "SENDMILL_TOKEN": stack.sign_in(),
        }

    def run(self, *words: str, code: int = 0, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the command; it must end with this exit code."""
        found = subprocess.run(
            [sys.executable, "-m", "sendmill.cli", *words],
            cwd=ROOT,
            env=self._environment | changes,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert found.returncode == code, found.stdout + found.stderr
        return found

    @contextmanager
    def begun(self, *words: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
        """Begin a command, and end it if it does not end by itself."""
        running = subprocess.Popen(
            [sys.executable, "-m", "sendmill.cli", *words],
            cwd=ROOT,
            env=self._environment | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with running:
            try:
                yield running
            finally:
                running.kill()

    def json(self, *words: str, code: int = 0) -> Any:
        """Return the one line of JSON that a command answers."""
        (line,) = self.run(*words, "--json", code=code).stdout.splitlines()
        return json.loads(line)


@pytest.fixture(scope="module")
def shell(stack: Stack) -> Shell:
    """A shell that is signed in."""
    return Shell(stack)


def test_a_campaign_from_the_file_to_the_last_recipient(
    shell: Shell, mailbox: Stack, tmp_path: Path
) -> None:
    lines = (ROOT / "scripts/demo/contacts.csv").read_text().splitlines(keepends=True)
    file = tmp_path / "contacts.csv"
    file.write_text("".join(lines[:61]))  # the one in line 42 has no address
    assert shell.json("whoami")["role"] == "admin"
    found = shell.json("lists", "import", str(file), "--name", "by command")
    assert (found["status"], found["accepted"]) == ("done", 59)
    rejected = shell.run("lists", "rejected", found["list_id"]).stdout.splitlines()
    assert len(rejected) == 1 + 1
    assert found["list_id"] in {row["list_id"] for row in shell.json("lists", "show")["items"]}

    words = ["--list", found["list_id"], "--subject", "Hello {{first_name}}!"]
    words += ["--body", "scripts/demo/template.html", "--from", "noreply@example.com"]
    draft = shell.json("campaigns", "create", "--name", "By command", *words)
    campaign = draft["campaign_id"]
    assert draft["status"] == "draft"
    assert shell.json("campaigns", "edit", campaign, "--name", "By command")["status"] == "draft"
    copy = shell.json("campaigns", "clone", campaign, "--name", "A copy")["campaign_id"]
    shell.run("campaigns", "delete", copy)
    ready = shell.json("campaigns", "preflight", campaign)
    assert ready["ready"] is True
    assert ready["estimate"]["recipients"] == 59
    tested = shell.json("campaigns", "test", campaign, "--to", "me@example.com")
    assert [one["to"] for one in tested["sent"]] == ["me@example.com"]
    assert shell.json("campaigns", "start", campaign)["status"] in ("planning", "running")
    over = shell.json("campaigns", "watch", campaign)
    assert (over["status"], over["states"]) == ("complete", {"accepted": 59})
    people = shell.json("campaigns", "recipients", campaign, "--limit", "0", "--state", "accepted")
    assert len({row["email"] for row in people["items"]}) == 59
    assert len(shell.run("campaigns", "export", campaign).stdout.splitlines()) == 1 + 59
    assert shell.json("campaigns", "failures", campaign)["items"] == []
    # what has run is not scheduled: a conflict, told as JSON on the stream beside
    words = ["campaigns", "schedule", campaign, "--at", "2099-01-01T08:00:00+00:00", "--json"]
    refused = shell.run(*words, code=5)
    assert json.loads(refused.stderr)["problem"]["status"] == 409
    assert "By command" in shell.run("campaigns", "show").stdout


def test_contacts_and_templates(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "three.csv"
    file.write_text("Mail;first_name\nada@example.com;Ada\nbob@example.com;Bob\nno address;X\n")
    words = ["--map", "Mail=email", "--delimiter", ";"]
    found = shell.json("lists", "import", str(file), *words)["list_id"]
    people = shell.json("lists", "contacts", found, "--query", "bob")["items"]
    assert [one["email"] for one in people] == ["bob@example.com"]
    added = shell.json(
        "lists", "add-contact", found, "eve@example.com", "--field", "first_name=Eve"
    )
    assert added["fields"]["first_name"] == "Eve"
    shell.run("lists", "remove-contact", found, people[0]["contact_id"])
    # a file that is refused as a whole: it was done, and ended badly
    refused = shell.json("lists", "import", str(file), *words, "--all-or-nothing", code=1)
    assert refused["status"] == "failed"

    body = tmp_path / "mail.html"
    body.write_text("<p>Dear {{ first_name }}</p>")
    kept = ["--subject", "Hello {{ first_name }}", "--body", str(body)]
    made = shell.json("templates", "create", "--name", "Plain", *kept)["template_id"]
    assert shell.json("templates", "update", made, "--subject", "Dear")["version"] == 2
    assert [one["version"] for one in shell.json("templates", "versions", made)["items"]] == [2, 1]
    assert shell.json("templates", "show", made)["body"] == body.read_text()
    seen = shell.json("templates", "preview", *kept, "--list", found)
    assert (seen["subject"], seen["missing"]) == ("Hello Ada", [])
    shell.run("templates", "delete", made)
    shell.run("templates", "show", made, code=5)
    shell.run("lists", "delete", found, "--yes")


def test_suppressions_dead_letters_account_and_logs(shell: Shell) -> None:
    added = shell.json("suppressions", "add", "command@example.com")
    assert added["email"] == "command@example.com"
    assert "command@example.com" in shell.run("suppressions", "export").stdout
    assert shell.json("suppressions", "remove", "command@example.com")["removed"]
    assert "command@example.com" not in shell.run("suppressions", "export").stdout
    assert "items" in shell.json("dead-letters", "show")
    assert shell.json("account")["region"]
    lines = shell.run(
        "logs", "api", "--env", "local", "--since", "1h", "--json"
    ).stdout.splitlines()
    assert all("message" in json.loads(line) for line in lines)


def test_each_failure_has_its_exit_code(shell: Shell) -> None:
    shell.run("campaigns", "show", "nope", code=5)
    shell.run("suppressions", "add", "no address", code=2)
    shell.run("whoami", code=4, SENDMILL_TOKEN="wrong")
    shell.run("logs", "nobody", "--env", "local", code=5)


def test_a_person_signs_in_with_a_browser_and_stays_signed_in(
    shell: Shell, person: Callable[[str], tuple[str, str]], tmp_path: Path
) -> None:
    alone = {"SENDMILL_TOKEN": "", "XDG_CONFIG_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    shell.run("whoami", code=4, **alone)
    name, password = person("sender")
    with shell.begun("login", "--no-browser", **alone) as login:
        assert login.stderr is not None
        told = login.stderr.readline()
        page = told.removeprefix("Sign in here: ").strip()
        open_page(signed_in_at(page, name, password))
        said, _ = login.communicate(timeout=60)
        assert (login.returncode, "sender" in said) == (0, True), told + said
    assert "sender" in shell.run("whoami", **alone).stdout
    # a token that is over is renewed by the refresh token, without a browser
    kept = tmp_path / "sendmill/credentials.json"
    profiles = json.loads(kept.read_text())
    first = profiles["default"]["access_token"]
    profiles["default"] |= {"access_token": "over", "expires_at": 1}
    kept.write_text(json.dumps(profiles))
    assert "sender" in shell.run("whoami", **alone).stdout
    assert json.loads(kept.read_text())["default"]["access_token"] not in ("over", first)
    shell.run("logout", **alone)
    shell.run("whoami", code=4, **alone)


def test_a_code_is_worth_nothing_without_its_verifier(
    stack: Stack, person: Callable[[str], tuple[str, str]]
) -> None:
    oidc = stack.request("GET", "/app/config.json", token="")["oidc"]
    asked = {
        "response_type": "code",
        "client_id": oidc["client_id"],
        "redirect_uri": BACK,
        "scope": oidc["scope"],
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    page = f"{oidc['authorization_endpoint']}?{urllib.parse.urlencode(asked)}"
    for verifier, good in (("wrong" * 10, False), (VERIFIER, True)):
        came = urllib.parse.urlsplit(signed_in_at(page, *person("viewer")))
        given = {
            "grant_type": "authorization_code",
            "client_id": oidc["client_id"],
            "code": dict(urllib.parse.parse_qsl(came.query))["code"],
            "redirect_uri": BACK,
            "code_verifier": verifier,
        }
        try:
            answer = json.loads(open_page(oidc["token_endpoint"], given))
        except urllib.error.HTTPError as error:
            answer = json.loads(error.read())
        assert ("access_token" in answer) is good, answer


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Stay where the answer is: whoever asked wants to see where it leads."""


def signed_in_at(page: str, name: str, password: str) -> str:
    """Fill in the issuer's page as a browser does; return where it leads back to."""
    shown = open_page(page)
    fields = {
        key: html.unescape(value)
        for key, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown)
    }
    given = urllib.parse.urlencode(fields | {"username": name, "password": password}).encode()
    form = urllib.parse.urljoin(page, html.unescape(re.findall(r'action="([^"]+)"', shown)[0]))
    try:
        urllib.request.build_opener(_Stay).open(form, given, timeout=30)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError(f"{form} led nowhere")


def open_page(url: str, form: dict[str, str] | None = None) -> str:
    """Return what an address shows; a name below localhost is this machine."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url.replace("//localhost", "//127.0.0.1"), data, 30) as answer:
        return str(answer.read().decode())
