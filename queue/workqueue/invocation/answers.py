"""Read the frames of a sandbox: progress, usage, results, failures. User code can send any value in any of them."""

import contextlib
import json
import math
import time
from datetime import datetime
from typing import Any

from schema.statuses import Phase
from workqueue import event_json
from workqueue.database import sanitize_text
from workqueue.errors import BadEventError
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.sandbox import Sandbox
from workqueue.lifecycle import Progress
from workqueue.outcomes import AttemptEndedError, FunctionFailedError, InvalidError
from workqueue.sandboxes.connection import Frame

MAX_ATTEMPT_S = 24 * 3600.0  # times that a sandbox reports are at most so old
MAX_ERROR_TYPE, MAX_MESSAGE = 200, 500  # characters of an error type, of a progress message
# Characters of an error message and a traceback. The SDK sends fewer; user code may send a frame of its own.
MAX_ERROR_MESSAGE, MAX_TRACEBACK = 10_000, 70_000
MAX_DELAY_S = 366 * 24 * 3600.0
MAX_DEPTH = 500  # levels of nesting that every JSON reader can follow; the limit of the SDK (localfn.outcome.result)

Durations = tuple[float, float]  # seconds that a request took, and seconds of processor time


def record_event(attempt: Attempt, frame: Frame) -> None:
    """Record a phase or progress."""
    if frame.type == "phase" and attempt.phase == Phase.VALIDATE:  # sent once
        attempt.cleanup_event = frame.body
        attempt.phases.begin(Phase.PROCESS)
    elif frame.type == "progress":
        attempt.progress = _merge_progress(attempt.progress, frame.head)


def record_answer(sandbox: Sandbox, attempt: Attempt, frame: Frame, now: datetime) -> Durations | None:
    """Record the sandbox's report at the end of a request: memory, times, leftovers, imported files.

    Return how long the request took in a warm sandbox, without the time that it waited for a processor; None if that is
    unknown.
    """
    attempt.record.max_rss_mb = finite_number(frame.head.get("max_rss_mb"))
    durations = _record_times(attempt, frame)
    record_leftovers(attempt, frame, now)
    if sandbox.ready is not None and "code_files" in frame.head:
        sandbox.ready["files"] = frame.head["code_files"]
    has_left = bool(frame.head.get("has_children")) or bool(attempt.leftovers)
    sandbox.leaves_directory_clean = bool(frame.head.get("is_clean")) and not has_left
    sandbox.is_fresh = False
    sandbox.halts += not sandbox.leaves_directory_clean
    return None if attempt.record.cold_start else durations


def record_leftovers(attempt: Attempt, frame: Frame, now: datetime) -> None:
    """Record what the request left in its sandbox, also in its log: the next request then has a cold start."""
    attempt.leftovers = sanitize_text(str(frame.head.get("leftovers") or ""))[:MAX_MESSAGE]
    if attempt.leftovers:
        message = f"The sandbox is not used again, because the request left or changed: {attempt.leftovers}."
        attempt.log_buffer.add_own_line(message, now)


def failure_from(frame: Frame) -> AttemptEndedError:
    """Return the outcome that a "failed" or "refused" frame describes."""
    head = frame.head
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


def validate_result(result: bytes) -> str:
    """Return the result as text if it is valid JSON. User code can bypass the checks of the SDK.

    Raises FunctionFailedError.
    """
    try:
        text = result.decode()
        event_json.check_depth(result, MAX_DEPTH)
        event_json.check_characters(text)
        json.loads(text, parse_constant=event_json.reject_constant, parse_float=event_json.parse_finite)
    except (ValueError, RecursionError, BadEventError) as error:
        raise FunctionFailedError(f"The result is not JSON: {error}", error_type="ResultNotSerializable") from None
    return text


def finite_number(value: object) -> float | None:
    """Return a number that user code has sent, None for others: JSON in Python has NaN, and integers beyond floats."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _merge_progress(before: Progress, head: dict[str, Any]) -> Progress:
    """Return the progress with the valid values of a frame."""
    fraction, message = finite_number(head.get("fraction")), head.get("message")
    return (
        before[0] if fraction is None else min(1.0, max(0.0, fraction)),
        sanitize_text(message)[:MAX_MESSAGE] if isinstance(message, str) else before[1],
    )


def _record_times(attempt: Attempt, frame: Frame) -> Durations | None:
    """Take over times that are possible."""
    with contextlib.suppress(TypeError, ValueError, KeyError, OverflowError):
        began, processing, ended = (float(at) for at in frame.head["at"])
        now = time.monotonic()
        if now - MAX_ATTEMPT_S < began <= processing <= ended <= now:
            is_warm = not attempt.record.cold_start
            attempt.phases.set_measured(began if is_warm else None, processing, ended)
            passed_s = ended - began
            delayed_s, cpu_s = (finite_number(frame.head[name]) or 0.0 for name in ("delayed_s", "cpu_s"))
            return passed_s - min(max(0.0, delayed_s), passed_s), min(max(0.0, cpu_s), passed_s)
    return None
