"""Sign messages, so that only who holds a key can have a task run.

The signature is the last key of the body and covers every byte before it. It is checked on the text
as it came, before anything of it is decoded.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from sendmill.tasks.errors import BadSignature, TaskConfigError, UnknownSigningKey

_MARK = ',"sig":'
_TAIL = re.compile(r',"sig":(\{"kid":"[\w.:-]{1,64}","hmac":"[0-9a-f]{64}"\})\}\Z')
_SHORTEST_KEY = 16


class Keyring:
    """Hold keys by id; the first one signs, all of them are trusted."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        for kid, key in keys.items():
            if not re.fullmatch(r"[\w.:-]{1,64}", kid):
                raise TaskConfigError(f"a key id is 1 to 64 letters, digits, . : - (got {kid!r})")
            if len(key) < _SHORTEST_KEY:
                raise TaskConfigError(f"key {kid!r} must have {_SHORTEST_KEY} characters or more")
        self._keys = {kid: key.encode() for kid, key in keys.items()}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def sign(self, body: str) -> str:
        """Return the body with its signature as the last key; unchanged without keys."""
        if not self._keys:
            return body
        kid = next(iter(self._keys))
        signature = json.dumps({"kid": kid, "hmac": self._mac(kid, body)}, separators=(",", ":"))
        return f"{body[:-1]}{_MARK}{signature}}}"

    def verify(self, text: str) -> str:
        """Return the signed part of a body; raises BadSignature or UnknownSigningKey."""
        tail = _TAIL.search(text)
        if tail is None:
            raise BadSignature("the message is not signed")
        found = json.loads(tail[1])
        if found["kid"] not in self._keys:
            raise UnknownSigningKey(f"the message is signed by the unknown key {found['kid']!r}")
        body = text[: tail.start()] + "}"
        if not hmac.compare_digest(self._mac(found["kid"], body), found["hmac"]):
            raise BadSignature(f"the signature by key {found['kid']!r} is wrong")
        return body

    def _mac(self, kid: str, body: str) -> str:
        return hmac.new(self._keys[kid], body.encode(), hashlib.sha256).hexdigest()


def is_signed(text: str) -> bool:
    """Say whether a body ends in a signature, right or wrong."""
    return _TAIL.search(text) is not None
