"""A real SMTP server that fails in every way it can: each has one meaning, and no mail is doubled.

The server is aiosmtpd with TLS and a password; what it does to a mail it has taken is counted
apart from what it answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import make_mail
from sendmill.outcome import Fate
from sendmill.provider import smtp
from sendmill.provider.smtp import SmtpProvider
from sendmill.secret import SmtpServer as Address
from smtp_server import SmtpServer

TRIALS = 20 if os.environ.get("FAULT") == "long" else 2
USER, PASSWORD = "mailer", "canary-password"
MODES = [
    # mode, class, reason, does the server have the mail?
    ("mail_4xx", Fate.LATER, "smtp_451", False),
    ("mail_5xx", Fate.STOP, "smtp_550_mail", False),
    ("rcpt_4xx", Fate.LATER, "smtp_450", False),
    ("rcpt_5xx", Fate.NEVER, "smtp_550", False),
    ("data_4xx", Fate.LATER, "smtp_451", False),
    ("data_5xx", Fate.NEVER, "smtp_554", False),
    ("final_4xx", Fate.LATER, "smtp_452", False),
    ("final_5xx", Fate.NEVER, "smtp_554", False),
    ("drop_at_mail", Fate.LATER, "unreachable", False),
    ("drop_at_rcpt", Fate.LATER, "unreachable", False),
    ("drop_at_data", Fate.LATER, "unreachable", False),
    ("drop_mid_data", Fate.UNKNOWN, "answer_lost", False),
    ("drop_after_dot", Fate.UNKNOWN, "answer_lost", True),
    ("hang_after_dot", Fate.UNKNOWN, "answer_lost", True),
    ("greylist", Fate.LATER, "smtp_451", False),
    ("bad_auth", Fate.STOP, "credentials_rejected", False),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpServer]:
    folder: Path = tmp_path_factory.mktemp("smtp")
    with SmtpServer(user=USER, password=PASSWORD, folder=folder) as found:
        yield found


@pytest.fixture
def provider(server: SmtpServer) -> SmtpProvider:
    server.clear()
    return SmtpProvider(
        Address(
            host="127.0.0.1",
            port=server.port,
            username=USER,
            password=PASSWORD,
            ca_certificate=server.authority.read_text(),
        )
    )


@pytest.mark.parametrize(
    ("mode", "fate", "reason", "taken"), MODES, ids=[mode for mode, *_ in MODES]
)
def test_each_way_to_fail_has_one_class(
    server: SmtpServer,
    provider: SmtpProvider,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    fate: Fate,
    reason: str,
    taken: bool,
) -> None:
    monkeypatch.setattr(smtp, "REPLY_SECONDS", 2)
    for trial in range(TRIALS):
        to = f"{mode}{trial}@example.com"
        server.faults.replace([{"mode": mode}])
        # a body that the server has to read in more than one piece
        mail = make_mail(to)
        (outcome,) = provider.send_all([mail])
        assert (outcome.fate, outcome.reason) == (fate, reason)
        assert server.per_recipient[to] == int(taken)
        assert PASSWORD not in outcome.detail
        server.faults.replace([])
    if fate is not Fate.STOP:
        (again,) = provider.send_all([make_mail("again@example.com")])
        assert again.fate is Fate.ACCEPTED
