"""Remember which addresses of a file came before, in 24 bytes each.

A ``set`` of a million hashes takes 100 MB, this takes 24 to 48: an open table of 64-bit hashes
beside the lines they came in. Two addresses of a million have the same 64 bits once in thirty
million files; the second would be called a duplicate, by line, in the file of rejected rows.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

_RECORD = 12  # bytes of one address in what take_new() returns: a hash and a line
_FIRST_SLOTS = 1 << 12


class SeenAddresses:
    """Hold the addresses of a file that were accepted, and the line of each."""

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * _FIRST_SLOTS))
        self._lines = array("I", bytes(4 * _FIRST_SLOTS))
        self._count = 0
        self._new_hashes = array("Q")
        self._new_lines = array("I")

    def __len__(self) -> int:
        return self._count

    def add(self, address: str, line: int) -> int | None:
        """Remember an address unless it stands; return the line it stands with, or None."""
        mark = _mark(address)
        standing = self._put(mark, line)
        if standing is None:
            self._new_hashes.append(mark)
            self._new_lines.append(line)
        return standing

    def take_new(self) -> bytes:
        """Return what was added since this was last asked, for :meth:`restore`."""
        found = self._new_hashes.tobytes() + self._new_lines.tobytes()
        self._new_hashes, self._new_lines = array("Q"), array("I")
        return found

    def restore(self, taken: bytes) -> None:
        """Remember again what :meth:`take_new` returned in another process."""
        count = len(taken) // _RECORD
        hashes, lines = array("Q"), array("I")
        hashes.frombytes(taken[: 8 * count])
        lines.frombytes(taken[8 * count :])
        for mark, line in zip(hashes, lines, strict=True):
            self._put(mark, line)

    def _put(self, mark: int, line: int) -> int | None:
        mask = len(self._hashes) - 1
        at = mark & mask
        hashes = self._hashes
        while hashes[at]:
            if hashes[at] == mark:
                return self._lines[at]
            at = (at + 1) & mask
        hashes[at], self._lines[at] = mark, line
        self._count += 1
        if self._count * 2 > len(hashes):
            self._grow()
        return None

    def _grow(self) -> None:
        hashes, lines = self._hashes, self._lines
        slots = 2 * len(hashes)
        self._hashes, self._lines = array("Q", bytes(8 * slots)), array("I", bytes(4 * slots))
        mask = slots - 1
        for mark, line in zip(hashes, lines, strict=True):
            if mark:
                at = mark & mask
                while self._hashes[at]:
                    at = (at + 1) & mask
                self._hashes[at], self._lines[at] = mark, line


def _mark(address: str) -> int:
    """Return 64 bits of the address's hash; never 0, which is an empty slot."""
    digest = blake2b(address.casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
