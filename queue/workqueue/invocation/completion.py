"""Commit the completed members of a batch, and release those that did not start.

Two threads do it. The worker's own does so while no sandbox runs, and retries until the database answers. The lease
renewer's does so while a sandbox runs, and tries once. `retry_mode` selects one of both.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from schema.statuses import Status
from workqueue import lifecycle, log_fields
from workqueue.database import is_outage, retry_through_outage
from workqueue.invocation.batch import Batch, CompletedAttempt
from workqueue.invocation.context import ExecutionContext
from workqueue.lifecycle import Claim, Completion
from workqueue.outcomes import CancelledError
from workqueue.telemetry import AttemptFinished
from workqueue.transport.rq_status import FinishedJob

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class RetryMode(Protocol):
    def __call__(self, write: Callable[[], Answer]) -> Answer:
        """Write to the database, and return the answer."""


def retry_until_stored(context: ExecutionContext) -> RetryMode:
    """Return a mode that retries through an outage, until the grace period of a stop ends."""

    def retry_mode(write: Callable[[], Answer]) -> Answer:
        return retry_through_outage(write, context.given_up)

    return retry_mode


def single_attempt(write: Callable[[], Answer]) -> Answer:
    """Write once, and raise the error of the database."""
    return write()


def finish_completed(context: ExecutionContext, batch: Batch, retry_mode: RetryMode) -> None:
    """Commit results, file rows and `completed` of all completed members in one transaction, then report them.

    If the worker dies after the commit, only the reports are lost: clients poll, too, and a bell that RQ rings again
    finds nothing to claim. Members that could not be finished are in `batch.rejected`.
    """
    with batch.write_lock:
        while members := batch.completed_chunk():
            _finish_chunk(context, batch, members, retry_mode)


def _finish_chunk(
    context: ExecutionContext, batch: Batch, members: Sequence[CompletedAttempt], retry_mode: RetryMode
) -> None:
    now = context.clock.now()
    for attempt, completion in members:
        # An extension that failed after the attempt's end has put lines back.
        completion.record.lines += attempt.log_buffer.take_unstored()
    completions = [completion for _, completion in members]
    rejected = _store_completions(context, completions, now, retry_mode)
    batch.record_stored(members, rejected)
    stored = [completion for completion in completions if completion.claim.request_id not in rejected]
    report_finished(context, [AttemptFinished(c.claim, c.record, Status.COMPLETED) for c in stored], now)


def _store_completions(
    context: ExecutionContext, completions: Sequence[Completion], now: datetime, retry_mode: RetryMode
) -> dict[UUID, Exception]:
    """Store completions, and return those that were rejected, with their errors.

    If PostgreSQL rejects the statement for a value of one completion, each is stored by itself.
    """
    try:
        return retry_mode(lambda: lifecycle.finish(context.engine, completions, now))
    except Exception as error:
        if is_outage(error):
            raise
        if len(completions) == 1:
            return {completions[0].claim.request_id: error}
    rejected: dict[UUID, Exception] = {}
    for completion in completions:
        rejected |= _store_completions(context, [completion], now, retry_mode)
    return rejected


def release_unstarted(context: ExecutionContext, batch: Batch, keep: int, retry_mode: RetryMode) -> None:
    """Release waiting members behind the first `keep` to the front of the queue, as if they had not been claimed."""
    with batch.write_lock:
        unstarted = batch.detach_unsent(keep)
        if not unstarted:
            return
        claims = [attempt.claim for attempt in unstarted]
        for attempt in unstarted:
            attempt.is_release_uncertain = True  # until the database has answered
        try:
            bells = retry_mode(lambda: lifecycle.release_unstarted(context.engine, claims, context.clock.now()))
        except BaseException:
            batch.reattach(unstarted)
            raise
        released = {bell.request_id for bell in bells}
        for attempt in unstarted:
            if attempt.request_id not in released:
                # A cancel came first, or the lease is lost: the write in `handle_rejected` finds out which.
                attempt.is_cleaned_up = True  # it did not start
                batch.reject(attempt, CancelledError())
    context.doorbell.ring(bells)
    log.info("unstarted requests released", extra=claim_log_fields(claims))


def flush_and_release(context: ExecutionContext, batch: Batch, retry_mode: RetryMode) -> None:
    """Commit completed members and release unstarted ones: one member runs long, or the worker has to end."""
    with batch.write_lock:
        finish_completed(context, batch, retry_mode)
        if (prefetched := batch.next_prefetched()) is not None:
            batch.recall_unstarted(prefetched.sandbox)
        release_unstarted(context, batch, 0, retry_mode)


def report_finished(context: ExecutionContext, finished: Sequence[AttemptFinished], now: datetime) -> None:
    """Report attempts whose end is stored: to RQ, waiting clients, the observers and the log.

    A crash from here on leaves at most a working directory, which the housekeeper removes.
    now: the time that is stored as their end.
    """
    if finished:
        context.rq_status.report_finished([_finished_job(attempt) for attempt in finished], now)
        context.observers.on_finished(finished, now)
        outcome = {"outcome": finished[0].record.outcome, "status": finished[0].status}
        log.info("attempt ended", extra=claim_log_fields([attempt.claim for attempt in finished]) | outcome)


def _finished_job(finished: AttemptFinished) -> FinishedJob:
    record = finished.record
    if finished.status is not Status.FAILED:
        return FinishedJob(finished.claim.job)
    return FinishedJob(finished.claim.job, record.traceback or f"{record.error_type}: {record.error_message}")


def claim_log_fields(claims: Sequence[Claim]) -> dict[str, object]:
    """Return the fields of one log line about these claims."""
    named = [(claim.request_id, claim.attempt, claim.function_name) for claim in claims]
    return log_fields.for_requests(named) | {"worker": claims[0].worker}
