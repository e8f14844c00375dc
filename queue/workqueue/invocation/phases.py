"""The steps of an invocation from the claim to the function's answer, and back to the stock of sandboxes."""

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
from workqueue.database import persist
from workqueue.errors import SandboxHostLostError
from workqueue.files.store import StoredFile
from workqueue.functions import input_check
from workqueue.functions.registry import Registered
from workqueue.invocation import infrastructure_faults, sandbox_session
from workqueue.invocation.attempt import Attempt, Runtime
from workqueue.invocation.batch import Group
from workqueue.lifecycle import Standing
from workqueue.outcomes import AttemptEndedError, CalledBackError, SandboxExitedError
from workqueue.sandboxes.connection import Frame
from workqueue.telemetry import trace_context

log = logging.getLogger(__name__)

WITHIN_S = 24 * 3600.0  # no request takes longer
INPUT_FOLDER = "input"


def validate_and_process(runtime: Runtime, group: Group, attempt: Attempt, function: Registered) -> Frame:
    """Phases 1 and 2: a working directory, a sandbox, the checks, the function. Gives the "done" frame.

    The sandbox gets those of the group that can follow together with it, and runs them one after another.
    """
    attempt.begin(Phase.VALIDATE)
    try:
        answer = None
        while answer is None:
            if not attempt.is_sent:
                _prepare(runtime, attempt, function)
                sandbox_session.borrow(runtime, attempt, function)
                _confirm_lease(runtime, attempt)
                _send(runtime, function, [attempt, *group.followers(attempt)])
            answer = _answer(runtime, group, attempt, function)
        _note(attempt, answer)
        sandbox_session.end_spent(runtime, attempt)
        if answer.type != "done":
            raise sandbox_session.failed(answer)
    except AttemptEndedError as end:
        attempt.end_phase(end.outcome, str(end))
        raise
    attempt.end_phase("ok")
    if attempt.is_sent:
        attempt.retime()
    return answer


def _answer(runtime: Runtime, group: Group, attempt: Attempt, function: Registered) -> Frame | None:
    """None when it was called back before it had begun: it is sent again then."""
    if not _has_checks(attempt) and attempt.phase != Phase.PROCESS:
        attempt.begin(Phase.PROCESS)
    try:
        return sandbox_session.exchange(runtime, attempt, function.timeout_s, memory_mb=function.memory_mb)
    except CalledBackError:
        pass
    except SandboxExitedError:
        if attempt.has_begun or attempt.record.cold_start:
            raise
        # What a request before it had left behind ended the warm sandbox. Another one, or a fresh one, shall run it.
    attempt.is_sent = attempt.is_called_back = False
    group.call_back(attempt.sandbox)
    return None


def release(runtime: Runtime, attempt: Attempt) -> None:
    """Keep the sandbox, which is warm and like a fresh one, for the next request of the function."""
    sandbox, attempt.sandbox = attempt.sandbox, None
    if sandbox is not None:
        with contextlib.suppress(SandboxHostLostError):  # it took all its sandboxes with it
            runtime.sandboxes.keep(sandbox)


def _has_checks(attempt: Attempt) -> bool:
    """Whether the sandbox validates, and tells when it has done so; else the function begins at once."""
    ready = attempt.sandbox.ready if attempt.sandbox else None
    return ready is None or bool(ready.get("has_checks"))


def _confirm_lease(runtime: Runtime, attempt: Attempt) -> None:
    """A worker that was frozen since its claim must not start what another may be running by now.

    Raises LeaseLostError. The usual attempt gets here within milliseconds, and asks nobody.
    """
    if attempt.is_in_doubt or runtime.clock.now() - attempt.claim.claimed_at > timedelta(seconds=runtime.lease_s / 2):
        persist(
            lambda: lifecycle.extend(runtime.engine, attempt.claim, runtime.lease_s, Standing(attempt.phase)),
            runtime.given_up,
        )


def _prepare(runtime: Runtime, attempt: Attempt, function: Registered) -> None:
    try:
        runtime.workplace.prepare()
        for file, path in _input_paths(runtime, attempt).items():
            _place(runtime, file, path)
    except OSError as error:
        raise infrastructure_faults.no_storage(attempt, error) from None
    if function.schema_checked_outside and function.input_schema is not None:
        limit_s = min(function.timeout_s, runtime.lease_s / 2, input_check.LONGEST_S)
        input_check.check(json.loads(attempt.claim.event), function.input_schema, limit_s)


def _place(runtime: Runtime, file: StoredFile, path: Path) -> None:
    try:
        source = runtime.store.open(file.stored_as, file.sha256)
    except FileNotFoundError:
        raise infrastructure_faults.lost_upload(file) from None
    with source, runtime.workplace.acting():
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link or a pipe that somebody has put there is neither followed nor waited for.
        with path.open("xb") as target:
            shutil.copyfileobj(source, target)


def _send(runtime: Runtime, function: Registered, attempts: Sequence[Attempt]) -> None:
    """Gives the sandbox its work, and a turn for each, which the keeper takes back when one lasts."""
    sandbox = attempts[0].sandbox
    assert sandbox is not None
    for place, attempt in enumerate(attempts):
        attempt.place = place
    head = {
        "type": "run",
        "round": sandbox.give_turns(len(attempts)),
        "workdir": str(runtime.workplace.path),
        "now": runtime.clock.now().timestamp(),
        "limit_s": function.timeout_s,
        "valid_s": runtime.lease_s / 2,
        "members": [told(runtime, attempt) for attempt in attempts],
    }
    sandbox.send(head, f"[{','.join(attempt.claim.event for attempt in attempts)}]".encode())
    _doze(runtime.pace.expected_s(attempt.claim for attempt in attempts[1:]))


def _doze(expected_s: float) -> None:
    """To wake for each answer of a group would cost as much as to run it: most of them are read together."""
    if expected_s:
        time.sleep(expected_s)


def told(runtime: Runtime, attempt: Attempt) -> dict[str, object]:
    """What a sandbox has to know of an attempt."""
    claim = attempt.claim
    return {
        "request_id": str(claim.request_id),
        "attempt": claim.attempt,
        "max_attempts": claim.max_attempts,
        "traceparent": trace_context.for_user_code(claim),
        "files": {file.name: str(path) for file, path in _input_paths(runtime, attempt).items()},
    }


def _input_paths(runtime: Runtime, attempt: Attempt) -> dict[StoredFile, Path]:
    """Where each upload is placed: under the name it came with, in a folder named by its part.

    Two parts may hold files of one name, and functions look at the extension.
    """
    folder = runtime.workplace.path / INPUT_FOLDER
    return {file: folder / file.name / file.filename for file in attempt.claim.inputs}


def _note(attempt: Attempt, answer: Frame) -> None:
    """What the sandbox says of itself. Modules that were imported while it ran count, too, when code is compared."""
    attempt.record.max_rss_mb = sandbox_session.number(answer.head.get("max_rss_mb"))
    _note_times(attempt, answer)
    if attempt.sandbox is not None and attempt.sandbox.ready is not None:
        sandbox_session.note_leftovers(attempt, answer)
        attempt.leaves_clean = bool(answer.head.get("is_clean")) and not attempt.sandbox.is_spent
        if "code_files" in answer.head:
            attempt.sandbox.ready["files"] = answer.head["code_files"]


def _note_times(attempt: Attempt, answer: Frame) -> None:
    """User code may have said anything: what cannot be is not believed."""
    with contextlib.suppress(TypeError, ValueError, KeyError, OverflowError):
        began, processing, ended = (float(at) for at in answer.head["at"])
        if time.monotonic() - WITHIN_S < began <= processing <= ended <= time.monotonic():
            attempt.ran = attempt.clock.of(began), attempt.clock.of(processing), attempt.clock.of(ended)
            attempt.own_s = max(0.0, ended - began - float(answer.head["delayed_s"]))
