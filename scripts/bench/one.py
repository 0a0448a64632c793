"""Run one design against a sink that stands, and print one line of JSON about it.

The start is done at full speed, as Lambda does it; then the process goes under its CPU quota.
What is billed is the time of each invocation, rounded up to a millisecond.

    python one.py DESIGN --port N --batch N --seconds S [--limit FILE] [--tls CERTIFICATE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import sys
import time
from pathlib import Path

WARM_UP = 3


def main() -> None:
    """Start, warm up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("design")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--limit", type=Path)
    parser.add_argument("--tls")
    asked = parser.parse_args()
    os.environ.update(settings(asked.port, asked.tls))
    started = time.perf_counter()
    import designs
    import workload

    events = workload.events(1000, asked.batch)
    prepared = time.perf_counter() - started
    out = sys.stdout
    started = time.perf_counter()
    invoke = designs.DESIGNS[asked.design]()
    init = time.perf_counter() - started
    if asked.limit:
        asked.limit.write_text(str(os.getpid()))
    for number in range(WARM_UP):
        invoke(events[number % len(events)])
    logged = designs.log.written
    found = measure(invoke, events, asked.seconds)
    found |= {"mails": found["invocations"] * asked.batch, "init_s": init, "prepared_s": prepared}
    found["log_bytes"] = designs.log.written - logged
    found["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found), file=out)


def measure(invoke: object, events: list[str], seconds: float) -> dict[str, float]:
    """Invoke until the time is over, three times at least."""
    assert callable(invoke)  # noqa: S101  what the table of designs holds
    billed = invocations = 0
    cpu, begun = time.process_time(), time.perf_counter()
    while invocations < 3 or time.perf_counter() - begun < seconds:
        at = time.perf_counter()
        invoke(events[invocations % len(events)])
        billed += math.ceil((time.perf_counter() - at) * 1000)
        invocations += 1
    return {
        "invocations": invocations,
        "billed_ms": billed,
        "wall_s": time.perf_counter() - begun,
        "cpu_s": time.process_time() - cpu,
    }


def settings(port: int, certificate: str | None = None) -> dict[str, str]:
    """Return the environment of a function that talks to the sink, and to nothing else."""
    sink = f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
    found = {
        "AWS_ENDPOINT_URL": sink,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEXAMPLE" * 40,  # as long as a Lambda's
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
        "AWS_LAMBDA_FUNCTION_NAME": "email-worker",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "ENVIRONMENT": "bench",
        "LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": "email_worker",
        "POWERTOOLS_METRICS_NAMESPACE": "Sendmill",
        "CAMPAIGNS_TABLE": "campaigns",
        "RECIPIENTS_TABLE": "recipients",
        "EMAIL_QUEUE_URL": f"{sink}/000000000000/email",
        "KEYS_SECRET_NAME": "keys",
        "MAIL_SECRET_NAME": "mail",
        "SES_CONFIGURATION_SET": "bench",
        "DEFAULT_FROM_EMAIL": "noreply@example.com",
    }
    if certificate:
        found["AWS_CA_BUNDLE"] = certificate
    return found


if __name__ == "__main__":
    main()
