"""Make ids that sort by the time they were made (RFC 9562, version 7)."""

from __future__ import annotations

import hashlib
import os
import time


def new_id() -> str:
    """Return a fresh id: 48 bits of milliseconds, then 74 bits of chance."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return _written(value, version=7)


def derived_id(*parts: str) -> str:
    """Return the same id for the same parts: for events whose sender knows no task ids."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return _written(int.from_bytes(digest[:16], "big"), version=8)


def _written(value: int, *, version: int) -> str:
    value = value & ~(0xF << 76) | version << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
