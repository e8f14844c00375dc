"""What follows an attempt that ended without a result. The one place where attempts are counted."""

import logging
import random
from dataclasses import replace

from schema.statuses import CANCELLED, Phase, Status
from workqueue import lifecycle
from workqueue.database import error_kind
from workqueue.errors import LeaseLostError, SandboxHostLostError
from workqueue.files.store import forget
from workqueue.functions import retry_policy
from workqueue.invocation import cleanup, completion
from workqueue.invocation.attempt import Attempt, Runtime
from workqueue.invocation.batch import Group
from workqueue.invocation.completion import Way
from workqueue.lifecycle import Claim
from workqueue.outcomes import AttemptEndedError, CancelledError, FunctionFailedError, LostWorkError, StoppingError
from workqueue.telemetry import Settled
from workqueue.transport.rq_status import Ended

log = logging.getLogger(__name__)


def settle(runtime: Runtime, group: Group, attempt: Attempt, error: Exception, way: Way) -> Ended:
    """Gives the request back or fails it, at once. Raises LeaseLostError."""
    end, record = _as_end(attempt, error), attempt.record
    record.outcome, record.error_type, record.error_message = end.outcome, end.error_type, str(end)
    record.traceback = end.traceback
    decision, phase = decide(attempt.claim, end), attempt.ended_in
    follows = isinstance(decision, retry_policy.GiveBack) and end.is_failure
    # First, under the lease, if the next attempt may follow at once, or if nothing of the user's runs in it.
    if (follows or not attempt.has_hook) and not attempt.is_cleaned_up:
        cleanup.clean_up(runtime, attempt)
    if isinstance(decision, retry_policy.GiveBack):
        try:
            return _give_back(runtime, group, attempt, end, decision.delay_s, way)
        except CancelledError as cancelled:  # asked for at the last moment: there is no next attempt
            record.outcome, record.error_type, record.error_message = cancelled.outcome, CANCELLED, str(cancelled)
            return _fail(runtime, group, attempt, cancelled, phase, way)
    return _fail(runtime, group, attempt, end, phase, way)


def settle_refused(runtime: Runtime, group: Group, way: Way) -> None:
    """Those that could not be finished, or not be let go: cancelled at the last moment, lost, or not storable.

    None of them runs, and none has a sandbox or a working directory any more.
    """
    with group.writing:
        while group.refused:
            attempt, error = group.refused[0]
            try:
                if isinstance(error, LeaseLostError):
                    raise error
                completion.tell(runtime, [settle(runtime, group, attempt, error, way)])
            except LeaseLostError:
                forget(runtime.store, attempt.request_id, attempt.claim.part)
                log.warning("lease lost", extra=attempt.log_fields())
            group.refused.pop(0)


def _give_back(
    runtime: Runtime, group: Group, attempt: Attempt, end: AttemptEndedError, delay_s: float, way: Way
) -> Ended:
    group.release(attempt)
    claim, record, now, failures = attempt.claim, attempt.record, runtime.clock.now(), int(end.is_failure)
    record.lines = record.lines + attempt.logbook.close(now)
    way(lambda: lifecycle.give_back(runtime.engine, claim, record, now, delay_s=delay_s, failures=failures))
    runtime.observers.ended([Settled(claim, record, Status.PENDING)], now)
    return Ended(claim, end.outcome, Status.PENDING)


def _fail(runtime: Runtime, group: Group, attempt: Attempt, end: AttemptEndedError, phase: Phase, way: Way) -> Ended:
    group.release(attempt)
    claim, record, now, failures = attempt.claim, attempt.record, runtime.clock.now(), int(end.is_failure)
    record.lines = record.lines + attempt.logbook.close(now)
    way(lambda: lifecycle.fail(runtime.engine, claim, record, phase, now, failures=failures))
    runtime.observers.ended([Settled(claim, record, Status.FAILED)], now)
    return Ended(claim, end.outcome, Status.FAILED, end.traceback or f"{end.error_type}: {end}")


def decide(claim: Claim, end: AttemptEndedError) -> retry_policy.Decision:
    """What follows: the function's policy for its own failures; for ours, another attempt."""
    if not end.may_retry:
        return retry_policy.Fail()
    if not end.is_failure:
        return retry_policy.GiveBack(end.delay_s or 0.0)
    # How often was fixed when the request was accepted; how long between is as the code says now.
    policy = replace(
        claim.function.policy if claim.function else retry_policy.Policy(), max_attempts=claim.max_attempts
    )
    chance = random.random()  # noqa: S311 - jitter
    return retry_policy.after_failure(policy, claim.failures + 1, asked_delay_s=end.delay_s, chance=chance)


def _as_end(attempt: Attempt, error: Exception) -> AttemptEndedError:
    """Whatever went wrong, as an end of the attempt: nothing is left to the lease that can be settled now."""
    if isinstance(error, SandboxHostLostError):
        error = StoppingError()  # without its host a worker has no sandboxes: it gives back, and ends
    if isinstance(error, StoppingError):
        return LostWorkError() if attempt.claim.on_lost == "fail" and attempt.phase != Phase.VALIDATE else error
    if isinstance(error, AttemptEndedError):
        return error
    log.error("an attempt failed inside the runtime", exc_info=error, extra=attempt.log_fields())
    return unforeseen(error)


def unforeseen(error: Exception) -> FunctionFailedError:
    """Return the end of an attempt for an error of the runtime, whose own words stay in the log of the process."""
    return FunctionFailedError(
        f"The runtime failed at this attempt ({error_kind(error)}); the log of its worker says why.",
        error_type="RuntimeFault",
    )
