"""Drive a sandbox through one exchange: acquire it, collect output and progress, wait for the answer, kill it."""

import contextlib
import logging
import math
import signal
import time
from typing import Any

from schema.statuses import Phase
from workqueue.database import sanitize_text
from workqueue.errors import SandboxPoolLostError
from workqueue.functions.registry import FunctionSpec
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.infrastructure_faults import sandbox_unavailable
from workqueue.lifecycle import Progress
from workqueue.outcomes import (
    AttemptEndedError,
    FunctionFailedError,
    InvalidError,
    OutOfMemoryError,
    RecalledError,
    SandboxExitedError,
    TimedOutError,
)
from workqueue.sandboxes.connection import LAST_FRAMES, PROTOCOL_ERROR, Disconnected, Frame, Message, Output
from workqueue.sandboxes.exits.exit_status import sandbox_exit_message
from workqueue.sandboxes.exits.memory_watch import MemoryWatch

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.1  # between checks of interruption and memory; a kill may take a second
EXIT_GRACE_S = 0.5  # for an interpreter to exit after it closed its socket; then it is killed
MAX_START_S = 60.0  # for the interpreter and the imports of user code
MAX_ERROR_TYPE, MAX_MESSAGE = 200, 500  # characters of an error type, of a progress message
# Characters of an error message and a traceback. The SDK sends fewer; user code may send a frame of its own.
MAX_ERROR_MESSAGE, MAX_TRACEBACK = 10_000, 70_000
MAX_DELAY_S = 366 * 24 * 3600.0


def acquire(context: ExecutionContext, attempt: Attempt, function: FunctionSpec) -> None:
    """Acquire a sandbox that has imported the function, warm or by a cold start, unless the attempt has one."""
    if attempt.sandbox is not None:
        return
    started = time.monotonic()
    load: dict[str, Any] = {"type": "load", "root": function.root, "module": function.module}
    load |= {"function": function.name, "network": function.network, "memory_mb": function.memory_mb}
    try:
        attempt.sandbox = sandbox = context.sandboxes.acquire(load, function.environment)
    except OSError as error:
        raise sandbox_unavailable(attempt, str(error)) from None
    attempt.record.cold_start = sandbox.cold_start
    if not sandbox.cold_start:
        return
    answer = wait_for_answer(context, attempt, MAX_START_S, "while importing its module")
    attempt.record.init_ms = round((time.monotonic() - started) * 1000, 1)
    if answer.type != "ready":
        kill_sandbox(context, attempt)
        raise failure_from(answer)
    sandbox.ready = answer.head


def wait_for_answer(
    context: ExecutionContext,
    attempt: Attempt,
    limit_s: float,
    activity: str | None = None,
    *,
    memory_mb: int | None = None,
) -> Frame:
    """Collect output and progress until the sandbox sends its final frame for this attempt, and return that.

    limit_s: seconds after which the sandbox is killed. activity: a clause for error messages, such as "while
    importing"; None for that of the attempt's phase.
    Raises the attempt's interruption, TimedOutError, OutOfMemoryError or SandboxExitedError: the sandbox is then dead.
    Raises RecalledError if the sandbox is alive and will not start the attempt.
    """
    sandbox = attempt.sandbox
    assert sandbox is not None
    began = time.monotonic()
    ends_at, check_at = began + limit_s, began + CHECK_INTERVAL_S
    watch = MemoryWatch(sandbox.pid, memory_mb)
    while True:
        item = _drop_foreign_frames(attempt, sandbox.next_message(min(check_at, ends_at) - time.monotonic()))
        if attempt.is_recalled or (isinstance(item, Frame) and item.type == "declined"):
            raise RecalledError
        if isinstance(item, Frame) and item.type in LAST_FRAMES:
            return item
        if isinstance(item, Disconnected):
            raise _explain_disconnect(context, attempt, item, watch, activity or attempt.activity)
        if item is not None:
            _handle_message(attempt, item)
        if time.monotonic() >= min(check_at, ends_at):
            check_at = time.monotonic() + CHECK_INTERVAL_S
            if (reason := _reason_to_kill(attempt, watch, ends_at, limit_s, activity or attempt.activity)) is not None:
                kill_sandbox(context, attempt)
                raise reason


def _drop_foreign_frames(attempt: Attempt, item: Message | None) -> Message | None:
    """Drop frames about an earlier request, whose threads may still send; its final answer is a protocol error."""
    own = str(attempt.request_id)
    if isinstance(item, Frame) and item.head.get("request_id", own) != own:
        return Disconnected(PROTOCOL_ERROR) if item.type in LAST_FRAMES else None
    return item


def _explain_disconnect(
    context: ExecutionContext, attempt: Attempt, disconnect: Disconnected, watch: MemoryWatch, activity: str
) -> AttemptEndedError:
    """Kill a sandbox that has disconnected, and return the outcome with the cause."""
    sandbox = attempt.sandbox
    assert sandbox is not None
    attempt.has_started = sandbox.start_tokens.has_started(attempt.batch_index)
    ended_itself = disconnect.why != PROTOCOL_ERROR and not sandbox.was_killed and sandbox.has_ended(EXIT_GRACE_S)
    memory_ran_out = ended_itself and watch.was_killed_for_memory()
    status = kill_sandbox(context, attempt)
    if not ended_itself:
        did = "It wrote into" if disconnect.why == PROTOCOL_ERROR else "It closed"
        message = f"{did} the runtime's socket {activity}, and was killed."
    elif status == -signal.SIGKILL and memory_ran_out:
        return OutOfMemoryError(
            f"The kernel's out-of-memory killer ended it {activity}: the machine or its container ran out of memory."
            + watch.last_measurement()
        )
    else:
        message = sandbox_exit_message(status, activity) + (
            watch.last_measurement() if status == -signal.SIGKILL else ""
        )
    return SandboxExitedError(message) if sandbox.has_started else sandbox_unavailable(attempt, message)


def _reason_to_kill(
    attempt: Attempt, watch: MemoryWatch, ends_at: float, limit_s: float, activity: str
) -> BaseException | None:
    if attempt.interruption is not None:
        return attempt.interruption
    if time.monotonic() >= ends_at:
        return TimedOutError(f"It was killed after {limit_s:g} s {activity}.")
    if (resident_mb := watch.measure_excess()) is not None:
        return OutOfMemoryError(f"It was killed at {resident_mb:.0f} MB of memory; {watch.limit_mb} MB are allowed.")
    return None


def kill_sandbox(context: ExecutionContext, attempt: Attempt) -> int:
    """Kill the attempt's sandbox with all its descendants; keep its output. Return its exit status."""
    sandbox, attempt.sandbox = attempt.sandbox, None
    assert sandbox is not None
    try:
        status = context.sandboxes.end(sandbox)
        for item in sandbox.drain():
            _handle_message(attempt, item)
    finally:
        sandbox.close()
    log.info("sandbox ended", extra=attempt.log_fields() | {"exit_status": status})
    return status


def record_leftovers(attempt: Attempt, answer: Frame) -> None:
    """Record what the request left in its sandbox, also in its log: the next request then has a cold start."""
    assert attempt.sandbox is not None
    attempt.sandbox.has_leftovers = bool(answer.head.get("has_children"))
    attempt.leftovers = sanitize_text(str(answer.head.get("leftovers") or ""))[:MAX_MESSAGE]
    if attempt.leftovers:
        message = f"The sandbox is not used again, because the request left or changed: {attempt.leftovers}."
        attempt.log_buffer.add_own_line(message, attempt.clock.now())


def kill_if_dirty(context: ExecutionContext, attempt: Attempt) -> None:
    """Kill a sandbox in which the request left something, before the working directory is cleared."""
    if attempt.sandbox is None or not attempt.leftovers:
        return
    log.info("sandbox not used again", extra=attempt.log_fields() | {"leftovers": attempt.leftovers})
    with contextlib.suppress(SandboxPoolLostError):  # the pool's sandboxes ended with it
        kill_sandbox(context, attempt)


def failure_from(answer: Frame) -> AttemptEndedError:
    """Return the outcome that a "failed" or "refused" frame describes."""
    head = answer.head
    kind = InvalidError if head.get("kind") == "invalid" else FunctionFailedError
    error_type = sanitize_text(str(head.get("error_type")))[:MAX_ERROR_TYPE]
    outcome = kind(
        sanitize_text(str(head.get("error_message")))[:MAX_ERROR_MESSAGE] or error_type,
        error_type=error_type,
        traceback=sanitize_text(str(head.get("traceback") or ""))[:MAX_TRACEBACK] or None,
    )
    delay_s = finite_number(head.get("delay_s"))
    outcome.delay_s = None if delay_s is None else min(max(0.0, delay_s), MAX_DELAY_S)
    outcome.may_retry = outcome.may_retry and head.get("kind") != "fail"
    return outcome


def _handle_message(attempt: Attempt, item: Message) -> None:
    """Record output, start, phase or progress."""
    if isinstance(item, Output):
        attempt.log_buffer.feed(item.stream, item.data, attempt.clock.now())
    elif isinstance(item, Frame) and item.type == "started" and attempt.sandbox:
        attempt.sandbox.has_started = True
    elif isinstance(item, Frame) and item.type == "phase" and attempt.phase == Phase.VALIDATE:  # sent once
        attempt.cleanup_event = item.body
        attempt.begin_phase(Phase.PROCESS)
    elif isinstance(item, Frame) and item.type == "progress":
        attempt.progress = _merge_progress(attempt.progress, item.head)


def _merge_progress(before: Progress, head: dict[str, Any]) -> Progress:
    """Return the progress with the valid values of a frame; user code can send any value."""
    fraction, message = finite_number(head.get("fraction")), head.get("message")
    return (
        before[0] if fraction is None else min(1.0, max(0.0, fraction)),
        sanitize_text(message)[:MAX_MESSAGE] if isinstance(message, str) else before[1],
    )


def finite_number(value: object) -> float | None:
    """Return a number that user code has sent, None for others: JSON in Python has NaN, and integers beyond floats."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
