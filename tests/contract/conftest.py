"""Recorded events, and the functions that they wake, with moto and a server in place of SES."""

from __future__ import annotations

import copy
import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cloud import Cloud, Context
from fake_ses import FakeSes

EVENTS = Path(__file__).parent / "events"
Event = dict[str, Any]


@pytest.fixture
def context() -> Context:
    """An invocation that has just begun."""
    return Context()


@pytest.fixture
def event() -> Callable[[str], Event]:
    """A function from the name of a recorded event to a copy of it."""
    return lambda name: copy.deepcopy(json.loads((EVENTS / f"{name}.json").read_text()))


@pytest.fixture
def log(load: Callable[[str], ModuleType]) -> Iterator[io.StringIO]:
    """What the functions write to their log, in place of standard output."""
    observe = importlib.import_module("sendmill.observe")
    written = io.StringIO()
    streams = [
        (handler, handler.setStream(written))
        for handler in observe.logger.handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    assert streams
    yield written
    for handler, stream in streams:
        handler.setStream(stream)


@pytest.fixture
def ses() -> Iterator[FakeSes]:
    """A server in the place of SES."""
    with FakeSes() as found:
        yield found


@pytest.fixture
def load(
    cloud: Cloud,
    ses: FakeSes,
    load_handler: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], ModuleType]:
    """A function that imports a handler with its whole environment set."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url)
    return load_handler
