"""What is taken for an address at a glance is what the validator takes, and as it takes it."""

from __future__ import annotations

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmill import contact

PIECES = st.sampled_from(
    [
        "a", "Z", "0", "ada", ".", "..", "-", "--", "_", "+", "@", "com", "test", "localhost",
        "xn--", "info", "postmaster", "x" * 62, "x" * 63, "x" * 64, "'", " ", "é", "ss",
    ]
)  # fmt: skip
ADDRESSES = st.lists(PIECES, max_size=12).map("".join)
NEARLY = st.from_regex(contact._PLAIN_ADDRESS.pattern.replace("(?=.{3,254}\\Z)", ""))


@settings(max_examples=600, deadline=None)
@given(ADDRESSES | st.builds("{}@{}.com".format, ADDRESSES, ADDRESSES) | NEARLY)
@example("ada@" + "a." * 125 + "com")
@example("x" * 64 + "@" + ".".join(["y" * 63] * 3) + ".com")
def test_whatever_is_taken_at_a_glance_the_validator_takes_unchanged(raw: str) -> None:
    if not contact._is_plain_address(raw):
        return
    found = validate_email(raw, check_deliverability=False, allow_smtputf8=False)
    assert f"{found.ascii_local_part}@{found.ascii_domain}" == raw
    assert contact.normalise_address(raw) == raw


@pytest.mark.parametrize("name", SPECIAL_USE_DOMAIN_NAMES)
def test_a_domain_for_special_use_is_left_to_the_validator(name: str) -> None:
    assert not contact._is_plain_address(f"ada@mail.{name}")
    with pytest.raises(EmailNotValidError):
        validate_email(f"ada@mail.{name}", check_deliverability=False)


@pytest.mark.parametrize(
    "raw", ["ada@example.com", "ada.lovelace+news@mail-1.example.co.uk", "user_1@123.example"]
)
def test_ordinary_addresses_are_taken_at_a_glance(raw: str) -> None:
    assert contact._is_plain_address(raw)
