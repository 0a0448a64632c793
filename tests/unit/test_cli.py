"""The command signs in, keeps its secrets, asks once, and ends with the code that is documented."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sendmill.cli import http as cli_http
from sendmill.cli import signin
from sendmill.cli.campaigns import moment
from sendmill.cli.failure import NotPermitted, NotReachable, WrongUse, of_status
from sendmill.cli.http import Api
from sendmill.cli.main import hoisted, main
from sendmill.cli.session import Session


class Service(ThreadingHTTPServer):
    """An API and its issuer; ``answers`` holds what is said next, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.challenge = ""
        self.codes = ["the-code"]

    def said(self, path: str) -> list[dict[str, Any]]:
        """Return what was asked of a path."""
        return [asked for asked in self.asked if asked["path"] == path]


class _Answering(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None: ...

    def _answer(self) -> None:
        split = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked.append(
            {
                "method": self.command,
                "path": split.path,
                "query": dict(urllib.parse.parse_qsl(split.query)),
                "body": body,
                "headers": {key.lower(): value for key, value in self.headers.items()},
            }
        )
        status, said = self._said(split.path, body)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", said)
            said = ""
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def _said(self, path: str, body: str) -> tuple[int, Any]:
        waiting = self.server.answers.get(path)
        if waiting:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if path == "/app/config.json":
            return 200, {"oidc": oidc(self.server.url)}
        if path == "/token":
            return self._token(dict(urllib.parse.parse_qsl(body)))
        return 200, {"subject": "me", "role": "admin", "email": "", "expires_at": 0}

    def _token(self, asked: dict[str, str]) -> tuple[int, Any]:
        if asked["grant_type"] == "authorization_code":
            digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if challenge != self.server.challenge or asked["code"] not in self.server.codes:
                return 400, {"error": "invalid_grant"}
            return 200, {"access_token": "person", "refresh_token": "again", "expires_in": 900}
        if asked["grant_type"] == "refresh_token" and asked["refresh_token"] != "again":
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": f"by-{asked['grant_type']}", "expires_in": 900}


def oidc(url: str) -> dict[str, str]:
    """Return the settings of an issuer."""
    return {
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "client_id": "console",
        "scope": "openid",
    }


@pytest.fixture
def service() -> Iterator[Service]:
    """An API that answers."""
    found = Service()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no setting of the machine's."""
    for name in ("TOKEN", "API_URL", "PROFILE", "CLIENT_ID", "CLIENT_SECRET", "TOKEN_ENDPOINT"):
        monkeypatch.delenv(f"SENDMILL_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return tmp_path


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    """An environment that is known, with a token."""
    monkeypatch.setenv("SENDMILL_API_URL", service.url)
    monkeypatch.setenv("SENDMILL_TOKEN", "given")
    return service


def browser(service: Service, **changes: str) -> Any:
    """Return what opens a page, signs in and comes back."""

    def open_page(url: str) -> None:
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        service.challenge = asked["code_challenge"]
        back = {"code": "the-code", "state": asked["state"], **changes}
        target = f"{asked['redirect_uri']}?{urllib.parse.urlencode(back)}"
        target = target.replace("localhost", "127.0.0.1")
        threading.Thread(target=lambda: urllib.request.urlopen(target).read()).start()

    return open_page


def test_a_person_signs_in_by_code_and_pkce(service: Service) -> None:
    told: list[str] = []
    found = signin.as_person(
        signin.settings_of(service.url), tell=told.append, browse=browser(service), port=8979
    )
    assert (found["access_token"], found["refresh_token"]) == ("person", "again")
    assert found["expires_at"] > time.time() + 800
    assert "code_challenge_method=S256" in told[0]
    assert service.said("/token")[0]["body"].count("client_secret") == 0


@pytest.mark.parametrize("changes", [{"state": "another"}, {"code": "stolen"}])
def test_an_answer_that_is_not_ours_signs_nobody_in(
    service: Service, changes: dict[str, str]
) -> None:
    with pytest.raises(NotPermitted):
        signin.as_person(oidc(service.url), tell=str, browse=browser(service, **changes), port=8979)


def test_a_program_signs_in_by_its_secret_and_the_secret_is_not_kept(
    service: Service, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDMILL_CLIENT_SECRET", "s3cret")
    words = ["--client-id", "robot", "--scope", "sendmill/sender"]
    assert main(["login", "--api-url", service.url, *words]) == 0
    asked = service.said("/token")[0]
    assert (
        asked["headers"]["authorization"] == "Basic " + base64.b64encode(b"robot:s3cret").decode()
    )
    assert "scope=sendmill%2Fsender" in asked["body"]
    kept = home / "sendmill/credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "s3cret" not in kept.read_text()
    assert main(["whoami"]) == 0
    assert service.asked[-1]["headers"]["authorization"] == "Bearer by-client_credentials"
    assert main(["logout"]) == 0
    monkeypatch.delenv("SENDMILL_CLIENT_SECRET")
    assert main(["whoami", "--api-url", service.url]) == 4


def test_a_token_that_is_over_is_renewed_before_and_after_it_is_refused(service: Service) -> None:
    session = Session(api_url=service.url)
    session.keep(
        api_url=service.url,
        access_token="old",
        refresh_token="again",
        expires_at=time.time() - 1,
        **{"token_endpoint": f"{service.url}/token", "client_id": "console"},
    )
    assert session.api().get("/v1/me")["role"] == "admin"
    assert service.said("/v1/me")[0]["headers"]["authorization"] == "Bearer by-refresh_token"
    service.answers["/v1/me"] = [(401, {}), (200, {"role": "viewer"})]
    assert session.api().get("/v1/me")["role"] == "viewer"
    assert len(service.said("/token")) == 2
    session.keep(refresh_token="revoked", expires_at=0)
    with pytest.raises(NotPermitted, match="invalid_grant"):
        session.api().get("/v1/me")


def test_profiles_do_not_mix(service: Service) -> None:
    Session(profile="dev").keep(api_url="https://dev.example.com", access_token="a")
    Session(profile="prod").keep(api_url="https://prod.example.com", access_token="b")
    assert Session(profile="dev").api_url == "https://dev.example.com"
    assert Session(profile="prod").profile.access_token == "b"
    assert Session().api_url == ""


def test_a_lost_answer_is_asked_for_again_with_the_same_key(service: Service) -> None:
    service.answers["/v1/campaigns"] = [(503, {"detail": "busy"}), (500, {}), (201, {"ok": 1})]
    api = Api(service.url, lambda anew: "t", sleep=lambda _: None)
    assert api.post("/v1/campaigns", {}) == {"ok": 1}
    keys = [asked["headers"]["idempotency-key"] for asked in service.said("/v1/campaigns")]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert api.post("/v1/campaigns", {}) == {"ok": 1}
    assert service.asked[-1]["headers"]["idempotency-key"] != keys[0]


def test_a_token_is_never_carried_elsewhere(service: Service) -> None:
    service.answers["/v1/me"] = [(302, f"{service.url}/stolen")]
    api = Api(service.url, lambda anew: "t", sleep=lambda _: None)
    with pytest.raises(WrongUse):
        api.get("/v1/me")
    assert service.said("/stolen") == []
    for url in ("http://example.com", "ftp://127.0.0.1", "file:///etc/passwd"):
        with pytest.raises(WrongUse, match="https"):
            cli_http.fetch(url)


def test_pages_are_read_to_the_end_or_to_the_limit(service: Service) -> None:
    api = Api(service.url, lambda anew: "t")
    pages = [{"items": [1, 2], "cursor": "x"}, {"items": [3], "cursor": ""}]
    service.answers["/v1/x"] = [(200, page) for page in pages]
    assert api.pages("/v1/x")["items"] == [1, 2, 3]
    assert [asked["query"].get("cursor") for asked in service.said("/v1/x")] == [None, "x"]
    service.answers["/v1/y"] = [(200, pages[0])]
    assert api.pages("/v1/y", 2)["cursor"] == "x"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (422, 2), (413, 2), (401, 4), (403, 4), (404, 5), (409, 5), (500, 3), (503, 3)],
)
def test_each_status_has_its_exit_code(status: int, code: int) -> None:
    assert of_status(status, {"detail": "why"}).exit_code == code


def test_a_failure_says_what_and_where(signed_in: Service, capsys: Any) -> None:
    errors = [{"field": "name", "value": "''", "detail": "too short"}]
    signed_in.answers["/v1/campaigns/c"] = [(422, {"detail": "name: wrong", "errors": errors})]
    assert main(["campaigns", "show", "c"]) == 2
    assert "name: too short" in capsys.readouterr().err
    assert main(["--json", "campaigns", "show", "c"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.err)["problem"]["errors"] == errors
    assert said.out == ""


@pytest.mark.parametrize(
    ("status", "code"),
    [("complete", 0), ("complete_with_unknown", 1), ("paused", 0), ("refused", 1)],
)
def test_a_watch_ends_as_the_campaign_did(
    signed_in: Service, capsys: Any, status: str, code: int
) -> None:
    view = {"campaign_id": "c", "campaign_name": "C", "status": status, "states": {}, "total": 1}
    signed_in.answers["/v1/campaigns/c"] = [(200, view)]
    assert main(["campaigns", "watch", "c", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["status"] == status


def test_a_preflight_that_blocks_ends_badly_and_shows_why(signed_in: Service, capsys: Any) -> None:
    checks = [{"id": "dkim", "level": "error", "title": "DKIM", "detail": "off", "fix": "add it"}]
    signed_in.answers["/v1/campaigns/c/preflight"] = [(200, {"ready": False, "checks": checks})]
    assert main(["campaigns", "preflight", "c"]) == 1
    assert "add it" in capsys.readouterr().out


def test_wrong_use_is_two_and_help_is_nought(capsys: Any, tmp_path: Path) -> None:
    assert main(["campaigns", "create", "--name", "x", "--list", "l"]) == 2
    assert main(["nonsense"]) == 2
    assert main(["lists", "import", str(tmp_path / "missing.csv"), "--api-url", "https://x"]) == 2
    assert main(["whoami"]) == 2
    assert main(["campaigns", "--help"]) == 0
    assert main(["--version"]) == 0
    assert "no environment is known" in capsys.readouterr().err


def test_nobody_there_is_three(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    api = Api("http://127.0.0.1:9", lambda anew: "t", sleep=lambda _: None)
    with pytest.raises(NotReachable):
        api.get("/v1/me")


def test_options_of_the_whole_command_may_stand_anywhere() -> None:
    assert hoisted(["a", "b", "--json", "--profile", "dev", "c"]) == [
        *("--json", "--profile", "dev"),
        *("a", "b", "c"),
    ]
    assert hoisted(["a", "--profile=x"]) == ["--profile=x", "a"]
    assert hoisted(["a", "--", "--json"]) == ["a", "--", "--json"]


def test_a_time_is_seconds_or_iso() -> None:
    assert moment("1795414482") == 1795414482
    assert moment("2026-11-23T06:14:42+00:00") == 1795414482
    with pytest.raises(WrongUse):
        moment("tomorrow")
