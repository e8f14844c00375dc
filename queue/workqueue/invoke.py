"""Run requests: the hot path, from the claim of a batch to the end of its last attempt. `invoke` lists the steps.

A batch is one request, or a few short ones of the same queue. invocation/ holds the details of each step.
"""

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

MAX_CLAIM_S = 5.0  # an unclaimed request loses nothing: the reconciler rings again when the database is back


def invoke(context: ExecutionContext, lease_renewer: LeaseRenewer, request_ids: Sequence[UUID]) -> None:
    """Run one attempt at each request, one after another, and finish them together.

    Requests that cannot be claimed are skipped: their bell was rung twice, or too late. After an exception the worker
    must not claim again, since it may still hold attempts that it has started.
    """
    claims = _claim(context, request_ids)
    if not claims:
        return
    batch = Batch(_new_attempt(context, claim) for claim in claims)
    with lease_renewer.renewing(batch), _killing_sandboxes_on_error(context, batch):
        _release_surplus(context, batch, claims)
        while (attempt := batch.next_attempt()) is not None:
            _interrupt_if_given_up(context, attempt)
            _run_attempt(context, batch, attempt)
            _commit_if_due(context, batch)
            _clean_up_after_commit(context, attempt)
            _hand_over_sandbox(context, batch, attempt)
            _release_rest_if_given_up(context, batch)
        handle_rejected(context, batch, retry_until_stored(context))
        context.spool.clear()


def _claim(context: ExecutionContext, request_ids: Sequence[UUID]) -> list[Claim]:
    """Claim the requests; return none if the database stays unavailable.

    A claim whose answer was lost needs no repair: the request did not start, and its next bell resumes the claim.
    """

    def claim() -> list[Claim]:
        return lifecycle.claim(context.engine, request_ids, context.worker, context.clock.now(), context.lease_s)

    try:
        claims = retry_through_outage(claim, context.given_up, MAX_CLAIM_S)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("requests not claimed", extra={"reason": outage_description(error), "error": error_summary(error)})
        return []
    if claims:
        log.debug("requests claimed", extra=completion.claim_log_fields(claims))
    return claims


def _new_attempt(context: ExecutionContext, claim: Claim) -> Attempt:
    return Attempt(claim, context.clock, log_buffer=LogBuffer(partial(context.spool.append, claim)))


def _release_surplus(context: ExecutionContext, batch: Batch, claims: Sequence[Claim]) -> None:
    """Release claims that would wait too long behind the others, so that another worker takes them."""
    keep = context.batch_sizer.runnable_count(claims)
    completion.release_unstarted(context, batch, keep, retry_until_stored(context))


def _interrupt_if_given_up(context: ExecutionContext, attempt: Attempt) -> None:
    """Interrupt the attempt if the grace period of a stop has ended.

    The signal sets the event before it interrupts the running attempt, so no attempt starts uninterrupted after it.
    """
    if context.given_up.is_set():
        attempt.interruption = attempt.interruption or StoppingError()


def _run_attempt(context: ExecutionContext, batch: Batch, attempt: Attempt) -> None:
    """Run the phases up to the commit point; on an error, decide what follows the attempt."""
    context.activity.set_busy()
    try:
        answer = phases.validate_and_process(context, batch, attempt, _require_function(attempt.claim))
        data, files = save_result(context, attempt, answer)
        if not attempt.has_cleanup_hook:  # no user code runs in this cleanup, so it need not wait for the commit
            cleanup.clean_up(context, attempt)
        batch.add_completed(attempt, attempt.make_completion(data, files))
    except LeaseLostError:
        _abandon(context, attempt)
    except Exception as error:
        if is_outage(error):
            raise  # the worker was given up: the lease expires, and the next attempt continues from the stored state
        _handle_error(context, batch, attempt, error)
    else:
        if attempt.cpu_adjusted_s is not None:
            context.batch_sizer.record_duration(attempt.claim.function_name, attempt.cpu_adjusted_s)


def _require_function(claim: Claim) -> FunctionSpec:
    if claim.function is None:
        raise FunctionFailedError(
            f"There is no function named {claim.function_name!r} any more.", error_type="FunctionNotFound"
        )
    return claim.function


def _handle_error(context: ExecutionContext, batch: Batch, attempt: Attempt, error: Exception) -> None:
    if attempt.sandbox is not None and batch.next_prefetched() is not None:
        # The sandbox runs the next member already, and this thread must watch it: the lease renewer writes instead.
        cleanup.clean_up(context, attempt)  # without a hook: an attempt that has one is never prefetched with others
        batch.reject(attempt, error)
        return
    try:
        handle_failure(context, batch, attempt, error, retry_until_stored(context))
    except LeaseLostError:
        _abandon(context, attempt)


def _abandon(context: ExecutionContext, attempt: Attempt) -> None:
    """Kill the sandbox and delete the attempt's files, and write nothing: another attempt may be running."""
    if attempt.sandbox is not None:
        sandbox_session.kill_sandbox(context, attempt)
    context.working_directory.remove()
    remove_if_possible(context.store, attempt.request_id, attempt.claim.part)
    attempt.is_cleaned_up = True
    log.warning("lease lost", extra=attempt.log_fields())


def _commit_if_due(context: ExecutionContext, batch: Batch) -> None:
    """Commit completed members: the commit point.

    While the sandbox runs the next member, the lease renewer commits: this thread must watch the deadline.
    """
    if batch.next_prefetched() is None and batch.is_flush_due():
        completion.finish_completed(context, batch, retry_until_stored(context))
        handle_rejected(context, batch, retry_until_stored(context))


def _clean_up_after_commit(context: ExecutionContext, attempt: Attempt) -> None:
    """Run the cleanup hook, which cannot change the outcome any more, unless the attempt was cleaned up before."""
    if not attempt.is_cleaned_up:
        cleanup.clean_up(context, attempt)
        cleanup.store_cleanup(context, attempt)


def _hand_over_sandbox(context: ExecutionContext, batch: Batch, attempt: Attempt) -> None:
    """Leave the sandbox to the next member if it has been sent there already; else release it to the pool."""
    if attempt.sandbox is None or not attempt.leaves_directory_clean:
        batch.recall_unstarted(attempt.sandbox)  # the sandbox has ended, or it stopped after this attempt
    if batch.next_prefetched() is None:
        phases.release_sandbox(context, attempt)
    attempt.sandbox = None


def _release_rest_if_given_up(context: ExecutionContext, batch: Batch) -> None:
    """Commit completed members and release unstarted ones if the grace period of a stop has ended.

    A member that its sandbox has started is not released: the loop ends it first.
    """
    if not context.given_up.is_set():
        return
    if (prefetched := batch.next_prefetched()) is not None:
        batch.recall_unstarted(prefetched.sandbox)
    if batch.next_prefetched() is None:
        completion.flush_and_release(context, batch, retry_until_stored(context))


@contextlib.contextmanager
def _killing_sandboxes_on_error(context: ExecutionContext, batch: Batch) -> Iterator[None]:
    """Kill every sandbox of the batch after an unexpected error. The leases of its requests then expire."""
    try:
        yield
    except BaseException:
        for attempt in batch.attempts_with_sandboxes():
            with contextlib.suppress(SandboxPoolLostError):
                sandbox_session.kill_sandbox(context, attempt)
        context.working_directory.remove()
        raise
