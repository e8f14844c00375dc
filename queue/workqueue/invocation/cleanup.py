"""Phase 4, which always runs: the function's cleanup hook, then the working directory. It never changes the outcome."""

import logging

from schema.statuses import Phase
from workqueue import lifecycle
from workqueue.database import error_summary, is_outage, retry_through_outage
from workqueue.errors import SandboxPoolLostError
from workqueue.invocation import sandbox_session
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.phases import attempt_payload
from workqueue.outcomes import AttemptEndedError

log = logging.getLogger(__name__)

MAX_CLEANUP_S = 10.0  # for the hook; short, since other requests wait for the worker
MAX_STORE_S = 5.0  # limit for storing the phase of a cleanup: other requests wait


def clean_up(context: ExecutionContext, attempt: Attempt) -> None:
    """Run the hook and clear the working directory. Errors are stored with the attempt's phase."""
    attempt.interruption = None  # the cleanup has its own deadline
    attempt.begin_phase(Phase.CLEANUP)
    try:
        _run_hook(context, attempt)
        attempt.end_phase("ok")
    except AttemptEndedError as end:
        attempt.end_phase("failed", f"{end.error_type}: {end}")
        log.warning("cleanup failed", extra=attempt.log_fields() | {"error": str(end)})
    except OSError as error:  # the disk is full, or another fault of the machine
        attempt.end_phase("failed", f"{type(error).__name__}: {error}")
        log.warning("cleanup failed", extra=attempt.log_fields() | {"error": str(error)})
    except SandboxPoolLostError as lost:
        attempt.end_phase("failed", str(lost))
    finally:
        sandbox_session.kill_if_dirty(context, attempt)
        context.working_directory.clear(is_like_new=attempt.leaves_directory_clean and attempt.sandbox is not None)
        attempt.is_cleaned_up = True


def store_cleanup(context: ExecutionContext, attempt: Attempt) -> None:
    """Store phase and log lines of a cleanup that ran after the request ended."""
    attempt.record.lines = attempt.log_buffer.take_rest(context.clock.now())

    def amend() -> None:
        lifecycle.record_cleanup(context.engine, attempt.claim, attempt.record)

    try:
        retry_through_outage(amend, context.given_up, MAX_STORE_S)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("cleanup not stored", extra=attempt.log_fields() | {"error": error_summary(error)})


def _run_hook(context: ExecutionContext, attempt: Attempt) -> None:
    function = attempt.claim.function
    if function is None or not function.has_cleanup:
        return
    if attempt.sandbox is None:  # killed: a fresh sandbox runs the hook
        sandbox_session.acquire(context, attempt, function)
    context.working_directory.prepare(is_started=True)
    assert attempt.sandbox is not None
    deadline = context.clock.seconds_from_now(MAX_CLEANUP_S).timestamp()
    head = {"type": "cleanup", "workdir": str(context.working_directory.path), "deadline": deadline}
    head |= {"remaining_s": MAX_CLEANUP_S} | attempt_payload(context, attempt)
    attempt.sandbox.send(head, attempt.cleanup_event or attempt.claim.event.encode())
    answer = sandbox_session.wait_for_answer(context, attempt, MAX_CLEANUP_S, "while cleaning up")
    sandbox_session.record_leftovers(attempt, answer)
    if answer.type != "done":
        raise sandbox_session.failure_from(answer)
