"""Make the store of results that a backend's OPTIONS name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.utils.module_loading import import_string

from sendmill.contrib.django.results import ResultStore


class MemoryResults:
    """Keep records in this process: for tests and for one local worker."""

    in_transaction = False

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def create(self, record: Mapping[str, Any]) -> None:
        """Keep a new record."""
        self._records.setdefault(record["id"], dict(record))

    def update(self, record: Mapping[str, Any]) -> None:
        """Replace a record by one of the same run or of a later one."""
        held = self._records.get(record["id"], {})
        if (held.get("last_attempted_at") or "") <= (record["last_attempted_at"] or ""):
            self._records[record["id"]] = dict(record)

    def read(self, result_id: str) -> dict[str, Any] | None:
        """Return a record, or None."""
        return self._records.get(result_id)


def store_of(alias: str, options: Mapping[str, Any]) -> ResultStore | None:
    """Return the store that ``result_store`` names: a word, a class's path, an object."""
    named = options.get("result_store")
    if not named:
        return None
    if named == "memory":
        return shared_memory(alias)
    if named == "orm":
        # The models are there only when the apps are loaded, and tasks are declared before.
        orm = import_module("sendmill.contrib.django.results_orm")
        return orm.OrmResults()
    if named == "dynamodb":
        dynamodb = import_module("sendmill.contrib.django.results_dynamodb")
        return dynamodb.DynamoResults(
            options.get("receipts_table", ""),
            region=options.get("region_name", ""),
            keep_days=int(options.get("result_days", 30)),
        )
    return import_string(named)() if isinstance(named, str) else named


@lru_cache(maxsize=16)
def shared_memory(alias: str) -> ResultStore:
    """Return the store in memory, one for all threads: each of them has a backend of its own."""
    return MemoryResults()
