"""Declare Python functions as localfn functions: the decorator, its options and its hooks."""

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
    """Hold a declared function. A call of it calls the plain Python function, as tests do.

    Example with both hooks::

        @function(timeout_s=60)
        def report(event: dict, context: Context) -> dict: ...

        @report.validate
        def check(event: dict, context: Context) -> dict:
            return {"month": "2026-11", **event}

        @report.cleanup
        def tidy(event: dict, context: Context) -> None: ...
    """

    def __init__(self, body: Body, options: dict[str, Any], problem: str | None = None) -> None:
        """Check the declaration. Raises LocalfnError, with file and line.

        problem: the reason why the options of @function are wrong, if one is known already.
        """
        self.body = body
        self.__name__: str = getattr(body, "__name__", "")
        self.options = options
        self.name: Any = options["name"] if options["name"] is not None else self.__name__
        self._check(problem or self._problem())
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
        """Register the hook that checks and normalises the event before the function runs; return the hook.

        hook: callable(event, context) that returns the event for the function. Any exception that it raises
            rejects the event, and the request fails without a retry.

        Raises LocalfnError for a second hook, and for a hook that cannot be called with (event, context).
        """
        self._check_hook("validate", hook, self.validate_hook)
        self.validate_hook = hook
        return hook

    def cleanup(self, hook: Hook) -> Hook:
        """Register the hook that runs after each attempt, whether it completed or failed; return the hook.

        hook: callable(event, context); its result is ignored.

        Raises LocalfnError for a second hook, and for a hook that cannot be called with (event, context).
        """
        self._check_hook("cleanup", hook, self.cleanup_hook)
        self.cleanup_hook = hook
        return hook

    def describe(self) -> dict[str, Any]:
        """Return the function as JSON for the registry and the API.

        Raises LocalfnError for an unusable `input=`. Call it after the module is imported, so that names resolve.
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
            raise LocalfnError(f"{_where(hook)}@{self.name}.{kind} on {_quoted_name(hook)}: {problem}")

    def _check(self, problem: str | None) -> None:
        if problem:
            raise LocalfnError(f"{self._title()}: {problem}")

    def _title(self) -> str:
        return f"{_where(self.body)}@function on {_quoted_name(self.body)}"


def _where(called: Any) -> str:
    file, line = place(called)
    return f"{file}:{line}: " if file else ""


def _quoted_name(called: Any) -> str:
    return repr(getattr(called, "__qualname__", None) or type(called).__name__)


def _doc(body: Body) -> str | None:
    """Return the docstring of the plain function; the one of a partial or a callable's class describes its class."""
    found = getattr(plain_function(body), "__doc__", None)
    return found if isinstance(found, str) else None


def _module_being_run() -> str | None:
    """Return the name of the module whose top level Python runs now: it declares the function."""
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
    """Declare a function, with or without options.

    name: text, 1 to 64 of A-Z a-z 0-9 _ -; default: the Python name. No two functions share a name.
    timeout_s: seconds, above 0, at most 3,600; then the function and all its child processes are killed.
    max_attempts: whole number, 1 to 100; failures of the function (exception, timeout, kill) that end the request.
    memory_mb: MiB of resident memory, child processes included, from 32; above it the function is killed.
    network: False runs the function without any network (Linux only; docs/explanation/security.md).
    queue: name of the queue in which its requests wait.
    input: pydantic model class or JSON Schema dict that the event must match; checked before the function starts.
    retry_delay_s: seconds before the second attempt; they double with each failure, and vary by 20 %.
    retry_max_delay_s: seconds, the ceiling of that delay.
    on_lost: "rerun" starts the request again if its worker is lost; "fail" fails it: work that must not start twice.
    environment: dict, variables for the function beside the inherited ones.
    schedule: expression such as "rate(5 minutes)", or dict with the fields of a schedule; makes a schedule of the
        function's name.

    Raises LocalfnError, with file and line, for a wrong value, an unknown option, and a function that cannot be
    called with (event, context). Example::

        @function(timeout_s=120, max_attempts=3)
        def greet(event: dict, context: Context) -> dict:
            context.logger.info("attempt %d", context.attempt)
            return {"hello": event["name"]}
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
        declared_function = Function(plain, dict(options), unknown_option)
        declared.append(declared_function)
        return declared_function

    return declare if body is None else declare(body)
