"""Take a batch of SQS records apart, deliver it, and say which records are to be seen again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sendmill.delivery import Deliverer, Handling, Receipt
from sendmill.errors import InvalidMessage, QueueUnavailable, RetryableError
from sendmill.message import Message, parse_message
from sendmill.queue import QueueClient

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

# A claim outlives the invocation that made it by this much, in seconds.
LEASE_MARGIN_SECONDS = 30
# Below this an invocation starts nothing: the sends might not end in time.
_MIN_SECONDS = 2

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailBatch:
    """Hold what the handling of a batch needs; built once for each worker."""

    deliverer: Deliverer
    queue: QueueClient
    default_from: str = ""

    def handle(
        self,
        records: Sequence[Record],
        *,
        owner: str,
        remaining_seconds: int,
        logger: Logger,
        metrics: Metrics,
    ) -> list[str]:
        """Return the ids of the messages that the queue must keep."""
        receipts: dict[str, Receipt] = {}
        messages: dict[str, Message] = {}
        for record in records:
            try:
                messages[record["messageId"]] = parse_message(
                    record["body"], default_from=self.default_from
                )
            except InvalidMessage as error:
                receipts[record["messageId"]] = Receipt(
                    event="poison", reason=str(error), handling=Handling.RETURN
                )
        if messages and remaining_seconds >= _MIN_SECONDS:
            receipts |= self._deliver(messages, owner, remaining_seconds, logger)
        failures = self._give_back(records, receipts, logger)
        _report(records, receipts, logger, metrics)
        return failures

    def _deliver(
        self, messages: Mapping[str, Message], owner: str, remaining: int, logger: Logger
    ) -> dict[str, Receipt]:
        try:
            found = self.deliverer.deliver(
                list(messages.values()),
                owner=owner,
                budget_seconds=remaining,
                lease_seconds=remaining + LEASE_MARGIN_SECONDS,
            )
        except RetryableError as error:
            # every message stays on the queue until the visibility timeout brings it back
            logger.warning("batch_not_delivered", reason=str(error), messages=len(messages))
            return {}
        return dict(zip(messages, found, strict=True))

    def _give_back(
        self, records: Sequence[Record], receipts: Mapping[str, Receipt], logger: Logger
    ) -> list[str]:
        failures = []
        for record in records:
            receipt = receipts.get(record["messageId"])
            if receipt is not None and receipt.handling is Handling.ACKNOWLEDGE:
                continue
            failures.append(record["messageId"])
            if receipt is None:
                continue
            try:
                self.queue.return_mail(record["receiptHandle"], after_seconds=0)
            except QueueUnavailable as error:
                logger.warning("message_returned_late", reason=str(error))
        return failures


def _report(
    records: Sequence[Record], receipts: Mapping[str, Receipt], logger: Logger, metrics: Metrics
) -> None:
    """Write one line a message that was not simply accepted, and one line for the batch."""
    counts: Counter[str] = Counter()
    for record in records:
        receipt = receipts.get(record["messageId"])
        if receipt is None:
            counts["not_delivered"] += 1
            continue
        counts[receipt.event] += 1
        level = logger.info if receipt.handling is Handling.ACKNOWLEDGE else logger.warning
        level(
            "message_handled",
            message_id=record["messageId"],
            outcome=receipt.event,
            reason=receipt.reason,
            campaign_id=receipt.campaign_id,
            recipient_id=receipt.rid,
            attempt=receipt.attempt,
            provider_id=receipt.message_id,
            receives=record.get("attributes", {}).get("ApproximateReceiveCount"),
        )
    logger.info("batch_handled", messages=len(records), outcomes=dict(counts))
    for outcome, count in counts.items():
        metrics.add_metric(name=f"Messages_{outcome}", unit="Count", value=count)
