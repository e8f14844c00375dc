"""How a Python function becomes a localfn function: the decorator, its limits and its hooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from localfn.checks import model
from localfn.checks.calls import call_problem, place, plain_function
from localfn.checks.options import MAX_TIMEOUT_S, option_problem, unknown_problem
from localfn.context import Context
from localfn.errors import LocalfnError

DEFAULT_MEMORY_MB = 512

Body = Callable[[Any, Context], Any]
Hook = TypeVar("Hook", bound=Callable[[Any, Context], Any])

# Every function that was declared in this interpreter, in order; discovery reads it.
declared: list[Function] = []


class Function:
    """A declared function. Calling it calls the plain Python function, so it is easy to test."""

    def __init__(self, body: Body, options: dict[str, Any], problem: str | None = None) -> None:
        """Check the declaration. Raises LocalfnError, with file and line.

        problem: what is wrong with how @function was called, known before it had a body.
        """
        self.body = body
        self.__name__: str = getattr(body, "__name__", "")
        self.options = options
        self.name: Any = options["name"] if options["name"] is not None else self.__name__
        self._refuse(problem or self._problem())
        self.input: Any = options.pop("input")
        self.network: bool = options.pop("network")
        del options["name"]
        self.validate_hook: Body | None = None
        self.cleanup_hook: Body | None = None
        self.__doc__ = _doc(body)
        self.__module__ = getattr(body, "__module__", None) or ""
        self.__wrapped__ = body
        self.declared_in = _module_being_run() or self.__module__

    def __call__(self, event: Any, context: Context) -> Any:
        """Call the plain Python function."""
        return self.body(event, context)

    def validate(self, hook: Hook) -> Hook:
        """Register the hook that checks and normalises the event before the function runs.

        It takes (event, context), returns the event that the function gets, and raises to refuse.
        Raises LocalfnError for a second hook, and for a hook that cannot be called so.
        """
        self._check_hook("validate", hook, self.validate_hook)
        self.validate_hook = hook
        return hook

    def cleanup(self, hook: Hook) -> Hook:
        """Register the hook that runs after the request, whether it completed or failed.

        Raises LocalfnError for a second hook, and for a hook that cannot be called with (event, context).
        """
        self._check_hook("cleanup", hook, self.cleanup_hook)
        self.cleanup_hook = hook
        return hook

    def describe(self) -> dict[str, Any]:
        """Return the function as JSON: what the registry stores and the API shows.

        Raises LocalfnError for an input that cannot be used. The module is imported by then, so names are resolved.
        """
        file, line = place(self.body)
        try:
            schema = model.input_schema(self.input)
            self.wants_instance()
        except LocalfnError as error:
            raise LocalfnError(f"{self._title()}: {error}") from error.__cause__
        return {
            "name": self.name,
            "description": inspect.cleandoc(self.__doc__ or ""),
            "source_file": file,
            "source_line": line,
            "module": self.declared_in,
            "input_schema": schema,
            "schema_checked_outside": isinstance(self.input, Mapping),
            "has_cleanup": self.cleanup_hook is not None,
            "network": self.network,
            **self.options,
        }

    def wants_instance(self) -> bool:
        """Tell whether the function gets an instance of its pydantic model. Raises LocalfnError."""
        if self.input is None or isinstance(self.input, Mapping):
            return False
        return model.wants_instance(self.body, self.input)

    def _problem(self) -> str | None:
        if isinstance(self.body, Function):
            return "it is declared already; take one @function off"
        if problem := call_problem(self.body):
            return problem
        if not self.__name__ and self.options["name"] is None:
            return f"a {type(self.body).__name__} has no name; give it one with name="
        found = option_problem({**self.options, "name": self.name})
        return found or model.input_problem(self.options["input"])

    def _check_hook(self, kind: str, hook: Any, before: Any) -> None:
        problem = call_problem(hook)
        if before is not None:
            file, line = place(before)
            problem = f"it would replace the {kind} hook of {file}:{line}; a function has one: let it call the other"
        if problem:
            raise LocalfnError(f"{_where(hook)}@{self.name}.{kind} on {_shown(hook)}: {problem}")

    def _refuse(self, problem: str | None) -> None:
        if problem:
            raise LocalfnError(f"{self._title()}: {problem}")

    def _title(self) -> str:
        return f"{_where(self.body)}@function on {_shown(self.body)}"


def _where(called: Any) -> str:
    file, line = place(called)
    return f"{file}:{line}: " if file else ""


def _shown(called: Any) -> str:
    return repr(getattr(called, "__qualname__", None) or type(called).__name__)


def _doc(body: Body) -> str | None:
    """Return the docstring. That of a partial, or of a callable object's class, describes another thing."""
    found = getattr(plain_function(body), "__doc__", None)
    return found if isinstance(found, str) else None


def _module_being_run() -> str | None:
    """Return the name of the module that declares: Python runs its top level now."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return frame.f_globals.get("__name__") if frame is not None else None


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
    **unknown: Any,
) -> Any:
    """Declare a function; used bare or with options.

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
    Raises LocalfnError for a wrong value or an option that does not exist, and for a function that cannot be called
    with (event, context).
    """
    options: dict[str, Any] = {
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
        "environment": dict(environment or {}) if isinstance(environment, (Mapping, type(None))) else environment,
        "schedule": {"expression": schedule} if isinstance(schedule, str) else schedule,
    }

    unknown_option = unknown_problem(unknown, options)

    def declare(plain: Body) -> Function:
        made = Function(plain, dict(options), unknown_option)
        declared.append(made)
        return made

    return declare if body is None else declare(body)
