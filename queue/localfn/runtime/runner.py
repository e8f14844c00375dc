"""Run one request inside a sandbox: validate, process, and later cleanup; outcomes are heads of frames."""

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
    """Run the function of this sandbox for one request after another."""

    def __init__(self, function: Function, send: Send, max_result_bytes: int) -> None:
        self.function = function
        self.send = send
        self.max_result_bytes = max_result_bytes
        self.has_model = function.input is not None and not isinstance(function.input, Mapping)
        self.wants_instance = function.wants_instance()
        # Without checks and hooks there is no "phase" frame: the function starts at once.
        self.has_checks = bool(function.input is not None or function.validate_hook or function.cleanup_hook)
        self.peak, self.delay = PeakMemory(), CpuWait()
        self.started_at = self.processing_at = 0.0
        self.owner = os.getpid()
        self.scope = contextvars.copy_context()
        self.event: Any = None
        self.context: Context | None = None

    def invoke(self, head: dict[str, Any], event: Any, text: str) -> Answer:
        """Run phases 1 and 2. Return "done" with the result as JSON, or "failed".

        text: the event as JSON text, as the runtime sent it.
        """
        self.peak.restart()
        self.delay.restart()
        self.started_at = self.processing_at = time.monotonic()
        before_s = time.process_time()
        self.context = context = self._context(head)
        self.event = event  # for cleanup, if validation rejects the event
        os.chdir(context.workdir)
        # A copy: context variables that the request sets do not reach the next one.
        self.scope = contextvars.copy_context()
        answer, result = self.scope.run(self._run_phases, event, text, context)
        answer["at"] = [self.started_at, self.processing_at, ended := time.monotonic()]
        answer["cpu_s"] = time.process_time() - before_s
        answer["delayed_s"] = self.delay.seconds(ended - self.started_at)
        answer["is_clean"] = _is_reusable(head["workdir"])
        return answer, result

    def _run_phases(self, event: Any, text: str, context: Context) -> Answer:
        try:
            self.event = event = self._validate(event, text, context)
        except BaseException as error:
            return self._failed(error, "validate")
        self.processing_at = time.monotonic()
        if self.has_checks:
            head = {"type": "phase", "phase": "process", "request_id": context.request_id}
            self.send(head, self._serialize_for_cleanup())
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
            used = f"the peak was {peak_mb:.0f} MB, memory_mb is {self.function.options['memory_mb']}."
            head["error_message"] = f"{head['error_message'] or 'An allocation failed'}: {used}"
        elif head["error_message"] == NO_THREAD:
            head["error_message"] += self._explain_thread_limit()
        return head, b""

    def _explain_thread_limit(self) -> str:
        memory_mb = self.function.options["memory_mb"]
        fence_mb, stack_mb = confinement.fence_mb(memory_mb), confinement.THREAD_STACK_BYTES // confinement.MIB
        return (
            f". The stacks of threads ({stack_mb} MiB each) count in the {fence_mb} MiB that the sandbox may allocate "
            f"with memory_mb={memory_mb}: use fewer threads, or a larger memory_mb."
        )

    def cleanup(self, head: dict[str, Any], event: Any, text: str) -> Answer:
        """Run phase 4, the cleanup hook. In the sandbox that ran the request it gets the same objects."""
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
                _require_finished(hook, self.scope.run(hook, self.event, context))
        except BaseException as error:
            return self._failed(error, "cleanup")
        finally:
            self.event = self.context = None
        return {"type": "done"}, b""

    def is_over(self, act: Callable[..., Answer]) -> bool:
        """Return True if no code of the request follows; its cleanup hook is part of the request."""
        return act == self.cleanup or self.function.cleanup_hook is None

    def _validate(self, event: Any, text: str, context: Context) -> Any:
        if self.has_model:
            event = read_event(self.function.input, text)
            if not self.wants_instance:
                event = event.model_dump()
        hook = self.function.validate_hook
        if hook is None:
            return event
        checked = _require_finished(hook, hook(event, context))
        if checked is None and event is not None:
            raise HookError(
                f"the validate hook {_hook_name(hook)} returned None: return the event that the function gets"
            )
        return checked

    def _serialize_for_cleanup(self) -> bytes:
        """Return the normalised event as JSON; the worker keeps it for cleanup in another sandbox if this one dies."""
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
                f"the result has {len(result)} bytes, {self.max_result_bytes} are allowed: use save_file()"
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


def _is_reusable(folder: str) -> bool:
    """Return True if the next request may use this working directory: it is empty, and its mode is unchanged."""
    try:
        mode = os.lstat(folder).st_mode
        return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == 0o700 and not os.listdir(folder)
    except OSError:
        return False


def _require_finished(hook: Body, value: Any) -> Any:
    """Return the value of a hook. Raises HookError if the hook's code has not run (a coroutine or generator)."""
    if (problem := unfinished_problem(value)) is not None:
        raise HookError(f"the hook {_hook_name(hook)}: {problem}")
    return value


def _hook_name(hook: Body) -> str:
    return repr(getattr(hook, "__name__", type(hook).__name__))
