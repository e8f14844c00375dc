"""Describes an exception of user code as the head of a "failed" frame.

User code may raise anything: exceptions that are no `Exception`, groups, and exceptions whose own text, cause or
traceback raises again. Each gets its class, its message and its traceback, or as much of them as can be had.
"""

from __future__ import annotations

import contextlib
import opcode
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from localfn.errors import Fail, LocalfnError, Retry, ValidationError

MAX_MESSAGE = 8_192  # characters kept of an error message
MAX_TRACEBACK = 65_536  # characters kept of a traceback
MAX_FRAMES = 1_000  # of one exception, the innermost: code that raised the recursion limit may have millions
MAX_LISTED = 5  # errors named in one message
MAX_LEAVES = 1_000  # exceptions of a group that are looked at
OUR_FOLDER = os.path.dirname(os.path.dirname(__file__)) + os.sep
RAISE = opcode.opmap["RAISE_VARARGS"]
# The runtime gives these types itself. A class of the user's with such a name is shown with its module.
OF_THE_RUNTIME = frozenset(
    [
        "Cancelled",
        "FunctionNotFound",
        "InputFileMissing",
        "NoSandbox",
        "NoStorage",
        "OutOfMemory",
        "OutputFileMissing",
        "OutputTooLarge",
        "ResultNotSerializable",
        "ResultTooLarge",
        "RuntimeFault",
        "SandboxExited",
        "SchemaError",
        "Stopping",
        "TimedOut",
        "ValidationTooLong",
        "WorkerLost",
    ]
)


class ResultNotSerializableError(Exception):
    """The function returned a value that JSON cannot hold."""


class ResultTooLargeError(Exception):
    """The function returned more than LOCALFN_MAX_RESULT_BYTES."""


class HookError(LocalfnError):
    """A hook did what no hook may do; the event is not at fault."""


ERROR_TYPES: dict[type[BaseException], str] = {
    ResultNotSerializableError: "ResultNotSerializable",
    ResultTooLargeError: "ResultTooLarge",
    HookError: "LocalfnError",
}


def failure(error: BaseException, phase: str) -> dict[str, Any]:
    """Return the head of the "failed" frame for an exception that user code raised in `phase`."""
    if issubclass(type(error), MemoryError):  # isinstance would ask the exception, which may raise
        with contextlib.suppress(BaseException):
            traceback.clear_frames(error.__traceback__)  # their variables hold the memory that the words below need
    kind = _kind(error, phase)
    message = _attempted(_message, error)
    if kind == "invalid" and not issubclass(type(error), (ValidationError, ValueError)):
        message = f"{type(error).__name__}: {message}"  # str(KeyError("name")) alone would say 'name'
    return {
        "type": "failed",
        "kind": kind,
        "phase": phase,
        "error_type": "ValidationError" if kind == "invalid" else _attempted(_type, error),
        "error_message": message[:MAX_MESSAGE],
        "traceback": _cut(_traceback(error)),
        "delay_s": _delay_s(error) if kind == "retry" else None,
    }


def end_fork(error: BaseException) -> NoReturn:
    """End a process that user code forked as Python does: by the status of sys.exit(), or with a traceback and 1.

    Its parent is user code, and waits for that status.
    """
    code = error.code if isinstance(error, SystemExit) else _traceback(error) or type(error).__name__
    with contextlib.suppress(Exception):  # user code may have closed or replaced the streams
        if not isinstance(code, (int, type(None))):
            sys.stderr.write(f"{code}\n")
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0 if code is None else code & 0xFF if isinstance(code, int) else 1)


def _kind(error: BaseException, phase: str) -> str:
    """Return what the exception asks for. A group asks for what its exceptions ask for; no attempt beats another."""
    kinds = [type(leaf) for leaf in _leaves(error)]
    if any(issubclass(kind, (Fail, HookError)) for kind in kinds):
        return "fail"
    if issubclass(type(error), ValidationError):
        return "invalid"
    if any(issubclass(kind, ValidationError) for kind in kinds):
        return "fail" if phase != "validate" else "invalid"
    if any(issubclass(kind, Retry) for kind in kinds):
        return "retry"
    # A validate hook "raises to refuse": any Exception but MemoryError.
    kind = type(error)
    refuses = phase == "validate" and issubclass(kind, Exception) and not issubclass(kind, MemoryError)
    return "invalid" if refuses else "error"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group, of its groups too; the exception itself if it is no group."""
    waiting, seen = [error], 0
    while waiting and seen < MAX_LEAVES:
        seen += 1
        found = waiting.pop(0)
        if _is_group(found):
            waiting[:0] = [each for each in found.exceptions if isinstance(each, BaseException)]  # type: ignore[attr-defined]
        else:
            yield found


def _is_group(error: BaseException) -> bool:
    # By name: before Python 3.11 groups come from the package `exceptiongroup`.
    return any(kind.__name__ == "BaseExceptionGroup" for kind in type(error).__mro__)


def _delay_s(error: BaseException) -> Any:
    delays = [getattr(leaf, "delay_s", None) for leaf in _leaves(error) if issubclass(type(leaf), Retry)]
    return max((delay for delay in delays if isinstance(delay, (int, float))), default=None)


def _attempted(describe: Callable[[BaseException], str], error: BaseException) -> str:
    """Call `describe`. The exception's own methods may raise: then say so."""
    try:
        return describe(error)
    except BaseException as second:
        return f"(the message of this {type(error).__name__} could not be made: {type(second).__name__})"


def _type(error: BaseException) -> str:
    kind = type(error)
    if issubclass(kind, MemoryError) and not _is_raised_by_statement(error):
        return "OutOfMemory"
    if kind in ERROR_TYPES:
        return ERROR_TYPES[kind]
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__name__ in OF_THE_RUNTIME else kind.__name__


def _is_raised_by_statement(error: BaseException) -> bool:
    """Tell a `raise` in Python code from an allocation that failed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] == RAISE


def _message(error: BaseException) -> str:
    if issubclass(type(error), SystemExit):
        return _exit_message(error.code)  # type: ignore[attr-defined]
    if _is_group(error):
        return (
            f"{error}: {_listed([f'{type(leaf).__name__}: {_attempted(_message, leaf)}' for leaf in _leaves(error)])}"
        )
    if type(error).__module__.startswith("pydantic") and callable(getattr(error, "errors", None)):
        return _listed([_model_error(found) for found in error.errors()])  # type: ignore[attr-defined]
    return str(error)


def _exit_message(code: object) -> str:
    if code is None or isinstance(code, int):
        called = "" if code is None else code
        return f"sys.exit({called}) was called; return a result, or raise an exception that says why there is none."
    return str(code)


def _model_error(found: dict[str, Any]) -> str:
    """Return one error of a pydantic model, with the path of its field in front."""
    field = ".".join(str(part) for part in found["loc"])
    return f"{field}: {found['msg']}" if field else str(found["msg"])


def _listed(errors: list[str]) -> str:
    more = f"; and {len(errors) - MAX_LISTED} more" if len(errors) > MAX_LISTED else ""
    return "; ".join(errors[:MAX_LISTED]) + more


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of this package."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is None and not issubclass(type(error), SyntaxError):
        return ""  # the SDK raised it: it holds no line of the user's
    for chain in (True, False):
        with contextlib.suppress(BaseException):  # the exception's text, notes or cause may raise
            lines = traceback.format_exception(type(error), error, trace, limit=-MAX_FRAMES, chain=chain)
            return "".join(lines)
    frames = "".join(traceback.format_tb(trace, limit=-MAX_FRAMES))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}: {_attempted(_message, error)}\n"


def _is_ours(filename: str) -> bool:
    return filename.startswith((OUR_FOLDER, "<frozen importlib")) or os.sep + "importlib" + os.sep in filename


def _cut(text: str) -> str:
    """Keep both ends of a text that is too long: the first frames and the last."""
    if len(text) <= MAX_TRACEBACK:
        return text
    head, tail = text[: MAX_TRACEBACK // 4], text[-MAX_TRACEBACK // 2 :]
    return f"{head}\n  … {len(text) - len(head) - len(tail)} characters cut here …\n{tail}"
