"""A task is called, sent and refused alike, whether it runs here, in memory or through SQS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cloud import Cloud

from sendmill.tasks import (
    InvalidTaskCall,
    PayloadNotSerializable,
    Task,
    TaskContext,
    UnknownTask,
    register_handler,
    send_many,
    sqs_client,
    task,
)
from sendmill.tasks.config import configure, current, reset
from sendmill.tasks.registry import registry
from sendmill.tasks.testing import MemoryTransport
from sendmill.tasks.worker.local import Worker

seen: list[Any] = []


@task(name="t.add")
def add(a: int, b: int = 2) -> int:
    return a + b


@task(name="t.any", aliases=("t.anything",))
def anything(value: Any = None, **more: Any) -> Any:
    seen.append(value)
    return value


@task(name="t.typed")
def typed(at: datetime, who: UUID | None = None, prices: list[Decimal] | None = None) -> None:
    seen.append((at, who, prices))


@register_handler("t.custom")
def custom(payload: dict[str, Any], context: TaskContext) -> str:
    seen.append((payload, context.task_id))
    return "done"


@pytest.fixture(params=["sync", "memory", "sqs"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every way in which tasks are sent."""
    seen.clear()
    if request.param == "memory":
        configure(transport=MemoryTransport())
    if request.param == "sqs":
        cloud: Cloud = request.getfixturevalue("cloud")
        configure(use_async=True, queues={"default": cloud.environment["EMAIL_QUEUE_URL"]})
    yield request.param
    reset()


def test_arguments_travel_by_name_where_they_have_one() -> None:
    @task(name="t.order")
    def order(first: int, /, second: int, *, third: int = 0, **more: int) -> None:
        seen.append((first, second, third, more))

    @task(name="t.rest")
    def rest(first: int, *others: int) -> None:
        seen.append((first, others))

    configure(transport=MemoryTransport())
    try:
        order.send(1, 2, fourth=4)
        rest.send(1)
        rest.send(1, 2, 3)
        sent = current().transport.sent  # type: ignore[union-attr]
        assert [(found.args, found.kwargs) for found in sent] == [
            ([1], {"second": 2, "fourth": 4}),
            ([], {"first": 1}),
            ([1, 2, 3], {}),
        ]
        seen.clear()
        drain()
        assert seen == [(1, 2, 0, {"fourth": 4}), (1, ()), (1, (2, 3))]
    finally:
        reset()
        registry.forget("t.order")
        registry.forget("t.rest")


def test_a_plain_call_never_sends(mode: str) -> None:
    assert add(1) == 3
    assert add(a=1, b=1) == 2


def test_the_id_is_known_in_every_mode(mode: str) -> None:
    assert len(add.send(1).task_id) == 36
    assert add.options(task_id="mine").send(1).task_id == "mine"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"nope": 3}), (("x",), {}), ((True,), {})],
)
def test_a_call_that_does_not_fit_is_refused_where_it_is_made(
    mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    call: Task[..., int] = add
    with pytest.raises(InvalidTaskCall, match=r"t\.add"):
        call.send(*args, **kwargs)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        ({1: "a"}, "keys must be str"),
        (datetime(2026, 1, 1, tzinfo=UTC), "isoformat"),
        ({1, 2}, "sorted"),
        ((1, 2), "list"),
        (b"x", "base64"),
        (UUID(int=1), "str"),
        (Decimal(1), "str"),
        (object(), "pass an id"),
        ("\ud800", "surrogate"),
        ({"deep": [{"er": {3}}]}, r"value\.deep\[0\]\.er"),
    ],
)
def test_a_value_that_json_would_change_is_refused_with_the_way_out(
    mode: str, value: Any, advice: str
) -> None:
    with pytest.raises(PayloadNotSerializable, match=advice):
        anything.send(value)


def test_annotated_values_arrive_as_what_they_were(mode: str) -> None:
    at, who = datetime(2026, 11, 23, 5, tzinfo=UTC), UUID(int=7)
    typed.send(at, who, [Decimal("1.10")])
    drain()
    assert seen == [(at, who, [Decimal("1.10")])]


def test_a_handler_is_reached_by_name_with_a_payload(mode: str) -> None:
    sent = sqs_client.send_task(task_name="t.custom", payload={"data": "example"})
    drain()
    assert seen == [({"data": "example"}, sent.task_id)]


def test_an_alias_reaches_the_task(mode: str) -> None:
    sqs_client.send_task("t.anything", {"value": 5})
    drain()
    assert seen == [5]


def test_a_name_that_nobody_knows_is_sent_and_not_run_here(mode: str) -> None:
    if mode == "sync":
        with pytest.raises(UnknownTask, match="only_the_worker"):
            sqs_client.send_task("only_the_worker", {})
    else:
        assert sqs_client.send_task("only_the_worker", {}).mode == "queued"


def test_many_are_sent_in_order_and_a_wrong_one_stops_all(mode: str) -> None:
    items = [{"task_name": "t.add", "payload": {"a": n}} for n in range(25)]
    results = send_many(items)
    assert len({result.task_id for result in results}) == 25
    assert [result.error for result in results] == [None] * 25
    with pytest.raises(InvalidTaskCall):
        send_many([*items, {"task_name": "t.add", "payload": {"a": "x"}}])


def test_in_sync_mode_an_error_passes_through_and_the_value_comes_back() -> None:
    @task(name="t.breaks")
    def breaks() -> None:
        raise ZeroDivisionError

    reset()
    with pytest.raises(ZeroDivisionError):
        breaks.send()
    assert add.send(1).value == 3
    registry.forget("t.breaks")


async def asend() -> Any:
    return await add.asend(1, b=4)


def test_asend_sends_as_send_does() -> None:
    import asyncio

    assert asyncio.run(asend()).value == 5


def drain() -> None:
    """Run what waits, by the worker's own code."""
    if isinstance(current().transport, MemoryTransport):
        current().transport.run_all()
    elif current().use_async:
        Worker(wait_seconds=0).run(until_empty=True)
