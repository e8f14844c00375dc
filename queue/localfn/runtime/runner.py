"""Runs one request inside a sandbox: validate, process, and later cleanup; outcomes become frames' heads."""

from __future__ import annotations

import contextvars
import os
import stat
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from localfn.checks.calls import unfinished_problem
from localfn.checks.model import read_event
from localfn.context import Context
from localfn.declaration import Body, Function
from localfn.outcome.failure import HookError, ResultTooLargeError, end_fork, failure
from localfn.outcome.result import to_json
from localfn.runtime import confinement
from localfn.runtime.cpu_wait import CpuWait
from localfn.runtime.memory_usage import PeakMemory

Answer = tuple[dict[str, Any], bytes]
Send = Callable[..., None]

NO_THREAD = "can't start new thread"  # the message of Python's RuntimeError


class FunctionRunner:
    """The function of this sandbox, ready for requests."""

    def __init__(self, function: Function, send: Send, max_result_bytes: int) -> None:
        self.function = function
        self.send = send
        self.max_result_bytes = max_result_bytes
        self.has_model = function.input is not None and not isinstance(function.input, Mapping)
        self.wants_instance = function.wants_instance()
        # Without checks of its own the function begins at once, as the runtime knows: a frame less.
        self.has_checks = bool(function.input is not None or function.validate_hook or function.cleanup_hook)
        self.peak, self.delay = PeakMemory(), CpuWait()
        self.began = self.processing = 0.0
        self.owner = os.getpid()
        self.scope = contextvars.copy_context()
        self.event: Any = None
        self.context: Context | None = None

    def invoke(self, head: dict[str, Any], event: Any, text: str) -> Answer:
        """Run phases 1 and 2. Return "done" with the result as JSON, or "failed".

        text: the event as it stands in the JSON that the runtime sent.
        """
        self.peak.restart()
        self.delay.restart()
        self.began = self.processing = time.monotonic()
        self.context = context = self._context(head)
        self.event = event  # what cleanup sees when the event is refused
        os.chdir(context.workdir)
        # Context variables that the request sets end with it.
        self.scope = contextvars.copy_context()
        answer, result = self.scope.run(self._through_phases, event, text, context)
        answer["at"] = [self.began, self.processing, ended := time.monotonic()]
        answer["delayed_s"] = self.delay.seconds(ended - self.began)
        answer["is_clean"] = _is_like_new(head["workdir"])
        return answer, result

    def _through_phases(self, event: Any, text: str, context: Context) -> Answer:
        try:
            self.event = event = self._validate(event, text, context)
        except BaseException as error:
            return self._failed(error, "validate")
        self.processing = time.monotonic()
        if self.has_checks:
            head = {"type": "phase", "phase": "process", "request_id": context.request_id}
            self.send(head, self._for_later_cleanup())
        try:
            result = to_json(self.function.body(event, context))
            self._check_size(result)
        except BaseException as error:
            return self._failed(error, "process")
        return {"type": "done", "files": context.saved}, result

    def _failed(self, error: BaseException, phase: str) -> Answer:
        if os.getpid() != self.owner:
            end_fork(error)
        head = failure(error, phase)
        if head["error_type"] == "OutOfMemory":
            peak_mb = self.peak.mb(self.peak.read())
            used = f"{peak_mb:.0f} MB were in use at most, memory_mb is {self.function.options['memory_mb']}."
            head["error_message"] = f"{head['error_message'] or 'An allocation failed'}: {used}"
        elif head["error_message"] == NO_THREAD:
            head["error_message"] += self._why_no_thread()
        return head, b""

    def _why_no_thread(self) -> str:
        memory_mb = self.function.options["memory_mb"]
        fence_mb, stack_mb = confinement.fence_mb(memory_mb), confinement.THREAD_STACK_BYTES // confinement.MIB
        return (
            f". The stacks of threads ({stack_mb} MiB each) count in the {fence_mb} MiB that the sandbox may allocate "
            f"with memory_mb={memory_mb}: use fewer threads, or a larger memory_mb."
        )

    def cleanup(self, head: dict[str, Any], event: Any, text: str) -> Answer:
        """Run phase 4, the function's hook. In the sandbox that ran the request it sees the very same objects."""
        hook = self.function.cleanup_hook
        is_same = self.context is not None and self.context.request_id == head["request_id"]
        context = self.context if is_same and self.context is not None else self._context(head)
        if not is_same:
            self.scope = contextvars.copy_context()
        os.chdir(context.workdir)
        try:
            if not is_same:
                self.event = read_event(self.function.input, text) if self.wants_instance else event
            if hook:
                _finished(hook, self.scope.run(hook, self.event, context))
        except BaseException as error:
            return self._failed(error, "cleanup")
        finally:
            self.event = self.context = None
        return {"type": "done"}, b""

    def is_over(self, act: Callable[..., Answer]) -> bool:
        """Tell whether no code of the request follows: its cleanup hook is part of it."""
        return act == self.cleanup or self.function.cleanup_hook is None

    def _validate(self, event: Any, text: str, context: Context) -> Any:
        if self.has_model:
            event = read_event(self.function.input, text)
            if not self.wants_instance:
                event = event.model_dump()
        hook = self.function.validate_hook
        if hook is None:
            return event
        checked = _finished(hook, hook(event, context))
        if checked is None and event is not None:
            raise HookError(f"the validate hook {_named(hook)} returned None: return the event that the function gets")
        return checked

    def _for_later_cleanup(self) -> bytes:
        """The normalised event, kept by the worker in case this sandbox does not live to clean up."""
        if self.function.cleanup_hook is None:
            return b""
        try:
            dump = getattr(self.event, "model_dump", None)
            text = to_json(self.event if dump is None else dump(mode="json", by_alias=True))
        except Exception:
            return b""
        return text if len(text) <= self.max_result_bytes else b""

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
        mode = os.lstat(folder).st_mode
        return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == 0o700 and not os.listdir(folder)
    except OSError:
        return False


def _finished(hook: Body, value: Any) -> Any:
    """Return the value of a hook. Raises HookError for a hook whose code has not run."""
    if (problem := unfinished_problem(value)) is not None:
        raise HookError(f"the hook {_named(hook)}: {problem}")
    return value


def _named(hook: Body) -> str:
    return repr(getattr(hook, "__name__", type(hook).__name__))
