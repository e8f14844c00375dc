"""The commit point of a group, and the way back for those of its members that were not begun.

Done by the worker's thread while no sandbox is at work, and then it waits for an absent database; and by the keeper's,
which does not: `way` is how a write is made.
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
        """Makes a write to the database."""


def retry_until_stored(context: ExecutionContext) -> RetryMode:
    """Waits for an absent database until the worker is given up."""

    def retry_mode(write: Callable[[], Answer]) -> Answer:
        return retry_through_outage(write, context.given_up)

    return retry_mode


def single_attempt(write: Callable[[], Answer]) -> Answer:
    """Raises what the database says."""
    return write()


def finish_completed(context: ExecutionContext, batch: Batch, retry_mode: RetryMode) -> None:
    """Results, files' rows and `completed` of all that are done, in one transaction; then RQ and clients are told.

    A crash after the commit loses nothing but the news: clients look by themselves, and a bell that RQ rings again
    finds nothing to claim. What could not be finished is in `group.refused`.
    """
    with batch.write_lock:
        while done := batch.completed_chunk():
            _finish_chunk(context, batch, done, retry_mode)


def _finish_chunk(
    context: ExecutionContext, batch: Batch, done: Sequence[CompletedAttempt], retry_mode: RetryMode
) -> None:
    now = context.clock.now()
    for attempt, completion in done:
        completion.record.lines += (
            attempt.log_buffer.take_unstored()
        )  # of an extension that failed when it was done already
    completions = [completion for _, completion in done]
    refused = _store_completions(context, completions, now, retry_mode)
    batch.record_stored(done, refused)
    finished = [done for done in completions if done.claim.request_id not in refused]
    report_finished(context, [AttemptFinished(done.claim, done.record, Status.COMPLETED) for done in finished], now)


def _store_completions(
    context: ExecutionContext, completions: Sequence[Completion], now: datetime, retry_mode: RetryMode
) -> dict[UUID, Exception]:
    """Gives those that were refused, and why. What the database does not take of one is no matter of the others."""
    try:
        return retry_mode(lambda: lifecycle.finish(context.engine, completions, now))
    except Exception as error:
        if is_outage(error):
            raise
        if len(completions) == 1:
            return {completions[0].claim.request_id: error}
    refused: dict[UUID, Exception] = {}
    for completion in completions:
        refused |= _store_completions(context, [completion], now, retry_mode)
    return refused


def release_unstarted(context: ExecutionContext, batch: Batch, keep: int, retry_mode: RetryMode) -> None:
    """Waiting members behind the first `keep` go back to the queue, in front, as if they had not been claimed."""
    with batch.write_lock:
        unbegun = batch.detach_unsent(keep)
        if not unbegun:
            return
        claims = [attempt.claim for attempt in unbegun]
        for attempt in unbegun:
            attempt.is_release_uncertain = True  # until it is known whether they went
        try:
            bells = retry_mode(lambda: lifecycle.release_unstarted(context.engine, claims, context.clock.now()))
        except BaseException:
            batch.reattach(unbegun)
            raise
        free = {bell.request_id for bell in bells}
        for attempt in unbegun:
            if attempt.request_id not in free:
                # A cancel came first, or the lease is lost: whoever settles it will see which.
                attempt.is_cleaned_up = True  # it was not begun
                batch.reject(attempt, CancelledError())
    context.doorbell.ring(bells)
    log.info("let go", extra=claim_log_fields(claims))


def flush_and_release(context: ExecutionContext, batch: Batch, retry_mode: RetryMode) -> None:
    """One lasts, or all has to end: those that are done are finished, those that were not begun go back."""
    with batch.write_lock:
        finish_completed(context, batch, retry_mode)
        if (follower := batch.next_prefetched()) is not None:
            batch.recall_unstarted(follower.sandbox)
        release_unstarted(context, batch, 0, retry_mode)


def report_finished(context: ExecutionContext, finished: Sequence[AttemptFinished], now: datetime) -> None:
    """Report attempts whose end is stored: to RQ, waiting clients, the observers and the log.

    A crash from here on leaves at most a working directory, which the housekeeper removes. now: the time that is stored
    as their end.
    """
    if finished:
        context.rq_status.report_finished([_finished_job(attempt) for attempt in finished], now)
        context.observers.ended(finished, now)
        outcome = {"outcome": finished[0].record.outcome, "status": finished[0].status}
        log.info("ended", extra=claim_log_fields([attempt.claim for attempt in finished]) | outcome)


def _finished_job(finished: AttemptFinished) -> FinishedJob:
    record = finished.record
    if finished.status is not Status.FAILED:
        return FinishedJob(finished.claim.job)
    return FinishedJob(finished.claim.job, record.traceback or f"{record.error_type}: {record.error_message}")


def claim_log_fields(claims: Sequence[Claim]) -> dict[str, object]:
    """For a log line: one for all that moved together."""
    moved = [(claim.request_id, claim.attempt, claim.function_name) for claim in claims]
    return log_fields.for_requests(moved) | {"worker": claims[0].worker}
