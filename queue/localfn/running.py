"""Runs one request inside a sandbox: validate, process, and later cleanup; outcomes become frames' heads."""

from __future__ import annotations

import os
import stat
import time
import traceback
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from localfn.context import Context
from localfn.declaration import Function
from localfn.delay import Delay
from localfn.errors import Fail, Retry, ValidationError
from localfn.peak import Peak
from localfn.results import ResultNotSerializableError, to_json

Answer = tuple[dict[str, Any], bytes]
Send = Callable[..., None]

MAX_MESSAGE = 8_192  # characters kept of an error message
MAX_TRACEBACK = 65_536  # characters kept of a traceback
OUR_FOLDER = os.path.dirname(__file__)


class Run:
    """The function of this sandbox, ready for requests."""

    def __init__(self, function: Function, send: Send, max_result_bytes: int) -> None:
        self.function = function
        self.send = send
        self.max_result_bytes = max_result_bytes
        self.wants_model = _wants_model(function)
        # Without checks of its own the function begins at once, as the runtime knows: a frame less.
        self.has_checks = bool(function.input is not None or function.validate_hook or function.cleanup_hook)
        self.peak, self.delay = Peak(), Delay()
        self.began = self.processing = 0.0
        self.event: Any = None
        self.context: Context | None = None

    def invoke(self, head: dict[str, Any], event: Any) -> Answer:
        """Phases 1 and 2. Gives "done" with the result as JSON, or "failed"."""
        self.peak.restart()
        self.delay.restart()
        self.began = self.processing = time.monotonic()
        self.context = context = self._context(head)
        self.event = event  # what cleanup sees when the event is refused
        os.chdir(context.workdir)
        answer, result = self._through_phases(event, context)
        answer["at"] = [self.began, self.processing, ended := time.monotonic()]
        answer["delayed_s"] = self.delay.s(ended - self.began)
        answer["max_rss_mb"] = self.peak.mb()
        answer["is_clean"] = _is_like_new(head["workdir"])
        return answer, result

    def _through_phases(self, event: Any, context: Context) -> Answer:
        try:
            self.event = event = self._validate(event, context)
        except Exception as error:
            return failure(error, "validate"), b""
        self.processing = time.monotonic()
        if self.has_checks:
            head = {"type": "phase", "phase": "process", "request_id": context.request_id}
            self.send(head, self._for_later_cleanup())
        try:
            result = to_json(self.function.body(event, context))
            self._check_size(result)
        except Exception as error:
            return failure(error, "process"), b""
        return {"type": "done", "files": context.saved}, result

    def cleanup(self, head: dict[str, Any], event: Any) -> Answer:
        """Phase 4, the function's hook. In the sandbox that ran the request it sees the very same objects."""
        hook = self.function.cleanup_hook
        if not (self.context and self.context.request_id == head["request_id"]):
            self.context = self._context(head)
            self.event = self._as_model(event) if self.wants_model else event
        os.chdir(self.context.workdir)
        try:
            if hook:
                hook(self.event, self.context)
        except Exception as error:
            return failure(error, "cleanup"), b""
        finally:
            self.event = self.context = None
        return {"type": "done"}, b""

    def _validate(self, event: Any, context: Context) -> Any:
        if not isinstance(self.function.input, Mapping) and self.function.input is not None:
            event = self._as_model(event)
            if not self.wants_model:
                event = event.model_dump()
        hook = self.function.validate_hook
        return hook(event, context) if hook else event

    def _as_model(self, event: Any) -> Any:
        return self.function.input.model_validate(event)

    def _for_later_cleanup(self) -> bytes:
        """The normalised event, kept by the worker in case this sandbox does not live to clean up."""
        if self.function.cleanup_hook is None:
            return b""
        try:
            return to_json(self.event)
        except ResultNotSerializableError:
            return b""

    def _check_size(self, result: bytes) -> None:
        if len(result) > self.max_result_bytes:
            raise ResultTooLargeError(
                f"the result has {len(result)} bytes, {self.max_result_bytes} are allowed: save_file() takes large data"
            )

    def _context(self, head: dict[str, Any]) -> Context:
        def report(fraction: float | None, message: str | None) -> None:
            progress = {"type": "progress", "fraction": fraction, "message": message}
            self.send({**progress, "request_id": head["request_id"]})

        return Context(
            request_id=head["request_id"],
            function_name=self.function.name,
            workdir=head["workdir"],
            attempt=head["attempt"],
            max_attempts=head["max_attempts"],
            traceparent=head.get("traceparent", ""),
            deadline=datetime.fromtimestamp(head["deadline"], timezone.utc),
            remaining_s=head["remaining_s"],
            files=head["files"],
            report=report,
        )


def _is_like_new(folder: str) -> bool:
    """Whether the next request may have the working directory as this one left it."""
    try:
        found = os.lstat(folder)
        with os.scandir(folder) as entries:
            return stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700 and not any(entries)
    except OSError:
        return False


class ResultTooLargeError(Exception):
    """The function returned more than LOCALFN_MAX_RESULT_BYTES."""


ERROR_TYPES = {ResultNotSerializableError: "ResultNotSerializable", ResultTooLargeError: "ResultTooLarge"}


def failure(error: Exception, phase: str) -> dict[str, Any]:
    """An exception of user code as the head of a "failed" frame."""
    kind = _kind(error, phase)
    message = _message(error)
    if kind == "invalid" and not isinstance(error, (ValidationError, ValueError)):
        message = f"{type(error).__name__}: {message}"  # str(KeyError("name")) alone would say 'name'
    return {
        "type": "failed",
        "kind": kind,
        "phase": phase,
        "error_type": "ValidationError" if kind == "invalid" else _type(error),
        "error_message": message[:MAX_MESSAGE],
        "traceback": _traceback(error)[-MAX_TRACEBACK:],
        "delay_s": getattr(error, "delay_s", None) if kind == "retry" else None,
    }


def _kind(error: Exception, phase: str) -> str:
    if isinstance(error, Retry):
        return "retry"
    if isinstance(error, Fail):
        return "fail"
    # A validate hook "raises to refuse" (contract, section 4): whatever it raises.
    return "invalid" if phase == "validate" or isinstance(error, ValidationError) else "error"


def _type(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "OutOfMemory"
    return ERROR_TYPES.get(type(error)) or type(error).__name__


def _message(error: Exception) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"(its own message could not be made: {type(second).__name__})"


def _traceback(error: Exception) -> str:
    """The traceback as Python prints it, without the frames of this package."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError):
        return ""  # raised by us: there is nothing of the user's in it
    return "".join(traceback.format_exception(type(error), error, trace))


def _is_ours(filename: str) -> bool:
    return os.path.dirname(filename) == OUR_FOLDER or "importlib" in filename


def _wants_model(function: Function) -> bool:
    """Whether the function's first parameter is annotated with its pydantic model."""
    if function.input is None or isinstance(function.input, Mapping):
        return False
    try:
        hints = typing.get_type_hints(function.body)
    except Exception:
        return False  # an annotation that cannot be resolved asks for nothing
    names = function.body.__code__.co_varnames
    return bool(names) and hints.get(names[0]) is function.input
