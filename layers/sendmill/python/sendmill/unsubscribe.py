"""Let a recipient leave the list with one click (RFC 8058).

A link names campaign and recipient and carries a keyed hash of both, so it can neither be guessed
nor changed, and holds no address. Opening it shows a page and does nothing, since link scanners
open every link; posting to it acts. Keys rotate: each token names its key, every key in the
secret is honoured, the current one signs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sendmill.errors import InvalidSettings
from sendmill.ledger import Row
from sendmill.suppression import Reason, Suppression, make_suppression

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_MIN_KEY_CHARS = 32
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Hold the signing keys by id, and the id of the one that signs."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def sign(self, campaign_id: str, rid: str) -> str:
        """Return the token of a recipient: ``{key id}.{hash}``."""
        return f"{self.current}.{_mac(self.keys[self.current], campaign_id, rid)}"

    def accepts(self, token: str, campaign_id: str, rid: str) -> bool:
        """Tell whether a token was signed for this recipient with any of the keys.

        Takes the same time whatever is wrong with the token.
        """
        given = token.encode("utf-8", "replace")
        genuine = [
            hmac.compare_digest(f"{key_id}.{_mac(key, campaign_id, rid)}".encode(), given)
            for key_id, key in self.keys.items()
        ]
        return any(genuine)


def keyring_from(secret: Mapping[str, object], *, name: str) -> Keyring:
    """Return the keys of a secret ``{"kid": current id, "keys": {id: key}}``.

    Raises InvalidSettings saying what the secret of this name lacks.
    """
    keys, current = secret.get("keys"), secret.get("kid")
    if not isinstance(keys, dict) or not isinstance(current, str) or current not in keys:
        raise InvalidSettings(f"secret {name} must hold 'keys', and in 'kid' the id of one of them")
    for key_id, key in keys.items():
        if not _KEY_ID.match(key_id):
            raise InvalidSettings(f"secret {name}: a key id must match {_KEY_ID.pattern}")
        if not isinstance(key, str) or len(key) < _MIN_KEY_CHARS:
            raise InvalidSettings(
                f"secret {name}: key {key_id} must have at least {_MIN_KEY_CHARS} characters"
            )
    return Keyring(current=current, keys={key_id: key.encode() for key_id, key in keys.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Make the link that each mail carries; ``keyring`` is asked anew, so that keys rotate."""

    public_url: str
    keyring: Callable[[], Keyring]

    def unsubscribe_url(self, campaign_id: str, rid: str) -> str:
        """Return the address at which this recipient leaves."""
        token = self.keyring().sign(campaign_id, rid)
        return f"{self.public_url.rstrip('/')}/u/{campaign_id}/{rid}/{token}"


def links_of(public_url: str, *, keyring: Callable[[], Keyring]) -> Links | None:
    """Return what makes the links, or nothing where the API's address is not known.

    Reads the keys once, so that a function whose secret lacks them fails when it starts.
    """
    if not public_url:
        return None
    keyring()
    return Links(public_url=public_url, keyring=keyring)


class Leave(StrEnum):
    """Say what became of a link that was used."""

    SUPPRESSED = "suppressed"
    ERASED = "erased"
    REFUSED = "refused"


class Rows(Protocol):
    """Look up rows of the ledger."""

    def read(
        self, keys: Sequence[Key], *, suppression_keys: Sequence[str]
    ) -> tuple[Mapping[Key, Row], Mapping[str, str]]:
        """Return the rows by (campaign id, rid)."""


class Suppressions(Protocol):
    """Keep suppressed addresses."""

    def add_all(self, entries: Sequence[Suppression]) -> Sequence[bool]:
        """Add entries; say of each whether it was news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscriber:
    """Hold what leaving needs; built once for the API function."""

    rows: Rows
    suppressions: Suppressions
    keyring: Callable[[], Keyring]
    hash_key: bytes
    clock: Callable[[], int]

    def leave(self, campaign_id: str, rid: str, token: str) -> Leave:
        """Suppress the recipient's address at once, if the link is genuine.

        A forged token and a recipient whom nobody knows get the same answer. Leaving twice is
        leaving once. Of a person who was erased nothing is known that could be suppressed.
        """
        if not self.keyring().accepts(token, campaign_id, rid):
            return Leave.REFUSED
        rows, _ = self.rows.read([(campaign_id, rid)], suppression_keys=[])
        row = rows.get((campaign_id, rid))
        if row is None:
            return Leave.REFUSED
        if not row.contact.email:
            return Leave.ERASED
        entry = make_suppression(
            row.contact.email,
            Reason.UNSUBSCRIBED,
            hash_key=self.hash_key,
            at=self.clock(),
            source=campaign_id,
        )
        self.suppressions.add_all([entry])
        return Leave.SUPPRESSED


def _mac(key: bytes, campaign_id: str, rid: str) -> str:
    digest = hmac.digest(key, f"unsubscribe|{campaign_id}|{rid}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
