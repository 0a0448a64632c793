"""An address is normal or refused, and its ids give nothing away."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import HASH_KEY
from sendmill.contact import (
    MAX_FIELD_CHARS,
    Contact,
    address_hash,
    check_field_name,
    check_field_value,
    contact_from_mapping,
    field_name,
    normalise_address,
    recipient_id,
)
from sendmill.errors import InvalidContact


@pytest.mark.parametrize(
    ("raw", "mailed"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  ada@example.com\t", "ada@example.com"),
        ("Ada@EXAMPLE.com", "Ada@example.com"),
        ("ada+news@example.co.uk", "ada+news@example.co.uk"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("ada@b\u00fccher.example.com", "ada@xn--bcher-kva.example.com"),
    ],
)
def test_an_address_is_mailed_in_its_normal_form(raw: str, mailed: str) -> None:
    assert normalise_address(raw) == mailed


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada example@example.com",
        "ada@exam ple.com",
        "ada@example.com, bob@example.com",
        "Ada <ada@example.com>",
        '"ada lovelace"@example.com',
        "ada@[127.0.0.1]",
        "\u0430\u0434\u0430@example.com",
        "ada@example.com\r\nBcc: victim@example.com",
        "ada@example.com\nBcc: victim@example.com",
        "ada\r\n@example.com",
        "ada@example.com\x00",
        "ada@example.com%0aBcc:victim@example.com",
        ".ada@example.com",
        "ada.@example.com",
        "\ud800@example.com",
    ],
)
def test_an_address_that_must_not_be_mailed_is_refused(raw: str) -> None:
    with pytest.raises(InvalidContact):
        normalise_address(raw)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("First Name", "first_name"),
        (" e-mail ", "e_mail"),
        ("Company (legal)", "company_legal"),
        ("2nd line", "_2nd_line"),
        ("UPPER", "upper"),
        ("a  --  b", "a_b"),
    ],
)
def test_a_column_is_known_by_a_name_a_template_can_use(header: str, name: str) -> None:
    assert field_name(header) == name
    assert check_field_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "First", "first name", "1st", "a-b", "a" * 65, "a\n", "{{x}}"]
)
def test_a_field_name_that_no_template_could_use_is_refused(name: str) -> None:
    with pytest.raises(InvalidContact, match="field name must be like first_name"):
        check_field_name(name)


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\x00", "\x1b", "\x0b", "\x0c", "\x7f", "\ud800"]
)
def test_a_field_that_could_start_a_header_is_refused_by_name(character: str) -> None:
    with pytest.raises(InvalidContact, match=r"first_name .* at position 3"):
        check_field_value("first_name", f"Ada{character}Bcc: victim@example.com")


@pytest.mark.parametrize("value", ["", "O'Neil", "Zo\u00eb", "\U0001f600", "a\tb", "=?utf-8?b?a?="])
def test_ordinary_text_is_a_field(value: str) -> None:
    assert check_field_value("note", value) == value


def test_a_huge_field_is_refused_with_its_size_and_the_limit() -> None:
    check_field_value("note", "x" * MAX_FIELD_CHARS)
    with pytest.raises(
        InvalidContact, match=rf"note .* {MAX_FIELD_CHARS} .*got {MAX_FIELD_CHARS + 1}"
    ):
        check_field_value("note", "x" * (MAX_FIELD_CHARS + 1))


def test_a_contact_of_a_message_has_text_fields() -> None:
    raw = {"email": "Ada@Example.com", "first_name": "Ada", "age": 36, "member": True, "note": None}
    found = contact_from_mapping(raw)
    assert found == Contact(
        email="Ada@example.com",
        fields={"first_name": "Ada", "age": "36", "member": "True", "note": ""},
    )
    assert found.template_fields()["email"] == "Ada@example.com"


@pytest.mark.parametrize("raw", [{}, {"email": None}, {"email": " "}, {"email": 7}, {"email": []}])
def test_a_contact_without_an_address_names_the_field(raw: dict[str, object]) -> None:
    with pytest.raises(InvalidContact, match=r"contact\.email"):
        contact_from_mapping(raw)


def test_a_contact_too_large_for_its_row_is_refused() -> None:
    """DynamoDB takes 400 KB an item; a row it refuses would hold up the whole batch."""
    raw = {f"f{n}": "x" * 9_000 for n in range(60)}
    with pytest.raises(InvalidContact, match="contact"):
        contact_from_mapping({"email": "ada@example.com", **raw})


def test_the_id_is_the_same_for_every_case_of_the_address() -> None:
    ids = {
        recipient_id(HASH_KEY, "c1", text) for text in ("Ada@Ex.com", "ada@ex.com", "ADA@EX.COM")
    }
    assert len(ids) == 1


def test_the_id_depends_on_key_campaign_and_address() -> None:
    ids = {
        recipient_id(key, campaign, address)
        for key in (b"k" * 32, b"l" * 32)
        for campaign in ("c1", "c2")
        for address in ("ada@ex.com", "bob@ex.com")
    }
    assert len(ids) == 8


def test_suppression_knows_an_address_in_every_campaign_and_case() -> None:
    assert address_hash(HASH_KEY, "Ada@ex.com") == address_hash(HASH_KEY, "ada@EX.com")
    assert address_hash(HASH_KEY, "ada@ex.com") != address_hash(b"other" * 8, "ada@ex.com")
    assert address_hash(HASH_KEY, "ada@ex.com") != recipient_id(HASH_KEY, "", "ada@ex.com")


@given(st.emails())
def test_no_id_holds_any_part_of_the_address(address: str) -> None:
    for found in (recipient_id(HASH_KEY, "c1", address), address_hash(HASH_KEY, address)):
        assert re.fullmatch(r"[a-z2-7]{26}", found)
        assert address.casefold() not in found
