"""Turn what one mail uses into dollars a million, at the list prices of us-east-1.

Prices as of 2026-11-23, without free tiers: https://aws.amazon.com/lambda/pricing/,
.../sqs/pricing/, .../dynamodb/pricing/on-demand/, .../ses/pricing/, .../cloudwatch/pricing/.
"""

from __future__ import annotations

from collections.abc import Mapping

MILLION = 1_000_000
LAMBDA_ARM_GB_SECOND = 0.0000133334
LAMBDA_REQUEST = 0.20 / MILLION
SQS_REQUEST = 0.40 / MILLION
DYNAMODB_WRITE_UNIT = 0.625 / MILLION
DYNAMODB_READ_UNIT = 0.125 / MILLION
SES_MAIL = 0.10 / 1000
LOG_GB = 0.50
# Each message is sent, received and deleted in batches of ten.
SQS_REQUESTS_A_MAIL = 3 / 10
DISPATCH_MB = 512


def show(batch: int, usage: Mapping[str, float], memory_mb: int) -> None:
    """Print the table of one batch size."""
    lines = of_million(batch, usage, memory_mb)
    ours = sum(dollars for name, dollars, _ in lines if not name.startswith("SES"))
    print(f"COST OF A MILLION MAILS, batch {batch}, US dollars at list prices (see prices.py)")
    for name, dollars, why in lines:
        print(f"  {name:<22}{dollars:>9.3f}   {why}")
    print(f"  {'all but SES':<22}{ours:>9.3f}")


def of_million(
    batch: int, usage: Mapping[str, float], memory_mb: int
) -> list[tuple[str, float, str]]:
    """Return name, dollars and reason of each part."""
    gb_second = LAMBDA_ARM_GB_SECOND * memory_mb / 1024
    worker = usage["billed_ms"] / 1000 * gb_second + LAMBDA_REQUEST / batch
    sending = usage["dispatch_ms"] / 1000 * LAMBDA_ARM_GB_SECOND * DISPATCH_MB / 1024
    writes, reads = usage["worker_wru"] + usage["dispatch_wru"], usage["worker_rru"]
    return [
        ("Lambda, worker", MILLION * worker, f"{usage['billed_ms']:.2f} ms billed a mail"),
        ("Lambda, dispatch", MILLION * sending, f"{usage['dispatch_ms']:.2f} ms a mail"),
        ("SQS", MILLION * SQS_REQUEST * SQS_REQUESTS_A_MAIL, f"{SQS_REQUESTS_A_MAIL} requests"),
        (
            "DynamoDB, writes",
            MILLION * DYNAMODB_WRITE_UNIT * writes,
            f"{writes:.2f} units: {usage['dispatch_wru']:.0f} dispatch, "
            f"{usage['worker_wru']:.2f} worker",
        ),
        ("DynamoDB, reads", MILLION * DYNAMODB_READ_UNIT * reads, f"{reads:.2f} units"),
        (
            "CloudWatch Logs",
            MILLION * LOG_GB * usage["log_bytes"] / 1e9,
            f"{usage['log_bytes']:.0f} bytes",
        ),
        ("SES", MILLION * SES_MAIL, "$0.10 per 1,000"),
    ]
