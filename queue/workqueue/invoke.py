"""The hot path: from the claim to the end of one request, or of a few short ones. Read from top to bottom."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

from workqueue import lifecycle
from workqueue.database import error_summary, is_outage, outage_description, retry_through_outage
from workqueue.errors import LeaseLostError, SandboxPoolLostError
from workqueue.files.store import remove_if_possible
from workqueue.functions.registry import FunctionSpec
from workqueue.invocation import cleanup, completion, phases, sandbox_session
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.batch import Batch
from workqueue.invocation.completion import retry_until_stored
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.failure import handle_failure, handle_rejected
from workqueue.invocation.lease_renewer import LeaseRenewer
from workqueue.invocation.results import save_result
from workqueue.lifecycle import Claim
from workqueue.logs.buffer import LogBuffer
from workqueue.outcomes import FunctionFailedError, StoppingError

log = logging.getLogger(__name__)

CLAIM_LIMIT_S = 5.0  # without a claim nothing is lost: the bell is rung again when the database is back


def invoke(context: ExecutionContext, lease_renewer: LeaseRenewer, request_ids: Sequence[UUID]) -> None:
    """Runs one attempt at each request, one after another, and finishes them together.

    Does nothing about those that cannot be claimed: their bell was rung twice, or too late. After any exception
    this worker must not claim again: it may hold what it has begun.
    """
    claims = _claim(context, request_ids)
    if not claims:
        return
    batch = Batch(_attempt(context, claim) for claim in claims)
    with lease_renewer.renewing(batch), _ending_what_is_left(context, batch):
        completion.release_unstarted(
            context, batch, context.batch_sizer.runnable_count(claims), retry_until_stored(context)
        )
        while (attempt := batch.next_attempt()) is not None:
            if context.given_up.is_set():  # it was set before whoever ran then was interrupted: none slips through
                attempt.interruption = attempt.interruption or StoppingError()
            _run(context, batch, attempt)
            _finish_due(context, batch)
            _hand_on(context, batch, attempt)
            if context.given_up.is_set():  # the grace of a stop is over
                _let_all_go(context, batch)
        handle_rejected(context, batch, retry_until_stored(context))
        context.spool.clear()


def _attempt(context: ExecutionContext, claim: Claim) -> Attempt:
    return Attempt(claim, context.clock, log_buffer=LogBuffer(partial(context.spool.append, claim)))


def _run(context: ExecutionContext, batch: Batch, attempt: Attempt) -> None:
    """The phases up to the commit point, and what follows when they do not get there."""
    context.activity.set_busy()
    try:
        answer = phases.validate_and_process(context, batch, attempt, _known(attempt.claim))
        data, files = save_result(context, attempt, answer)
        if not attempt.has_cleanup_hook:  # nothing of the user's runs in it, so it need not wait for the commit
            cleanup.clean_up(context, attempt)
        batch.add_completed(attempt, attempt.make_completion(data, files))
    except LeaseLostError:
        _abandon(context, attempt)
    except Exception as error:
        if is_outage(error):
            raise  # given up: the lease lapses, and the next attempt goes on from the stored state
        _settle(context, batch, attempt, error)
    else:
        if attempt.cpu_adjusted_s is not None:
            context.batch_sizer.record_duration(attempt.claim.function_name, attempt.cpu_adjusted_s)


def _finish_due(context: ExecutionContext, batch: Batch) -> None:
    """The commit point. While the sandbox is at the next one already, it is the keeper's: a deadline does not wait."""
    if batch.next_prefetched() is None and batch.is_flush_due():
        completion.finish_completed(context, batch, retry_until_stored(context))
        handle_rejected(context, batch, retry_until_stored(context))


def _let_all_go(context: ExecutionContext, batch: Batch) -> None:
    """What a sandbox has begun already is ended first, in its turn."""
    if (follower := batch.next_prefetched()) is not None:
        batch.recall_unstarted(follower.sandbox)
    if batch.next_prefetched() is None:
        completion.flush_and_release(context, batch, retry_until_stored(context))


def _hand_on(context: ExecutionContext, batch: Batch, attempt: Attempt) -> None:
    """After the commit cleanup cannot change the outcome. Then the sandbox is free for the next."""
    if not attempt.is_cleaned_up:
        cleanup.clean_up(context, attempt)
        cleanup.store_cleanup(context, attempt)
    if attempt.sandbox is None or not attempt.leaves_directory_clean:
        batch.recall_unstarted(attempt.sandbox)  # it is gone, or stopped where it was
    if batch.next_prefetched() is None:
        phases.release_sandbox(context, attempt)
    attempt.sandbox = None  # it is the follower's now


def _settle(context: ExecutionContext, batch: Batch, attempt: Attempt, error: Exception) -> None:
    if attempt.sandbox is not None and batch.next_prefetched() is not None:  # it runs, and must be watched
        cleanup.clean_up(context, attempt)  # no hook has a follower
        batch.reject(attempt, error)
        return
    try:
        handle_failure(context, batch, attempt, error, retry_until_stored(context))
    except LeaseLostError:
        _abandon(context, attempt)


@contextlib.contextmanager
def _ending_what_is_left(context: ExecutionContext, batch: Batch) -> Iterator[None]:
    """An error that nobody foresaw leaves its requests to their leases, but no sandbox that works at one of them."""
    try:
        yield
    except BaseException:
        for attempt in batch.attempts_with_sandboxes():
            with contextlib.suppress(SandboxPoolLostError):
                sandbox_session.kill_sandbox(context, attempt)
        context.working_directory.remove()
        raise


def _claim(context: ExecutionContext, request_ids: Sequence[UUID]) -> list[Claim]:
    """None while the database is away: if one was claimed all the same, it was not begun, and a bell resumes it."""

    def claim() -> list[Claim]:
        return lifecycle.claim(context.engine, request_ids, context.worker, context.clock.now(), context.lease_s)

    try:
        claims = retry_through_outage(claim, context.given_up, CLAIM_LIMIT_S)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("%s; nothing is claimed", outage_description(error), extra={"error": error_summary(error)})
        return []
    if claims:
        log.debug("claimed", extra=completion.claim_log_fields(claims))
    return claims


def _known(claim: Claim) -> FunctionSpec:
    if claim.function is None:
        raise FunctionFailedError(
            f"There is no function named {claim.function_name!r} any more.", error_type="FunctionNotFound"
        )
    return claim.function


def _abandon(context: ExecutionContext, attempt: Attempt) -> None:
    """The lease is lost: another attempt may be running. Kill what is ours, change nothing."""
    if attempt.sandbox is not None:
        sandbox_session.kill_sandbox(context, attempt)
    context.working_directory.remove()
    remove_if_possible(context.store, attempt.request_id, attempt.claim.part)
    attempt.is_cleaned_up = True
    log.warning("lease lost", extra=attempt.log_fields())
