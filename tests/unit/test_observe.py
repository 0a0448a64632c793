"""No address reaches a log, and every line stays JSON."""

from __future__ import annotations

import io
import json

import pytest
from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from sendmill.observe import RedactingFormatter, redacted

ADDRESSES = [
    "ada@example.com",
    "Ada.Lovelace+news@mail.example.co.uk",
    "o'neil@example.com",
    "a/b=c!d#e$f%g&h*i?j^k`l{m|n}o~p@example.com",
    "ada@xn--bcher-kva.example",
    "ada@b\u00fccher.example",
    "zo\u00eb@example.com",
    "ada@localhost",
]


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(lines: io.StringIO, request: pytest.FixtureRequest) -> Logger:
    return Logger(
        service=request.node.name, stream=lines, logger_formatter=RedactingFormatter(), level="INFO"
    )


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "around", ["{}", "<{}>", "to {}.", "'{}'", '"{}"', "a\n{}", "a\t{}\r\n", "\\{}", "\u00e9 {}"]
)
def test_an_address_anywhere_in_a_line_is_replaced(
    logger: Logger, lines: io.StringIO, address: str, around: str
) -> None:
    said = around.format(address)
    logger.info("mail_refused", reason=said, nested={"list": [said]})
    local = address.partition("@")[0]
    assert local not in lines.getvalue()
    line = json.loads(lines.getvalue())
    assert line["message"] == "mail_refused"
    assert "[address]" in line["reason"]
    assert "[address]" in line["nested"]["list"][0]


def test_an_address_in_a_traceback_is_replaced(logger: Logger, lines: io.StringIO) -> None:
    try:
        raise ValueError("no mailbox:\nvictim@example.com")
    except ValueError:
        logger.exception("job_failed")
    assert "victim" not in lines.getvalue()
    line = json.loads(lines.getvalue())
    assert "[address]" in line["exception"]
    assert line["exception_name"] == "ValueError"


@pytest.mark.parametrize(
    "text", ["", "no address", "3 @ 5", "campaign_1 message_handled", "arn:aws:sqs:us-east-1:1:q"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@given(st.dictionaries(st.text(max_size=5), st.text(alphabet='a@.\\"\n\u00e9{:} ', max_size=30)))
def test_redacting_a_line_leaves_it_json(fields: dict[str, str]) -> None:
    for ascii_only in (True, False):
        line = json.loads(redacted(json.dumps(fields, ensure_ascii=ascii_only)))
        assert len(line) <= len(fields)
