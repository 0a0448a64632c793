"""Look at a deployed environment, or stop it: status, logs, dead-letters, halt, pause-all.

The outputs of Terraform come on stdin, as `make -s output` prints them, and say where everything
is. No address of a recipient is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from operations import halt, letters, logs, pauses, status
from operations.account import Account

from sendmill.errors import SendmillError


def main() -> int:
    """Do what the words say, and return the exit code."""
    arguments = _arguments()
    outputs: dict[str, Any] = json.load(sys.stdin)
    account = Account(outputs)
    try:
        if arguments.verb == "status":
            _print(status.lines(account))
        elif arguments.verb == "logs":
            wanted = logs.groups(outputs, arguments.function)
            _print(logs.tail(account, wanted, logs.seconds(arguments.since), arguments.follow))
        elif arguments.verb == "dead-letters":
            _print(letters.lines(account))
        elif arguments.verb == "halt":
            _print(halt.halt(account))
        else:
            _print(pauses.pause_all(account, arguments.table))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError, SendmillError) as error:
        print(f"AWS does not answer as it should: {error}", file=sys.stderr)
        return 1
    return 0


def _print(lines: Any) -> None:
    for line in lines:
        print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("status", "dead-letters", "halt"):
        verbs.add_parser(name)
    tail = verbs.add_parser("logs")
    tail.add_argument("--function", default="")
    tail.add_argument("--since", default="10m")
    tail.add_argument("--follow", action="store_true")
    verbs.add_parser("pause-all").add_argument("--table", default="")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
