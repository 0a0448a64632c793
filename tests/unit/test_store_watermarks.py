"""The watermark of the event stream only moves forwards."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud import CAMPAIGNS, Cloud

from fakes import NOW
from sendmill.errors import StoreUnavailable
from sendmill.store import WatermarkStore
from sendmill.store.watermarks import SETTLE_SECONDS, Watermark


def test_a_stream_of_which_nothing_came_stands_at_nothing(cloud: Cloud) -> None:
    assert WatermarkStore(cloud.dynamodb, CAMPAIGNS).read("set") == Watermark()


def test_it_moves_forwards_only_whoever_moves_it(cloud: Cloud) -> None:
    one, two = (WatermarkStore(cloud.dynamodb, CAMPAIGNS) for _ in range(2))
    one.advance("set", sent_at=NOW, seen_at=NOW + 1)
    two.advance("set", sent_at=NOW - 60, seen_at=NOW + 2)
    assert one.read("set") == Watermark(last_send_at=NOW, seen_at=NOW + 1, marked_at=NOW + 1)
    two.advance("set", sent_at=NOW + 60, seen_at=NOW + 61)
    assert one.read("set") == Watermark(last_send_at=NOW + 60, seen_at=NOW + 61, marked_at=NOW + 1)
    assert one.read("another") == Watermark()


def test_what_came_just_now_settles_nothing_and_settles_a_minute_later(cloud: Cloud) -> None:
    store = WatermarkStore(cloud.dynamodb, CAMPAIGNS)
    store.advance("set", sent_at=NOW, seen_at=NOW)
    assert store.read("set").settled(NOW + SETTLE_SECONDS - 1) == 0
    assert store.read("set").settled(NOW + SETTLE_SECONDS) == NOW
    # after two hours of silence the youngest event comes first, and others of that time after it
    late = NOW + 7200
    store.advance("set", sent_at=late, seen_at=late)
    assert store.read("set").settled(late) == 0
    assert store.read("set").settled(late + SETTLE_SECONDS) == late


def test_a_stream_that_flows_settles_with_a_delay_of_at_most_two_minutes(cloud: Cloud) -> None:
    stores = [WatermarkStore(cloud.dynamodb, CAMPAIGNS) for _ in range(2)]
    for second in range(0, 600, 5):
        now = NOW + second
        stores[second % 2].advance("set", sent_at=now, seen_at=now)
        found = stores[0].read("set").settled(now)
        assert found <= now - SETTLE_SECONDS
        if second >= 3 * SETTLE_SECONDS:
            assert found >= now - 2 * SETTLE_SECONDS - 5


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
