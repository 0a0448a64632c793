"""Be the ``sendmill`` command: the API's verbs in a shell (extra ``[cli]``).

Exit codes: 0 done; 1 it was done and ended badly; 2 the command or what it carries is wrong; 3 the
service cannot be reached; 4 not signed in, or not allowed; 5 not found, or not in this state.
"""

from __future__ import annotations

import sys


def run() -> None:
    """Start the command; the console script points here."""
    try:
        from sendmill.cli.main import main
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "click"):
            raise
        sys.stderr.write("sendmill: the command needs its extra: pip install 'sendmill[cli]'\n")
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
