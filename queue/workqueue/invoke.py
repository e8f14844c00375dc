"""The hot path: one request, from the claim to its end. Read `invoke` from top to bottom."""

import logging
import random
import shutil
from dataclasses import dataclass, replace
from uuid import UUID

from schema.statuses import Outcome, Phase, Status
from workqueue import driving, lifecycle, phases, retry
from workqueue.attempt import Attempt, Runtime
from workqueue.errors import LeaseLostError, SandboxHostLostError
from workqueue.interruptions import AttemptEndedError, CancelledError, FunctionFailedError, LostWorkError, StoppingError
from workqueue.keeper import Keeper
from workqueue.lifecycle import Claim
from workqueue.persist import is_outage, persist
from workqueue.registry import Registered
from workqueue.storable import storable

log = logging.getLogger(__name__)

MAX_WORDS = 1000  # characters of an unforeseen error's message
CLAIM_LIMIT_S = 5.0  # without a claim nothing is lost: the bell is rung again when the database is back


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended. status: where it left the request; error: what RQ is to show, if it failed."""

    outcome: Outcome
    status: Status
    error: str | None = None


def invoke(runtime: Runtime, keeper: Keeper, request_id: UUID) -> Ended | None:
    """Runs one attempt at a request; None when there was nothing to claim (rung twice, or too late)."""
    claim = persist(lambda: _claim(runtime, request_id), runtime.given_up, CLAIM_LIMIT_S)
    if claim is None:
        return None
    attempt = Attempt(claim, runtime.clock, runtime.work_folder / claim.directory)
    log.info("claimed", extra=attempt.log_fields())
    with keeper.holding(attempt):
        try:
            ended = _run(runtime, keeper, attempt)
        except LeaseLostError:
            return _abandon(runtime, attempt)
    # From here on the request is settled: a crash leaves a working directory, which is swept, and an RQ job
    # that is rung again and finds nothing to claim.
    runtime.doorbell.announce(request_id)
    if not attempt.is_cleaned_up:
        phases.cleanup(runtime, attempt)
        phases.note_cleanup(runtime, attempt)
    phases.release(runtime, attempt)
    log.info("ended", extra=attempt.log_fields() | {"outcome": ended.outcome, "status": ended.status})
    return ended


def _run(runtime: Runtime, keeper: Keeper, attempt: Attempt) -> Ended:
    """The phases up to the commit point, and what follows when they do not get there. Raises LeaseLostError."""
    try:
        answer = phases.validate_and_process(runtime, attempt, _known(attempt.claim))
        data, files = phases.save(runtime, attempt, answer)
        keeper.release()
        phases.finish(runtime, attempt, data, files)
        return Ended(Outcome.COMPLETED, Status.COMPLETED)
    except LeaseLostError:
        raise
    except Exception as error:
        if is_outage(error):
            raise  # given up: the lease lapses, and the next attempt goes on from the stored state
        return settle(runtime, keeper, attempt, _as_end(keeper, attempt, error))


def settle(runtime: Runtime, keeper: Keeper, attempt: Attempt, end: AttemptEndedError) -> Ended:
    """After any end without a result: give back or fail. The one place where attempts are counted."""
    record = attempt.record
    record.outcome, record.error_type, record.error_message = end.outcome, end.error_type, str(end)
    record.traceback = end.traceback
    decision = decide(attempt.claim, end)
    if isinstance(decision, retry.GiveBack):
        if end.is_failure:
            phases.cleanup(runtime, attempt)  # first, under the lease: the next attempt may follow at once
            attempt.is_cleaned_up = True
        return _give_back(runtime, keeper, attempt, end, decision.delay_s)
    return _fail(runtime, keeper, attempt, end)


def _give_back(runtime: Runtime, keeper: Keeper, attempt: Attempt, end: AttemptEndedError, delay_s: float) -> Ended:
    keeper.release()
    claim, record, now, failures = attempt.claim, attempt.record, runtime.clock.now(), int(end.is_failure)
    record.lines = attempt.logbook.close(now)
    try:
        persist(
            lambda: lifecycle.give_back(runtime.engine, claim, record, now, delay_s=delay_s, failures=failures),
            runtime.given_up,
        )
    except CancelledError as cancelled:  # asked for at the last moment: there is no next attempt
        record.outcome, record.error_type, record.error_message = cancelled.outcome, "Cancelled", str(cancelled)
        return _fail(runtime, keeper, attempt, cancelled)
    return Ended(end.outcome, Status.PENDING)


def _fail(runtime: Runtime, keeper: Keeper, attempt: Attempt, end: AttemptEndedError) -> Ended:
    keeper.release()
    claim, record, now, failures = attempt.claim, attempt.record, runtime.clock.now(), int(end.is_failure)
    record.lines = record.lines + attempt.logbook.close(now)
    persist(
        lambda: lifecycle.fail(runtime.engine, claim, record, attempt.phase, now, failures=failures),
        runtime.given_up,
    )
    return Ended(end.outcome, Status.FAILED, end.traceback or f"{end.error_type}: {end}")


def decide(claim: Claim, end: AttemptEndedError) -> retry.Decision:
    """What follows: the function's policy for its own failures; for ours, another attempt."""
    if not end.may_retry:
        return retry.Fail()
    if not end.is_failure:
        return retry.GiveBack(end.delay_s or 0.0)
    # How often was fixed when the request was accepted; how long between is as the code says now.
    policy = replace(claim.function.policy if claim.function else retry.Policy(), max_attempts=claim.max_attempts)
    chance = random.random()  # noqa: S311 - jitter
    return retry.after_failure(policy, claim.failures + 1, asked_delay_s=end.delay_s, chance=chance)


def _claim(runtime: Runtime, request_id: UUID) -> Claim | None:
    return lifecycle.claim(runtime.engine, request_id, runtime.worker, runtime.clock.now(), runtime.lease_s)


def _known(claim: Claim) -> Registered:
    if claim.function is None:
        raise FunctionFailedError(
            f"There is no function named {claim.function_name!r} any more.", error_type="FunctionNotFound"
        )
    return claim.function


def _as_end(keeper: Keeper, attempt: Attempt, error: Exception) -> AttemptEndedError:
    """Whatever went wrong, as an end of the attempt: nothing is left to the lease that can be settled now."""
    if isinstance(error, SandboxHostLostError):
        keeper.host_is_lost = True  # without its host a worker has no sandboxes: it gives back, and ends
        error = StoppingError()
    if isinstance(error, StoppingError):
        return LostWorkError() if attempt.claim.on_lost == "fail" and attempt.phase != Phase.VALIDATE else error
    if isinstance(error, AttemptEndedError):
        return error
    log.error("an attempt failed inside the runtime", exc_info=error, extra=attempt.log_fields())
    words = storable(f"{type(error).__name__}: {error}")
    return FunctionFailedError(f"localfn itself failed at this: {words[:MAX_WORDS]}", error_type="RuntimeFault")


def _abandon(runtime: Runtime, attempt: Attempt) -> Ended:
    """The lease is lost: another attempt may be running. Kill what is ours, change nothing."""
    if attempt.sandbox is not None:
        driving.dispose(runtime, attempt)
    shutil.rmtree(attempt.workdir, ignore_errors=True)
    runtime.store.remove(attempt.request_id, attempt.claim.part)
    log.warning("lease lost", extra=attempt.log_fields())
    return Ended(Outcome.LOST, Status.PROCESSING)
