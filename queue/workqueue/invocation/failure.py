"""Decide and store what follows an attempt that ended without a result: another attempt, or failure.

This is the only place that counts attempts against the function's limit.
"""

import logging
import random
from dataclasses import replace

from schema.statuses import CANCELLED, Phase, Status
from workqueue import lifecycle
from workqueue.database import error_kind
from workqueue.errors import LeaseLostError, SandboxPoolLostError
from workqueue.files.store import remove_if_possible
from workqueue.functions import retry_policy
from workqueue.invocation import cleanup, completion
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.batch import Batch
from workqueue.invocation.completion import RetryMode
from workqueue.invocation.context import ExecutionContext
from workqueue.lifecycle import Claim
from workqueue.outcomes import AttemptEndedError, CancelledError, FunctionFailedError, LostWorkError, StoppingError
from workqueue.telemetry import AttemptFinished

log = logging.getLogger(__name__)


def handle_failure(
    context: ExecutionContext, batch: Batch, attempt: Attempt, error: Exception, retry_mode: RetryMode
) -> None:
    """Give the request back or fail it, and report that. Raises LeaseLostError."""
    end, record = _outcome_of(attempt, error), attempt.record
    record.outcome, record.error_type, record.error_message = end.outcome, end.error_type, str(end)
    record.traceback = end.traceback
    decision, phase = decide_next(attempt.claim, end), attempt.last_phase
    follows = isinstance(decision, retry_policy.GiveBack) and end.is_failure
    # Clean up first, under the lease, if the next attempt may follow at once, or if no user code runs in the cleanup.
    if (follows or not attempt.has_cleanup_hook) and not attempt.is_cleaned_up:
        cleanup.clean_up(context, attempt)
    if isinstance(decision, retry_policy.GiveBack):
        try:
            _give_back(context, batch, attempt, end, decision.delay_s, retry_mode)
            return
        except CancelledError as cancelled:  # requested at the last moment: no attempt follows
            record.outcome, record.error_type, record.error_message = cancelled.outcome, CANCELLED, str(cancelled)
            end = cancelled
    _fail(context, batch, attempt, end, phase, retry_mode)


def handle_rejected(context: ExecutionContext, batch: Batch, retry_mode: RetryMode) -> None:
    """End the members that could not be finished or released: cancelled at the last moment, lost, or not storable.

    None of them runs, and none has a sandbox or a working directory any more.
    """
    with batch.write_lock:
        while batch.rejected:
            attempt, error = batch.rejected[0]
            try:
                if isinstance(error, LeaseLostError):
                    raise error
                handle_failure(context, batch, attempt, error, retry_mode)
            except LeaseLostError:
                remove_if_possible(context.store, attempt.request_id, attempt.claim.part)
                log.warning("lease lost", extra=attempt.log_fields())
            batch.rejected.pop(0)


def _give_back(
    context: ExecutionContext,
    batch: Batch,
    attempt: Attempt,
    end: AttemptEndedError,
    delay_s: float,
    retry_mode: RetryMode,
) -> None:
    batch.stop_renewing(attempt)
    claim, record, now, failures = attempt.claim, attempt.record, context.clock.now(), int(end.is_failure)
    record.lines = record.lines + attempt.log_buffer.take_rest(now)
    retry_mode(lambda: lifecycle.give_back(context.engine, claim, record, now, delay_s=delay_s, failures=failures))
    completion.report_finished(context, [AttemptFinished(claim, record, Status.PENDING)], now)


def _fail(
    context: ExecutionContext,
    batch: Batch,
    attempt: Attempt,
    end: AttemptEndedError,
    phase: Phase,
    retry_mode: RetryMode,
) -> None:
    batch.stop_renewing(attempt)
    claim, record, now, failures = attempt.claim, attempt.record, context.clock.now(), int(end.is_failure)
    record.lines = record.lines + attempt.log_buffer.take_rest(now)
    retry_mode(lambda: lifecycle.fail(context.engine, claim, record, phase, now, failures=failures))
    completion.report_finished(context, [AttemptFinished(claim, record, Status.FAILED)], now)


def decide_next(claim: Claim, end: AttemptEndedError) -> retry_policy.Decision:
    """Return what follows: by the function's policy for its own failures; another attempt for those of the runtime."""
    if not end.may_retry:
        return retry_policy.Fail()
    if not end.is_failure:
        return retry_policy.GiveBack(end.delay_s or 0.0)
    # The number of attempts was fixed when the request was accepted; the delays are those of the current code.
    policy = replace(
        claim.function.policy if claim.function else retry_policy.Policy(), max_attempts=claim.max_attempts
    )
    chance = random.random()  # noqa: S311 - jitter
    return retry_policy.after_failure(policy, claim.failures + 1, asked_delay_s=end.delay_s, chance=chance)


def _outcome_of(attempt: Attempt, error: Exception) -> AttemptEndedError:
    """Return the outcome for any error, so that the request ends now rather than when its lease expires."""
    if isinstance(error, SandboxPoolLostError):
        error = StoppingError()  # without its pool a worker has no sandboxes: it gives the request back, and ends
    if isinstance(error, StoppingError):
        return LostWorkError() if attempt.claim.on_lost == "fail" and attempt.phase != Phase.VALIDATE else error
    if isinstance(error, AttemptEndedError):
        return error
    log.error("runtime failed", exc_info=error, extra=attempt.log_fields())
    return runtime_fault(error)


def runtime_fault(error: Exception) -> FunctionFailedError:
    """Return the outcome for an error of the runtime. Its message stays in the process log: it may hold secrets."""
    return FunctionFailedError(
        f"The runtime failed at this attempt ({error_kind(error)}); see the log of its worker.",
        error_type="RuntimeFault",
    )
