"""Declare a task, call it, send it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, ParamSpec, TypeVar, cast, overload

from sendmill.tasks.config import current
from sendmill.tasks.function import TaskFunction
from sendmill.tasks.plan import SendOptions
from sendmill.tasks.policy import Policy
from sendmill.tasks.registry import registry
from sendmill.tasks.result import EnqueueResult
from sendmill.tasks.sending import send_call

P = ParamSpec("P")
R = TypeVar("R")


class Task(TaskFunction[P, R]):
    """A function that can be called as it is, and sent to be called elsewhere."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        aliases: tuple[str, ...] = (),
        policy: Policy | None = None,
        schema: type | None = None,
        is_handler: bool = False,
        options: SendOptions | None = None,
    ) -> None:
        super().__init__(
            function,
            name=name,
            aliases=aliases,
            policy=policy,
            schema=schema,
            is_handler=is_handler,
        )
        self.send_options = options or SendOptions()

    def send(self, *args: P.args, **kwargs: P.kwargs) -> EnqueueResult:
        """Send the task to its queue, or run it here when tasks are synchronous.

        Raises InvalidTaskCall, PayloadNotSerializable, PayloadTooLarge, DelayTooLong, UnknownQueue
        for the call, EnqueueError for the queue.
        """
        return send_call(self, self.arguments(args, kwargs), self.send_options)

    async def asend(self, *args: P.args, **kwargs: P.kwargs) -> EnqueueResult:
        """Send the task without holding up the event loop."""
        import asyncio

        in_thread: Any = current().in_thread or asyncio.to_thread
        return cast(EnqueueResult, await in_thread(self.send, *args, **kwargs))

    def options(
        self,
        *,
        delay_seconds: float = 0,
        run_at: datetime | None = None,
        queue: str = "",
        dedup_key: str = "",
        group: str = "",
        task_id: str = "",
        on_commit: bool | Literal["auto"] = "auto",
    ) -> Task[P, R]:
        """Return the same task, sent like this: ``add.options(delay_seconds=30).send(1, 2)``."""
        return Task(
            self.function,
            name=self.name,
            aliases=self.aliases,
            policy=self.policy,
            schema=self.schema,
            is_handler=self.is_handler,
            options=SendOptions(
                delay_seconds=delay_seconds,
                run_at=run_at,
                queue=queue,
                dedup_key=dedup_key,
                group=group,
                task_id=task_id,
                on_commit=on_commit,
            ),
        )


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *, name: str = "", aliases: tuple[str, ...] = (), **policy: Any
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    aliases: tuple[str, ...] = (),
    **policy: Any,
) -> Any:
    """Make a task of a function, bare or with a name, aliases and the fields of a Policy.

    The name is what messages carry: give one, and the function may move. Without it the name is
    ``module.function``.
    """

    def declare(found: Callable[..., Any]) -> Task[..., Any]:
        made: Task[..., Any] = Task(found, name=name, aliases=aliases, policy=Policy(**policy))
        registry.add(made)
        return made

    return declare if function is None else declare(function)


def register_handler(
    name: str, *, schema: type | None = None, aliases: tuple[str, ...] = (), **policy: Any
) -> Callable[[Callable[..., R]], Task[..., R]]:
    """Register ``handler(payload)`` or ``handler(payload, context)`` under a name.

    ``schema`` is a dataclass, a TypedDict or a model of pydantic or msgspec: the payload is checked
    against it where it is sent and handed over as one where it is handled.
    """

    def declare(function: Callable[..., R]) -> Task[..., R]:
        made: Task[..., R] = Task(
            function,
            name=name,
            aliases=aliases,
            policy=Policy(**policy),
            schema=schema,
            is_handler=True,
        )
        registry.add(made)
        return made

    return declare
