"""A function as messages see it: by its name, tried by its policy, with arguments that are JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

from sendmill.tasks.convert import from_json, hints_of, to_json
from sendmill.tasks.errors import InvalidTaskCall, PayloadNotSerializable
from sendmill.tasks.payload import require_json
from sendmill.tasks.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
Arguments = tuple[list[Any], dict[str, Any]]


class TaskFunction(Generic[P, R]):
    """A function that a message can name: all that running it takes, and nothing of sending."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        aliases: tuple[str, ...] = (),
        policy: Policy | None = None,
        schema: type | None = None,
        is_handler: bool = False,
    ) -> None:
        self.function = function
        self.name = name or f"{function.__module__}.{function.__qualname__}"
        self.aliases = aliases
        self.policy = policy or Policy()
        self.schema = schema
        self.is_handler = is_handler
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, as if it were no task."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Return the arguments as JSON; raises InvalidTaskCall or PayloadNotSerializable."""
        if self.is_handler:
            return [], self._payload(args, kwargs)
        given_args, given_kwargs = _by_name(self._bind(args, kwargs))
        found_args = [self._to_json(v, self._name_of(n)) for n, v in enumerate(given_args)]
        found_kwargs = {name: self._to_json(value, name) for name, value in given_kwargs.items()}
        return found_args, found_kwargs

    def call(self, args: list[Any], kwargs: Mapping[str, Any], context: object = None) -> R:
        """Call the function with arguments that came as JSON; raises InvalidTaskCall."""
        if self.is_handler:
            return self._call_handler(kwargs, context)
        self._bind(tuple(args), kwargs)
        positional = [self._from_json(v, self._name_of(n)) for n, v in enumerate(args)]
        named = {name: self._from_json(value, name) for name, value in kwargs.items()}
        return cast(R, _finished(cast(Any, self.function)(*positional, **named)))

    def accepted(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return those keywords that the function has parameters for: of an event, say."""
        found = self._signature.parameters.values()
        if self.is_handler or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found):
            return dict(kwargs)
        return {key: value for key, value in kwargs.items() if key in self._signature.parameters}

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return hints_of(self.function)

    @cached_property
    def _names(self) -> list[str]:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [name for name, found in self._signature.parameters.items() if found.kind in kinds]

    def _name_of(self, number: int) -> str:
        return self._names[number] if number < len(self._names) else "*args"

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidTaskCall(f"{self.name}{self._signature}: {error}") from error

    def _to_json(self, value: Any, name: str) -> Any:
        try:
            found = to_json(value, self._hints.get(name), name)
        except PayloadNotSerializable:
            raise
        except (TypeError, ValueError) as error:
            _explain(value, name)
            raise InvalidTaskCall(f"{self.name}: {error}") from error
        require_json(found, name)
        return found

    def _from_json(self, value: Any, name: str) -> Any:
        try:
            return from_json(value, self._hints.get(name), name)
        except (TypeError, ValueError) as error:
            raise InvalidTaskCall(f"{self.name}: {error}") from error

    def _payload(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > 1 or (args and kwargs):
            raise InvalidTaskCall(f"{self.name} takes one payload, or keywords")
        given: Any = args[0] if args else dict(kwargs)
        if self.schema is not None:
            try:
                given = to_json(given, self.schema, "payload")
            except (TypeError, ValueError) as error:
                raise InvalidTaskCall(f"{self.name}: {error}") from error
        if isinstance(given, Mapping):
            given = dict(given)
        if type(given) is not dict:
            raise InvalidTaskCall(
                f"{self.name}: payload must be a dict (got {type(given).__name__})"
            )
        require_json(given, "payload")
        return given

    def _call_handler(self, payload: Mapping[str, Any], context: object) -> R:
        given: Any = dict(payload)
        if self.schema is not None:
            try:
                given = from_json(given, self.schema, "payload")
            except (TypeError, ValueError) as error:
                raise InvalidTaskCall(f"{self.name}: {error}") from error
        wanted = [given, context] if len(self._names) > 1 else [given]
        return cast(R, _finished(cast(Any, self.function)(*wanted)))


def _by_name(bound: inspect.BoundArguments) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments by name wherever a name will do: a message outlives an order of parameters.

    Keys and upgrades read them by name as well.
    """
    parameters = bound.signature.parameters.values()
    if any(p.kind is p.VAR_POSITIONAL and bound.arguments.get(p.name) for p in parameters):
        return bound.args, bound.kwargs
    only = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    args = tuple(bound.arguments[name] for name in only if name in bound.arguments)
    kwargs: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name in bound.arguments and parameter.kind is parameter.VAR_KEYWORD:
            kwargs |= bound.arguments[parameter.name]
        elif parameter.name in bound.arguments and parameter.kind in _NAMED:
            kwargs[parameter.name] = bound.arguments[parameter.name]
    return args, kwargs


def _explain(value: Any, name: str) -> None:
    """Prefer the advice for a value that is no JSON to a complaint about its type."""
    require_json(value, name)


def _finished(value: Any) -> Any:
    if not inspect.iscoroutine(value):
        return value
    import asyncio  # 30 ms that few need

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(value)
    # called from a coroutine: that loop is busy with us, so the task gets one of its own
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(copy_context().run, asyncio.run, value).result()
