"""Check that a function or hook can be called with (event, context), and that its code runs when it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

MAX_LAYERS = 100  # of decorators, partials and methods around one function


def call_problem(called: Any) -> str | None:
    """Return why `called` cannot be a function or hook, as a clause, or None."""
    if inspect.isclass(called) or not callable(called):
        return f"it is {_describe_type(called)}; only functions and other callables can be declared"
    by_kind: dict[Callable[[Any], bool], str] = {
        inspect.iscoroutinefunction: "it is an async function: call asyncio.run(…) inside a plain one",
        inspect.isasyncgenfunction: "it is an async generator function: call asyncio.run(…) inside a plain one",
        inspect.isgeneratorfunction: "it is a generator function, whose body would never run: take `yield` out of it",
    }
    for is_kind, problem in by_kind.items():
        if is_kind(called) or (not inspect.isroutine(called) and is_kind(type(called).__call__)):
            return problem
    return _signature_problem(called)


def _describe_type(called: Any) -> str:
    return "a class" if inspect.isclass(called) else f"a {type(called).__name__}"


def _signature_problem(called: Callable[..., Any]) -> str | None:
    try:
        signature = inspect.signature(called, follow_wrapped=False)
    except (TypeError, ValueError, NameError):  # a builtin without one, or annotations that are evaluated for it
        return None
    try:
        signature.bind("event", "context")
    except TypeError:
        taken = _format_parameters(signature)
        return f"it is called with (event, context), and takes ({taken}){_keyword_advice(signature)}"
    return None


def _format_parameters(signature: inspect.Signature) -> str:
    """Return the parameters as Python writes them, `*` and `/` included, without annotations."""
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(inspect.Signature(plain))[1:-1]


def _keyword_advice(signature: inspect.Signature) -> str:
    parameters = signature.parameters.values()
    needed = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty]
    return f"; {', '.join(needed)} can only be passed by name: take the * out, or give a default" if needed else ""


def unfinished_problem(value: Any) -> str | None:
    """Return why a value returned by user code shows that the code has not run, as a clause; None for other values."""
    if inspect.iscoroutine(value):
        value.close()  # else Python warns in the request's log that it was never awaited
        return "it returned a coroutine, which has not run: call asyncio.run(…) on it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "it returned a generator, which has not run: take `yield` out of it"
    return "it returned an awaitable, which has not run" if inspect.isawaitable(value) else None


def plain_function(called: Any) -> Any:
    """Return the Python function in decorators, partials, methods and callable objects; else the innermost object."""
    for _ in range(MAX_LAYERS):
        if isinstance(called, functools.partial):
            called = called.func
        elif inspect.ismethod(called):
            called = called.__func__
        elif hasattr(called, "__wrapped__"):
            called = called.__wrapped__
        elif inspect.isroutine(called) or not callable(called):
            break
        else:
            called = type(called).__call__
    return called


def place(called: Any) -> tuple[str, int]:
    """Return the file and line of a function's source; ("", 0) without Python source."""
    code = getattr(plain_function(called), "__code__", None)
    return (inspect.getsourcefile(code) or code.co_filename, code.co_firstlineno) if code is not None else ("", 0)
