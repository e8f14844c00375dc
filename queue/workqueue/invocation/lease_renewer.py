"""Renew the lease of the running attempt, in a thread: the loop that drives a sandbox must never wait for the database.

Each extension also stores phases, progress and log lines so far, and returns whether a cancel was requested. If a
member runs long, this thread commits the completed members of its batch and releases the unstarted ones.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from workqueue import lifecycle
from workqueue.database import error_summary
from workqueue.errors import LeaseLostError
from workqueue.heartbeats import worker_heartbeats
from workqueue.invocation import completion
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.batch import Batch
from workqueue.invocation.batch_sizing import SLOW_AFTER_S
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.failure import handle_rejected
from workqueue.lifecycle import AttemptProgress, AttemptRecord, LogLine
from workqueue.outcomes import CancelledError
from workqueue.telemetry import metric_store

log = logging.getLogger(__name__)

FIRST_EXTENSION_S = 0.25  # short requests end before, without an extension
EXTEND_EVERY_S = 0.9  # a cancel takes effect within 2 s, and a lease is at least twice as long
RQ_HEARTBEAT_S = 10.0  # for rq-dashboard
STAY_AWAKE_S = 0.5  # after a request: under load, no request has to wake the thread


class LeaseRenewer:
    """Serve one batch after another. heartbeat: sends RQ's heartbeat of the worker."""

    def __init__(self, context: ExecutionContext, heartbeat: Callable[[], None]) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._batch: Batch | None = None
        self._last_attempt: Attempt | None = None
        self._extend_at = self._heartbeat_at = self._awake_until = 0.0
        self._beat_at = time.monotonic() + worker_heartbeats.INTERVAL_S  # the start has sent the first one
        self._is_reported = False
        self._stored: AttemptRecord | None = None  # the attempt's record as of the last extension
        self._stored_partial: Sequence[LogLine] = ()  # its partial lines as of the last extension
        self._wakeup = threading.Event()
        self._sleeps = True  # it waits for longer than SLOW_AFTER_S, so a batch has to wake it
        self._thread = threading.Thread(target=self._run, name="lease-renewer", daemon=True)
        self._thread.start()

    @contextmanager
    def renewing(self, batch: Batch) -> Iterator[None]:
        """Renew the lease of the running member until the block ends."""
        self._batch = batch
        if self._sleeps:
            self._wakeup.set()
        try:
            yield
        finally:
            with batch.write_lock:  # no iteration is under way
                self._batch = None

    def interrupt(self, reason: BaseException) -> None:
        """Interrupt the running attempt, if there is one."""
        batch = self._batch
        attempt = batch.running if batch is not None else None
        if attempt is not None:
            attempt.interruption = attempt.interruption or reason

    def _run(self) -> None:
        while True:
            batch = self._batch
            try:
                wait_s = max(0.0, self._run_iteration(batch, time.monotonic()))
            except Exception:
                log.exception("lease renewer failed")
                # The thread continues: without it, every request of the worker would lose its lease.
                wait_s = FIRST_EXTENSION_S
            self._sleeps = wait_s > SLOW_AFTER_S
            if self._sleeps and self._batch is not batch:
                continue  # the batch came before it could see that this thread sleeps
            self._wakeup.wait(wait_s)
            self._wakeup.clear()

    def _run_iteration(self, batch: Batch | None, now: float) -> float:
        """Do everything that is due; return the seconds until the next iteration."""
        self._beat_if_due(now)
        attempt = batch.running if batch is not None else None
        if batch is None or attempt is None:
            return SLOW_AFTER_S if batch is not None or now < self._awake_until else self._beat_at - now
        self._awake_until = now + STAY_AWAKE_S
        is_new = attempt is not self._last_attempt
        if is_new:
            self._last_attempt, self._extend_at, self._is_reported = attempt, now + FIRST_EXTENSION_S, False
            self._stored, self._stored_partial = None, ()
        if not batch.write_lock.acquire(blocking=False):
            return SLOW_AFTER_S  # the worker's thread writes: no sandbox runs
        try:
            if is_new and batch.is_flush_overdue():
                self._write(batch, completion.finish_completed)
            elif not is_new and batch.running is attempt:
                self._serve_long_attempt(batch, attempt, now)
        finally:
            batch.write_lock.release()
        return SLOW_AFTER_S if is_new else min(self._extend_at, self._beat_at) - time.monotonic()

    def _beat_if_due(self, now: float) -> None:
        """Store the worker's heartbeat and its counters every few seconds."""
        if now >= self._beat_at:
            self._beat_at = now + worker_heartbeats.INTERVAL_S
            context = self._context
            worker_heartbeats.beat(context.engine, context.clock, context.worker, context.queues)
            metric_store.flush(context.engine, context.counters)

    def _serve_long_attempt(self, batch: Batch, attempt: Attempt, now: float) -> None:
        """Extend the lease if due, and free the members that wait for this attempt."""
        if now >= self._extend_at:
            self._extend_at = now + EXTEND_EVERY_S
            self._try_extend(attempt, now)
        if batch.has_blocked_members():
            self._write(batch, completion.flush_and_release)

    def _try_extend(self, attempt: Attempt, now: float) -> None:
        """Extend the lease; interrupt the attempt if the lease is lost."""
        try:
            self._extend(attempt)
            self._report(attempt, now)
        except LeaseLostError as lost:
            attempt.interruption = attempt.interruption or lost
        except Exception as error:  # noqa: BLE001 - this thread must run as long as its worker
            # The lease may still hold: the write that ends the attempt finds out.
            self._extend_at = now + FIRST_EXTENSION_S
            log.warning("lease not extended", extra=attempt.log_fields() | {"error": error_summary(error)})

    def _write(self, batch: Batch, write: Callable[[ExecutionContext, Batch, completion.RetryMode], None]) -> None:
        """Commit or release members with a single try."""
        try:
            write(self._context, batch, completion.single_attempt)
            handle_rejected(self._context, batch, completion.single_attempt)
        except Exception as error:  # noqa: BLE001 - the next iteration tries again
            log.warning("completed and unstarted requests not stored", extra={"error": error_summary(error)})

    def _report(self, attempt: Attempt, now: float) -> None:
        """Show a long attempt in the log and in RQ, and send RQ's heartbeat of the worker."""
        if not self._is_reported:
            self._is_reported = True
            log.info("attempt started", extra=attempt.log_fields())  # short attempts have one log line, at their end
            self._context.rq_status.report_started(attempt.claim.job)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + RQ_HEARTBEAT_S
            self._heartbeat()

    def _extend(self, attempt: Attempt) -> None:
        """Extend the lease with progress and log lines; interrupt the attempt if a cancel is requested."""
        context, snapshot, lines = self._context, attempt.snapshot(), attempt.log_buffer.take_unstored()
        partial = attempt.log_buffer.partial_lines()
        progress = AttemptProgress(
            attempt.phase,
            attempt.progress,
            lines,
            snapshot if snapshot != self._stored else None,
            partial if partial != self._stored_partial else None,
        )
        try:
            is_cancel_requested = lifecycle.extend(context.engine, attempt.claim, context.lease_s, progress)
        except Exception:
            attempt.log_buffer.put_back(lines)  # the next extension stores them
            raise
        self._stored, self._stored_partial = snapshot, partial
        if is_cancel_requested:
            attempt.interruption = attempt.interruption or CancelledError()
