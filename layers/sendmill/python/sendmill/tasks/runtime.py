"""Build what the settings ask for, once: transport, keyring, receipts, breakers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sendmill.tasks.breaker import Breaker
from sendmill.tasks.config import TaskConfig, current
from sendmill.tasks.errors import TaskConfigError
from sendmill.tasks.signing import Keyring

if TYPE_CHECKING:
    from sendmill.tasks.receipts import Receipts
    from sendmill.tasks.transports import Transport


class Runtime:
    """Hold what was built for one set of settings."""

    def __init__(self, config: TaskConfig) -> None:
        self.config = config
        self.keyring = Keyring(config.signing_keys)
        self._breakers: dict[str, Breaker] = {}
        self._transport = config.transport
        self._receipts = config.receipts
        self._lock = threading.Lock()

    @property
    def is_synchronous(self) -> bool:
        """Say whether tasks run where they are sent."""
        return self.config.transport is None and not self.config.use_async

    @property
    def transport(self) -> Transport:
        """Return what carries messages; raises TaskConfigError."""
        if self._transport is None:
            with self._lock:
                self._transport = self._transport or self._make_transport()
        return self._transport

    @property
    def receipts(self) -> Receipts | None:
        """Return the store of receipts, or None when none is configured."""
        if self._receipts is None and self.config.receipts_table:
            with self._lock:
                self._receipts = self._receipts or self._make_receipts()
        return self._receipts

    def breaker(self, queue: str) -> Breaker:
        """Return the breaker of a queue."""
        with self._lock:
            if queue not in self._breakers:
                self._breakers[queue] = Breaker(
                    failures=self.config.breaker_failures, cooldown=self.config.breaker_cooldown
                )
            return self._breakers[queue]

    def _make_transport(self) -> Transport:
        from sendmill.tasks.transports.sqs import SqsTransport

        config = self.config
        if not config.queues:
            raise TaskConfigError("USE_ASYNC_TASKS is on, and AWS_SQS_QUEUE_URL is not set")
        return SqsTransport(
            config.queue_url,
            region=config.region,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
            batch_bytes=config.max_message_bytes,
        )

    def _make_receipts(self) -> Receipts:
        from sendmill.tasks.receipts.dynamodb import DynamoReceipts

        return DynamoReceipts(
            self.config.receipts_table,
            region=self.config.region,
            keep_days=self.config.receipt_days,
        )


_runtime: Runtime | None = None
_lock = threading.Lock()


def runtime() -> Runtime:
    """Return what was built for the settings in force, building it anew when they changed."""
    global _runtime
    config = current()
    found = _runtime
    if found is None or found.config is not config:
        with _lock:
            if _runtime is None or _runtime.config is not config:
                _runtime = Runtime(config)
            found = _runtime
    return found
