"""A link is genuine or it is nothing; leaving is at once, and once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import (
    HASH_KEY,
    NOW,
    Clock,
    MemoryCampaigns,
    MemoryLedger,
    MemorySuppressions,
    make_campaign,
    make_row,
)
from sendmill.contact import address_hash
from sendmill.erasure import forgotten
from sendmill.errors import InvalidSettings, StoreUnavailable
from sendmill.unsubscribe import Keyring, Leave, Links, Unsubscriber, keyring_from, links_of

OLD, NEW = (
    b"an old key of more than thirty-two characters",
    b"a new key, as long as the other one is",
)
BEFORE = Keyring(current="k1", keys={"k1": OLD})
ROTATED = Keyring(current="k2", keys={"k1": OLD, "k2": NEW})
AFTER = Keyring(current="k2", keys={"k2": NEW})
ROW = make_row()
RID = ROW.rid


def test_a_token_names_its_key_and_holds_no_address() -> None:
    token = BEFORE.sign("spring", RID)
    key_id, _, mac = token.partition(".")
    assert key_id == "k1"
    assert len(mac) == 43
    assert all(letter.isalnum() or letter in "-_" for letter in mac)
    assert "ada" not in token


def test_a_token_is_genuine_for_its_recipient_and_campaign_alone() -> None:
    token = BEFORE.sign("spring", RID)
    assert BEFORE.accepts(token, "spring", RID)
    assert not BEFORE.accepts(token, "summer", RID)
    assert not BEFORE.accepts(token, "spring", "a" * 26)


def test_keys_rotate_without_breaking_the_mails_that_are_out() -> None:
    old, new = BEFORE.sign("spring", RID), ROTATED.sign("spring", RID)
    assert new.startswith("k2.")
    assert ROTATED.accepts(old, "spring", RID)
    assert ROTATED.accepts(new, "spring", RID)
    assert AFTER.accepts(new, "spring", RID)
    assert not AFTER.accepts(old, "spring", RID)


def test_a_key_under_another_name_signs_nothing() -> None:
    token = BEFORE.sign("spring", RID).replace("k1.", "k2.")
    assert not ROTATED.accepts(token, "spring", RID)


@given(cut=st.integers(min_value=0, max_value=45))
def test_a_truncated_token_is_forged(cut: int) -> None:
    assert not BEFORE.accepts(BEFORE.sign("spring", RID)[:cut], "spring", RID)


@given(st.text())
def test_no_text_is_a_token_by_chance(token: str) -> None:
    assert not ROTATED.accepts(token, "spring", RID)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({}, "must hold 'keys'"),
        ({"kid": "k1"}, "must hold 'keys'"),
        ({"kid": "k2", "keys": {"k1": "x" * 32}}, "must hold 'keys'"),
        ({"kid": "k1", "keys": ["k1"]}, "must hold 'keys'"),
        ({"kid": "k1", "keys": {"k1": "short"}}, "at least 32 characters"),
        ({"kid": "k1", "keys": {"k1": 7}}, "at least 32 characters"),
        ({"kid": "k 1", "keys": {"k 1": "x" * 32}}, "a key id must match"),
        ({"kid": "k.1", "keys": {"k.1": "x" * 32}}, "a key id must match"),
    ],
)
def test_a_secret_without_good_keys_is_refused_without_showing_one(
    secret: Mapping[str, object], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said) as refused:
        keyring_from(secret, name="keys")
    assert "x" * 32 not in str(refused.value)


def test_no_key_is_shown() -> None:
    found = keyring_from({"kid": "k1", "keys": {"k1": "x" * 32}}, name="keys")
    assert "x" * 32 not in repr(found)
    assert found.accepts(found.sign("spring", RID), "spring", RID)


def test_a_link_is_the_api_and_the_token() -> None:
    links = Links(public_url="https://api.example.com/", keyring=lambda: BEFORE)
    found = links.unsubscribe_url("spring", RID)
    assert found == f"https://api.example.com/u/spring/{RID}/{BEFORE.sign('spring', RID)}"


def test_without_the_api_s_address_there_are_no_links() -> None:
    assert links_of("", keyring=lambda: pytest.fail("not asked")) is None
    assert links_of("https://api.example.com", keyring=lambda: BEFORE) is not None


class World:
    def __init__(self) -> None:
        self.ledger = MemoryLedger(MemoryCampaigns(make_campaign()), ROW)
        self.suppressions = MemorySuppressions(self.ledger)
        self.unsubscriber = Unsubscriber(
            rows=self.ledger,
            suppressions=self.suppressions,
            keyring=lambda: ROTATED,
            hash_key=HASH_KEY,
            clock=Clock(),
        )


def test_leaving_suppresses_the_address_at_once() -> None:
    world = World()
    assert world.unsubscriber.leave("spring", RID, BEFORE.sign("spring", RID)) is Leave.SUPPRESSED
    (entry,) = world.suppressions.entries.values()
    assert (entry.email, entry.reason, entry.at, entry.source) == (
        "ada@example.com",
        "unsubscribed",
        NOW,
        "spring",
    )
    assert world.ledger.suppressed == {address_hash(HASH_KEY, "ada@example.com"): "unsubscribed"}


def test_leaving_twice_is_leaving_once() -> None:
    world = World()
    token = ROTATED.sign("spring", RID)
    assert world.unsubscriber.leave("spring", RID, token) is Leave.SUPPRESSED
    before = dict(world.suppressions.entries)
    assert world.unsubscriber.leave("spring", RID, token) is Leave.SUPPRESSED
    assert world.suppressions.entries == before


def test_who_was_erased_is_told_so_and_no_address_of_nobody_is_suppressed() -> None:
    world = World()
    world.ledger.rows["spring", RID] = forgotten(ROW)
    token = ROTATED.sign("spring", RID)
    assert world.unsubscriber.leave("spring", RID, token) is Leave.ERASED
    assert world.suppressions.entries == {}


def test_who_left_before_he_was_erased_stays_suppressed() -> None:
    world = World()
    world.unsubscriber.leave("spring", RID, ROTATED.sign("spring", RID))
    world.suppressions.erase(address_hash(HASH_KEY, "ada@example.com"))
    world.ledger.rows["spring", RID] = forgotten(ROW)
    assert world.unsubscriber.leave("spring", RID, ROTATED.sign("spring", RID)) is Leave.ERASED
    assert world.ledger.suppressed == {address_hash(HASH_KEY, "ada@example.com"): "unsubscribed"}


def test_a_forged_link_and_an_unknown_recipient_get_the_same_answer() -> None:
    world = World()
    stranger = replace(ROW, rid="a" * 26).rid
    token = ROTATED.sign("spring", stranger)
    assert world.unsubscriber.leave("spring", RID, "k1.forged") is Leave.REFUSED
    assert world.unsubscriber.leave("spring", stranger, token) is Leave.REFUSED
    assert world.suppressions.entries == {}


def test_a_forged_link_is_not_looked_up() -> None:
    world = World()
    world.ledger.unavailable = True
    assert world.unsubscriber.leave("spring", RID, "k1.forged") is Leave.REFUSED
    with pytest.raises(StoreUnavailable):
        world.unsubscriber.leave("spring", RID, ROTATED.sign("spring", RID))
