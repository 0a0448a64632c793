"""Turn `terraform output -json` on stdin into one flat JSON object of name and value on stdout.

With `--emulator URL` the API's address takes its path form: most programs cannot resolve
`<id>.execute-api.localhost`, which the emulator answers to.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def flatten(outputs: dict[str, dict[str, Any]], emulator: str | None) -> dict[str, Any]:
    """Return each output's value by its name."""
    values = {name: output["value"] for name, output in outputs.items()}
    if emulator is not None and "api_id" in values:
        values["api_url"] = f"{emulator}/_aws/execute-api/{values['api_id']}/$default"
    return values


def main() -> int:
    """Read, flatten and print; return 3 when there is no output at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emulator", metavar="URL", help="address of the emulator")
    values = flatten(json.load(sys.stdin), parser.parse_args().emulator)
    if not values:
        return 3
    json.dump(values, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
