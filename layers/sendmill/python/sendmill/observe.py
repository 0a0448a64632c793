"""Make the logger, the metrics and the tracer, once for each function.

Log lines are JSON with a stable snake_case event name and ids. No address is ever passed to the
logger; as a second fence the formatter replaces whatever looks like one, tracebacks included.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from sendmill.contact import redacted


class RedactingFormatter(LambdaPowertoolsFormatter):
    """Write log lines that hold no address."""

    def serialize(self, log: Any) -> str:
        """Return one JSON line."""
        return redacted(super().serialize(log))


logger = Logger(
    logger_formatter=RedactingFormatter(), environment=os.environ.get("ENVIRONMENT", "")
)
metrics = Metrics()
# Two environments in one account must not add up: the alarms of each look at this dimension.
if _environment := os.environ.get("ENVIRONMENT"):
    metrics.set_default_dimensions(environment=_environment)
# Every boto3 call as a subsegment costs CPU on the hot path; handlers are traced, calls are not.
tracer = Tracer(auto_patch=False)
