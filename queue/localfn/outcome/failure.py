"""Describe an exception of user code as the head of a "failed" frame.

User code may raise anything: a BaseException, a group, an exception whose own text, cause or traceback raises again.
Each is described by its class, message and traceback, if these can be read.
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
MAX_FRAMES = 1_000  # innermost frames of one exception: code that raised the recursion limit may have millions
MAX_LISTED = 5  # errors named in one message
MAX_LEAVES = 1_000  # exceptions of a group that are looked at
SDK_FOLDER = os.path.dirname(os.path.dirname(__file__)) + os.sep
RAISE = opcode.opmap["RAISE_VARARGS"]
# Types that the runtime assigns. A user's class of such a name is shown with its module.
RESERVED_ERROR_TYPES = frozenset(
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
    """Report a result that JSON cannot hold."""


class ResultTooLargeError(Exception):
    """Report a result of more than LOCALFN_MAX_RESULT_BYTES."""


class HookError(LocalfnError):
    """Report a misbehaving hook: the event is not at fault."""


ERROR_TYPES: dict[type[BaseException], str] = {
    ResultNotSerializableError: "ResultNotSerializable",
    ResultTooLargeError: "ResultTooLarge",
    HookError: "LocalfnError",
}


def failure(error: BaseException, phase: str) -> dict[str, Any]:
    """Return the head of the "failed" frame for an exception that user code raised in `phase`."""
    if issubclass(type(error), MemoryError):  # isinstance would ask the exception, which may raise
        with contextlib.suppress(BaseException):
            traceback.clear_frames(error.__traceback__)  # frees their variables: the lines below need memory
    kind = _classify(error, phase)
    message = _describe_safely(_message, error)
    if kind == "invalid" and not issubclass(type(error), (ValidationError, ValueError)):
        message = f"{type(error).__name__}: {message}"  # str(KeyError("name")) alone would say 'name'
    return {
        "type": "failed",
        "kind": kind,
        "phase": phase,
        "error_type": "ValidationError" if kind == "invalid" else _describe_safely(_error_type, error),
        "error_message": message[:MAX_MESSAGE],
        "traceback": _shorten(_traceback(error)),
        "delay_s": _longest_delay_s(error) if kind == "retry" else None,
    }


def end_fork(error: BaseException) -> NoReturn:
    """End a process that user code forked as Python ends one, for the user code that waits for its status.

    The status is the one of sys.exit(), or 1 after a traceback.
    """
    code = error.code if isinstance(error, SystemExit) else _traceback(error) or type(error).__name__
    with contextlib.suppress(Exception):  # user code may have closed or replaced the streams
        if not isinstance(code, (int, type(None))):
            sys.stderr.write(f"{code}\n")
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0 if code is None else code & 0xFF if isinstance(code, int) else 1)


def _classify(error: BaseException, phase: str) -> str:
    """Return how the attempt ends: fail, invalid, retry or error. In a group, an end beats another attempt."""
    kinds = [type(leaf) for leaf in _flatten_group(error)]
    if any(issubclass(kind, (Fail, HookError)) for kind in kinds):
        return "fail"
    if issubclass(type(error), ValidationError):
        return "invalid"
    if any(issubclass(kind, ValidationError) for kind in kinds):
        return "fail" if phase != "validate" else "invalid"
    if any(issubclass(kind, Retry) for kind in kinds):
        return "retry"
    # A validate hook rejects the event with any Exception but MemoryError.
    kind = type(error)
    refuses = phase == "validate" and issubclass(kind, Exception) and not issubclass(kind, MemoryError)
    return "invalid" if refuses else "error"


def _flatten_group(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group and of its inner groups; for another exception, yield itself."""
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


def _longest_delay_s(error: BaseException) -> Any:
    delays = [getattr(leaf, "delay_s", None) for leaf in _flatten_group(error) if issubclass(type(leaf), Retry)]
    return max((delay for delay in delays if isinstance(delay, (int, float))), default=None)


def _describe_safely(describe: Callable[[BaseException], str], error: BaseException) -> str:
    """Call `describe`; if the exception's own methods raise, return a text that names the exception."""
    try:
        return describe(error)
    except BaseException as second:
        return f"(the message of this {type(error).__name__} cannot be read: its method raised {type(second).__name__})"


def _error_type(error: BaseException) -> str:
    kind = type(error)
    if issubclass(kind, MemoryError) and not _is_raised_by_statement(error):
        return "OutOfMemory"
    if kind in ERROR_TYPES:
        return ERROR_TYPES[kind]
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__name__ in RESERVED_ERROR_TYPES else kind.__name__


def _is_raised_by_statement(error: BaseException) -> bool:
    """Return True for a `raise` in Python code, False for a failed allocation."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] == RAISE


def _message(error: BaseException) -> str:
    if issubclass(type(error), SystemExit):
        return _exit_message(error.code)  # type: ignore[attr-defined]
    if _is_group(error):
        leaves = [f"{type(leaf).__name__}: {_describe_safely(_message, leaf)}" for leaf in _flatten_group(error)]
        return f"{error}: {_join_errors(leaves)}"
    if type(error).__module__.startswith("pydantic") and callable(getattr(error, "errors", None)):
        return _join_errors([_model_error(found) for found in error.errors()])  # type: ignore[attr-defined]
    return str(error)


def _exit_message(code: object) -> str:
    if code is None or isinstance(code, int):
        called = "" if code is None else code
        return f"sys.exit({called}) was called; return a result, or raise an exception that says why there is none."
    return str(code)


def _model_error(found: dict[str, Any]) -> str:
    """Format one error of a pydantic model as "field.path: message"."""
    field = ".".join(str(part) for part in found["loc"])
    return f"{field}: {found['msg']}" if field else str(found["msg"])


def _join_errors(errors: list[str]) -> str:
    more = f"; and {len(errors) - MAX_LISTED} more" if len(errors) > MAX_LISTED else ""
    return "; ".join(errors[:MAX_LISTED]) + more


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of this package."""
    trace = error.__traceback__
    while trace is not None and _is_sdk_frame(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is None and not issubclass(type(error), SyntaxError):
        return ""  # raised by the SDK: no line of the user's code is in it
    for chain in (True, False):
        with contextlib.suppress(BaseException):  # the exception's text, notes or cause may raise
            lines = traceback.format_exception(type(error), error, trace, limit=-MAX_FRAMES, chain=chain)
            return "".join(lines)
    frames = "".join(traceback.format_tb(trace, limit=-MAX_FRAMES))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}: {_describe_safely(_message, error)}\n"


def _is_sdk_frame(filename: str) -> bool:
    return filename.startswith((SDK_FOLDER, "<frozen importlib")) or os.sep + "importlib" + os.sep in filename


def _shorten(text: str) -> str:
    """Keep the first and the last frames of a traceback that is too long."""
    if len(text) <= MAX_TRACEBACK:
        return text
    head, tail = text[: MAX_TRACEBACK // 4], text[-MAX_TRACEBACK // 2 :]
    return f"{head}\n  … {len(text) - len(head) - len(tail)} characters cut here …\n{tail}"
