"""How a Python function becomes a localfn function: the decorator, its limits and its hooks."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from localfn.context import Context
from localfn.errors import LocalfnError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
QUEUE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_TIMEOUT_S = 3600.0  # the seed's ceiling: one hour at most per task
DEFAULT_MEMORY_MB = 512
MIN_MEMORY_MB = 32  # a bare interpreter with this SDK takes about 15 MB
MAX_MEMORY_MB = 1024 * 1024
MAX_DELAY_S = 366 * 24 * 3600.0
ON_LOST = ("rerun", "fail")
SCHEDULE_HELP = 'a text such as "rate(5 minutes)", or a dict with an "expression" and other fields of a schedule'

Body = Callable[[Any, Context], Any]
Hook = TypeVar("Hook", bound=Callable[[Any, Context], Any])

# Every function that was declared in this interpreter, in order; discovery reads it.
declared: list[Function] = []


class Function:
    """A declared function. Calling it calls the plain Python function, so it is easy to test."""

    def __init__(self, body: Body, options: dict[str, Any]) -> None:
        self.body = body
        self.options = options
        self.name: str = options.pop("name") or body.__name__
        self.input: Any = options.pop("input")
        self.network: Any = options.pop("network")
        self.validate_hook: Body | None = None
        self.cleanup_hook: Body | None = None
        self.__doc__ = body.__doc__
        self.__name__ = body.__name__
        self.__module__ = body.__module__
        self.__wrapped__ = body
        self._check()

    def __call__(self, event: Any, context: Context) -> Any:
        return self.body(event, context)

    def validate(self, hook: Hook) -> Hook:
        """Registers the hook that checks and normalises the event before the function runs.

        It takes (event, context), returns the event that the function gets, and raises to refuse.
        """
        self.validate_hook = hook
        return hook

    def cleanup(self, hook: Hook) -> Hook:
        """Registers the hook that runs after the request, whatever became of it."""
        self.cleanup_hook = hook
        return hook

    def describe(self) -> dict[str, Any]:
        """The function as JSON: what the registry stores and the API shows."""
        return {
            "name": self.name,
            "description": inspect.cleandoc(self.body.__doc__ or ""),
            "source_file": inspect.getsourcefile(inspect.unwrap(self.body)) or "",
            "source_line": inspect.unwrap(self.body).__code__.co_firstlineno,
            "module": self.__module__,
            "input_schema": input_schema(self.input),
            "schema_checked_outside": isinstance(self.input, Mapping),
            "has_cleanup": self.cleanup_hook is not None,
            "network": self.network,
            **self.options,
        }

    def _check(self) -> None:
        problem = next((text for wrong, text in self._problems() if wrong), None)
        if problem:
            raise LocalfnError(f"@function on {self.body.__qualname__!r}: {problem}")

    def _problems(self) -> list[tuple[bool, str]]:
        o = self.options
        return [
            (not NAME.fullmatch(self.name), f"name={self.name!r}: use 1 to 64 of A-Z a-z 0-9 _ -"),
            (
                inspect.iscoroutinefunction(self.body),
                "it is an async function: call asyncio.run(…) inside a plain one",
            ),
            (
                not 0 < _number(o["timeout_s"]) <= MAX_TIMEOUT_S,
                f"timeout_s: from 0 to {MAX_TIMEOUT_S:.0f} seconds",
            ),
            (not 1 <= _whole(o["max_attempts"]) <= 100, "max_attempts: a whole number from 1 to 100"),
            (
                not MIN_MEMORY_MB <= _whole(o["memory_mb"]) <= MAX_MEMORY_MB,
                f"memory_mb: a whole number from {MIN_MEMORY_MB} to {MAX_MEMORY_MB}",
            ),
            (not QUEUE.fullmatch(str(o["queue"])), "queue: 1 to 64 of A-Z a-z 0-9 _ . -"),
            (not 0 <= _number(o["retry_delay_s"]) <= MAX_DELAY_S, "retry_delay_s: seconds from 0 to a year"),
            (not 0 <= _number(o["retry_max_delay_s"]) <= MAX_DELAY_S, "retry_max_delay_s: seconds from 0 to a year"),
            (o["on_lost"] not in ON_LOST, "on_lost: 'rerun' or 'fail'"),
            (not isinstance(self.network, bool), "network: True or False"),
            (not _texts(o["environment"]), "environment: a dict of texts, no name empty or with an ="),
            (not _is_input(self.input), "input: a pydantic model or a JSON Schema dict"),
            (not _is_schedule(o["schedule"]), f"schedule: {SCHEDULE_HELP}"),
        ]


@overload
def function(body: Body) -> Function: ...


@overload
def function(
    *,
    name: str | None = ...,
    timeout_s: float = ...,
    max_attempts: int = ...,
    memory_mb: int = ...,
    network: bool = ...,
    queue: str = ...,
    input: Any = ...,
    retry_delay_s: float = ...,
    retry_max_delay_s: float = ...,
    on_lost: str = ...,
    environment: Mapping[str, str] | None = ...,
    schedule: str | Mapping[str, Any] | None = ...,
) -> Callable[[Body], Function]: ...


def function(
    body: Body | None = None,
    *,
    name: str | None = None,
    timeout_s: float = MAX_TIMEOUT_S,
    max_attempts: int = 1,
    memory_mb: int = DEFAULT_MEMORY_MB,
    network: bool = True,
    queue: str = "default",
    input: Any = None,
    retry_delay_s: float = 2.0,
    retry_max_delay_s: float = 300.0,
    on_lost: str = "rerun",
    environment: Mapping[str, str] | None = None,
    schedule: str | Mapping[str, Any] | None = None,
) -> Any:
    """Declares a function; used bare or with options.

    name: shown and called by this name; default is the Python name.
    timeout_s: seconds after which the function and all its children are killed.
    max_attempts: how many of its own failures (exceptions, timeouts, kills) end the request.
    memory_mb: MiB of resident memory, children included, above which it is killed.
    network: False: it runs in a network with nothing in it (Linux; docs/security.md).
    queue: the queue that its requests wait in.
    input: a pydantic model class or a JSON Schema dict that the event must match.
    retry_delay_s, retry_max_delay_s: backoff before the next attempt: first delay and ceiling.
    on_lost: 'rerun' or 'fail' when the worker that ran it was lost.
    environment: variables added to those that the function sees.
    schedule: an expression, or a dict of a schedule's fields: a schedule of the function's name follows it.
    Raises LocalfnError for a value that is out of range.
    """
    options = {
        "name": name,
        "input": input,
        "timeout_s": timeout_s,
        "max_attempts": max_attempts,
        "memory_mb": memory_mb,
        "network": network,
        "queue": queue,
        "retry_delay_s": retry_delay_s,
        "retry_max_delay_s": retry_max_delay_s,
        "on_lost": on_lost,
        "environment": dict(environment or {}),
        "schedule": {"expression": schedule} if isinstance(schedule, str) else schedule,
    }

    def declare(plain: Body) -> Function:
        made = Function(plain, options)
        declared.append(made)
        return made

    return declare if body is None else declare(body)


def input_schema(model: Any) -> dict[str, Any] | None:
    """JSON Schema of an `input=`: the dict itself, or what the pydantic model says of itself."""
    if model is None or isinstance(model, Mapping):
        return None if model is None else dict(model)
    schema: dict[str, Any] = model.model_json_schema()
    return schema


def _is_input(model: Any) -> bool:
    return model is None or isinstance(model, Mapping) or hasattr(model, "model_json_schema")


def _is_schedule(value: Any) -> bool:
    """Whether it has the shape; what its fields say is checked by the runtime, which knows zones and queues."""
    if value is None:
        return True
    if not isinstance(value, Mapping) or not isinstance(value.get("expression"), str):
        return False
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _number(value: float | int | Any) -> float:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if ok else float("nan")


def _whole(value: Any) -> float:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else float("nan")


def _texts(value: Mapping[Any, Any]) -> bool:
    return all(
        isinstance(key, str) and isinstance(text, str) and key and "=" not in key and "\0" not in key + text
        for key, text in value.items()
    )
