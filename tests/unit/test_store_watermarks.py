"""The watermark of the event stream only moves forwards."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud import CAMPAIGNS, Cloud

from fakes import NOW
from sendmill.errors import StoreUnavailable
from sendmill.store import WatermarkStore
from sendmill.store.watermarks import Watermark


def test_a_stream_of_which_nothing_came_stands_at_nothing(cloud: Cloud) -> None:
    assert WatermarkStore(cloud.dynamodb, CAMPAIGNS).read("set") == Watermark()


def test_it_moves_forwards_only_whoever_moves_it(cloud: Cloud) -> None:
    one, two = (WatermarkStore(cloud.dynamodb, CAMPAIGNS) for _ in range(2))
    one.advance("set", sent_at=NOW, seen_at=NOW + 1)
    two.advance("set", sent_at=NOW - 60, seen_at=NOW + 2)
    assert one.read("set") == Watermark(last_send_at=NOW, seen_at=NOW + 1)
    two.advance("set", sent_at=NOW + 60, seen_at=NOW + 61)
    assert one.read("set") == Watermark(last_send_at=NOW + 60, seen_at=NOW + 61)
    assert one.read("another") == Watermark()


def test_an_event_that_moves_nothing_writes_nothing(cloud: Cloud) -> None:
    store = WatermarkStore(cloud.dynamodb, CAMPAIGNS)
    store.advance("set", sent_at=NOW, seen_at=NOW)

    def refuse(**_: Any) -> None:
        pytest.fail("a write that changes nothing costs money")

    cloud.on_dynamodb("before-call.dynamodb.UpdateItem", refuse)
    store.advance("set", sent_at=NOW, seen_at=NOW + 1)
    store.advance("set", sent_at=NOW - 1, seen_at=NOW + 1)


def test_a_table_that_is_away_is_said_so(cloud: Cloud) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

    store = WatermarkStore(cloud.dynamodb, CAMPAIGNS)
    cloud.on_dynamodb("before-call.dynamodb.UpdateItem", fail)
    with pytest.raises(StoreUnavailable, match="moving the watermark"):
        store.advance("set", sent_at=NOW, seen_at=NOW)
