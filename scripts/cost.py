"""Estimate what a campaign costs: SES by its plan, and everything else from measured figures.

Prices are in scripts/prices.json (list prices, no free tier); `--prices` takes another file of the
same shape, for a negotiated price or another region. docs/costs.md says what is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.json")
MOST_RECIPIENTS = 1_000_000_000
WORKER_GB = 512 / 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one mail uses: measured (docs/performance.md, 2026-11-23) but for the events."""

    batch: int
    billed_ms: float
    write_units: float = 7.5
    read_units: float = 4.0
    log_bytes: float = 680
    queue_requests: float = 0.3


# 124 and 566 mails per billed second; of batches of 100 the total (5.14) gives the writes.
MEASURED = {
    10: Usage(batch=10, billed_ms=1000 / 124),
    100: Usage(batch=100, billed_ms=1000 / 566, write_units=6.66),
}
# Counted from the design, not measured: Send and Delivery come back, ten to a call, and
# the second moves a row and a counter in one transaction.
EVENTS = 2
EVENT_REQUESTS = EVENTS * 1.2
EVENT_WRITE_UNITS = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One part of the estimate, in dollars."""

    name: str
    dollars: float
    why: str


def main() -> int:
    """Print the estimate, and return the exit code."""
    arguments = _arguments()
    try:
        prices = json.loads(arguments.prices.read_text())
        recipients = _count(arguments.recipients)
        lines = estimate(
            recipients,
            prices,
            plan=arguments.plan,
            batch=arguments.batch,
            where=arguments.environment,
        )
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{recipients:,} recipients, SES {arguments.plan}, prices of {prices['as_of']}")
    print("\n".join(_table(lines, recipients)))
    return 0


def estimate(
    recipients: int, prices: dict[str, Any], *, plan: str, batch: int = 10, where: str = "prod"
) -> list[Line]:
    """Return the parts of the estimate; raise ValueError for a plan or batch that is not known."""
    if batch not in MEASURED:
        known = " or ".join(map(str, MEASURED))
        raise ValueError(f"BATCH must be {known}, which were measured (got {batch}).")
    usage = MEASURED[batch]
    factor = prices["govcloud_factor"] if where == "govcloud" else 1.0
    note = f", times {factor} for GovCloud" if factor != 1 else ""
    second = WORKER_GB * prices["lambda_gb_second"]
    worker = usage.billed_ms / 1000 * second + prices["lambda_request"] / batch
    writes, reads = prices["dynamodb_write_unit"], prices["dynamodb_read_unit"]
    back = EVENTS * prices["sns_publish"] + EVENT_REQUESTS * prices["sqs_request"]
    parts = [
        ("DynamoDB, writes", usage.write_units * writes, f"{usage.write_units} units a mail"),
        ("DynamoDB, reads", usage.read_units * reads, f"{usage.read_units} units a mail"),
        ("Lambda", worker, f"{usage.billed_ms:.1f} ms billed a mail"),
        ("SQS", usage.queue_requests * prices["sqs_request"], f"{usage.queue_requests} requests"),
        ("Logs", usage.log_bytes / 1e9 * prices["logs_gb"], f"{usage.log_bytes:.0f} bytes a mail"),
        ("Events", back, f"{EVENTS} a mail, counted from the design"),
        ("Events, writes", EVENT_WRITE_UNITS * writes, "counted from the design"),
    ]
    ours = [
        Line(name=name, dollars=recipients * each * factor, why=why + note)
        for name, each, why in parts
    ]
    return [_ses(recipients, prices, plan), *ours]


def _ses(recipients: int, prices: dict[str, Any], plan: str) -> Line:
    plans = prices["ses_plans"]
    if plan not in plans:
        raise ValueError(f"PLAN must be one of: {' '.join(plans)} (got {plan!r}).")
    month, dollars, done = float(plans[plan]["month"]), 0.0, 0
    for limit, per_1000 in plans[plan]["per_1000"]:
        part = max(0, recipients - done if limit is None else min(recipients, limit) - done)
        dollars, done = dollars + part / 1000 * per_1000, done + part
    why = f"{plan}; the month's other mails count towards its steps"
    return Line(name="SES", dollars=month + dollars, why=why)


def _table(lines: list[Line], recipients: int) -> Iterator[str]:
    ours = sum(line.dollars for line in lines[1:])
    for line in lines:
        yield f"  {line.name:<20}{line.dollars:>12,.2f}  {line.why}"
    total = ours + lines[0].dollars
    yield f"  {'all but SES':<20}{ours:>12,.2f}  {ours / recipients * 1_000_000:.2f} a million"
    yield f"  {'total, US dollars':<20}{total:>12,.2f}"


def _count(text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdigit() or not 1 <= int(digits) <= MOST_RECIPIENTS:
        raise ValueError(f"RECIPIENTS must be 1 to {MOST_RECIPIENTS:,} (got {text!r}).")
    return int(digits)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--environment", default="prod")
    parser.add_argument("--recipients", required=True)
    # What a new account has since 2026-07-21.
    parser.add_argument("--plan", default="essentials")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--prices", type=Path, default=PRICES)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
