"""Run the emulator: ministack in this process, with the gaps closed that Sendmill meets.

Settings are ministack's own environment variables (GATEWAY_PORT, BIND_HOST, AUTH, ...) and
RECORD_CALLS, a file that is to hold what each function asks of AWS (see calls.py); the supervisor
sets them. It refuses any version but the pinned one, since it replaces private names.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from calls import Recorder

PINNED = "1.5.33"


def check_version() -> None:
    """Exit with one sentence unless the pinned ministack is installed."""
    try:
        found = version("ministack")
    except PackageNotFoundError:
        found = "none"
    if found != PINNED:
        sys.exit(f"ministack must be {PINNED} (got {found}): run scripts/setup.sh emulator")


def main() -> None:
    """Close the gaps, then serve until told to stop."""
    check_version()
    app: Any = import_module("ministack.app")
    import_module("gaps").close_all()
    # functions inherit the environment, and this is none of theirs
    if file := os.environ.pop("RECORD_CALLS", ""):
        import_module("gaps.callers").close(Recorder(Path(file)))
    logging.getLogger("ministack").info("gaps closed, starting")
    app.main()


if __name__ == "__main__":
    main()
