"""Run phases 1 and 2 of an attempt: prepare the working directory, acquire a sandbox, send, wait for the answer."""

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from schema.statuses import Phase
from workqueue import lifecycle
from workqueue.database import retry_through_outage
from workqueue.errors import SandboxPoolLostError
from workqueue.files.store import StoredFile
from workqueue.functions import input_validation
from workqueue.functions.registry import FunctionSpec
from workqueue.invocation import infrastructure_faults, sandbox_session
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.batch import Batch
from workqueue.invocation.context import ExecutionContext
from workqueue.lifecycle import AttemptProgress
from workqueue.outcomes import AttemptEndedError, RecalledError, SandboxExitedError
from workqueue.sandboxes.connection import Frame
from workqueue.telemetry import trace_context

log = logging.getLogger(__name__)

MAX_ATTEMPT_S = 24 * 3600.0  # times that a sandbox reports are at most so old
INPUT_FOLDER = "input"


def validate_and_process(context: ExecutionContext, batch: Batch, attempt: Attempt, function: FunctionSpec) -> Frame:
    """Run phases 1 and 2: working directory, sandbox, validation, function. Return the sandbox's "done" frame.

    The sandbox gets the members that can follow together with the attempt, and runs them one after another.
    """
    attempt.begin_phase(Phase.VALIDATE)
    try:
        answer = None
        while answer is None:
            if not attempt.is_sent:
                _prepare(context, attempt, function)
                sandbox_session.acquire(context, attempt, function)
                _confirm_lease(context, attempt)
                _send(context, function, [attempt, *batch.prefetch_with(attempt)])
            answer = _await_answer(context, batch, attempt, function)
        _record_usage(attempt, answer)
        sandbox_session.kill_if_dirty(context, attempt)
        if answer.type != "done":
            raise sandbox_session.failure_from(answer)
    except AttemptEndedError as end:
        attempt.end_phase(end.outcome, str(end))
        raise
    attempt.end_phase("ok")
    if attempt.is_sent:
        attempt.apply_sandbox_times()
    return answer


def _await_answer(context: ExecutionContext, batch: Batch, attempt: Attempt, function: FunctionSpec) -> Frame | None:
    """Wait for the answer; return None if the attempt did not start in this sandbox and has to be sent again."""
    if not _reports_validation(attempt) and attempt.phase != Phase.PROCESS:
        attempt.begin_phase(Phase.PROCESS)
    try:
        return sandbox_session.wait_for_answer(context, attempt, function.timeout_s, memory_mb=function.memory_mb)
    except RecalledError:
        pass
    except SandboxExitedError:
        if attempt.has_started or attempt.record.cold_start:
            raise
        # What an earlier request left behind ended the warm sandbox: run this one in another, which costs no attempt.
    attempt.is_sent = attempt.is_recalled = False
    batch.recall_unstarted(attempt.sandbox)
    return None


def release_sandbox(context: ExecutionContext, attempt: Attempt) -> None:
    """Keep the sandbox, warm and as clean as a fresh one, for the next request of the function."""
    sandbox, attempt.sandbox = attempt.sandbox, None
    if sandbox is not None:
        with contextlib.suppress(SandboxPoolLostError):  # the pool's sandboxes ended with it
            context.sandboxes.retain(sandbox)


def _reports_validation(attempt: Attempt) -> bool:
    """Return whether the sandbox validates first and reports it; else the function starts at once."""
    ready = attempt.sandbox.ready if attempt.sandbox else None
    return ready is None or bool(ready.get("has_checks"))


def _confirm_lease(context: ExecutionContext, attempt: Attempt) -> None:
    """Extend the lease if it may have expired since the claim. Raises LeaseLostError.

    A worker that was frozen since its claim must not start a request that another worker may be running. The usual
    attempt gets here within milliseconds, and makes no query.
    """
    claim_age = context.clock.now() - attempt.claim.claimed_at
    if attempt.is_release_uncertain or claim_age > timedelta(seconds=context.lease_s / 2):
        retry_through_outage(
            lambda: lifecycle.extend(context.engine, attempt.claim, context.lease_s, AttemptProgress(attempt.phase)),
            context.given_up,
        )


def _prepare(context: ExecutionContext, attempt: Attempt, function: FunctionSpec) -> None:
    try:
        context.working_directory.prepare()
        for file, path in _input_paths(context, attempt).items():
            _write_input(context, file, path)
    except OSError as error:
        raise infrastructure_faults.storage_unavailable(attempt, error) from None
    if function.schema_checked_outside and function.input_schema is not None:
        limit_s = min(function.timeout_s, context.lease_s / 2, input_validation.MAX_CHECK_S)
        input_validation.check(json.loads(attempt.claim.event), function.input_schema, limit_s)


def _write_input(context: ExecutionContext, file: StoredFile, path: Path) -> None:
    try:
        source = context.store.open(file.stored_as, file.sha256)
    except FileNotFoundError:
        raise infrastructure_faults.upload_missing(file) from None
    with source, context.working_directory.as_sandbox_user():
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x": user code may have put a link or a pipe there, which must not be followed or waited for.
        with path.open("xb") as target:
            shutil.copyfileobj(source, target)


def _send(context: ExecutionContext, function: FunctionSpec, attempts: Sequence[Attempt]) -> None:
    """Send attempts to their sandbox, with a start token for each; the lease renewer revokes it if one runs long."""
    sandbox = attempts[0].sandbox
    assert sandbox is not None
    for index, attempt in enumerate(attempts):
        attempt.batch_index = index
    head = {
        "type": "run",
        "round": sandbox.grant_starts(len(attempts)),
        "workdir": str(context.working_directory.path),
        "now": context.clock.now().timestamp(),
        "limit_s": function.timeout_s,
        "valid_s": context.lease_s / 2,
        "members": [attempt_payload(context, attempt) for attempt in attempts],
    }
    sandbox.send(head, f"[{','.join(attempt.claim.event for attempt in attempts)}]".encode())
    _sleep_for_batch(context.batch_sizer.expected_s(attempt.claim for attempt in attempts[1:]))


def _sleep_for_batch(expected_s: float) -> None:
    """Sleep until most answers of the batch are there: to wake for each would cost as much as to run it."""
    if expected_s:
        time.sleep(expected_s)


def attempt_payload(context: ExecutionContext, attempt: Attempt) -> dict[str, object]:
    """Return the fields that describe an attempt to a sandbox."""
    claim = attempt.claim
    return {
        "request_id": str(claim.request_id),
        "attempt": claim.attempt,
        "max_attempts": claim.max_attempts,
        "traceparent": trace_context.traceparent_for_user_code(claim),
        "files": {file.name: str(path) for file, path in _input_paths(context, attempt).items()},
    }


def _input_paths(context: ExecutionContext, attempt: Attempt) -> dict[StoredFile, Path]:
    """Return the path of each upload: its file name, in a folder named by its form part.

    Two parts may have files of the same name, and functions look at the extension.
    """
    folder = context.working_directory.path / INPUT_FOLDER
    return {file: folder / file.name / file.filename for file in attempt.claim.inputs}


def _record_usage(attempt: Attempt, answer: Frame) -> None:
    """Record what the sandbox reports of itself: memory, times, leftovers, and the code files that it has imported."""
    attempt.record.max_rss_mb = sandbox_session.finite_number(answer.head.get("max_rss_mb"))
    _record_times(attempt, answer)
    if attempt.sandbox is not None and attempt.sandbox.ready is not None:
        sandbox_session.record_leftovers(attempt, answer)
        attempt.leaves_directory_clean = bool(answer.head.get("is_clean")) and not attempt.sandbox.has_leftovers
        if "code_files" in answer.head:
            attempt.sandbox.ready["files"] = answer.head["code_files"]


def _record_times(attempt: Attempt, answer: Frame) -> None:
    """Record times that are possible; ignore others, since user code can send any value."""
    with contextlib.suppress(TypeError, ValueError, KeyError, OverflowError):
        began, processing, ended = (float(at) for at in answer.head["at"])
        if time.monotonic() - MAX_ATTEMPT_S < began <= processing <= ended <= time.monotonic():
            attempt.timestamps = (
                attempt.clock.at_monotonic(began),
                attempt.clock.at_monotonic(processing),
                attempt.clock.at_monotonic(ended),
            )
            attempt.cpu_adjusted_s = max(0.0, ended - began - float(answer.head["delayed_s"]))
