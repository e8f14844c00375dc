"""Keeps the lease of a running attempt, from a thread: the loop that drives the sandbox must never wait for a database.

Each extension also stores phases, progress and log lines so far, and brings back whether a cancel was requested.
What lasts must not keep its group waiting: that is seen to here, too.
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

FIRST_LOOK_S = 0.25  # short requests end before it and cost the keeper nothing
EVERY_S = 0.9  # cancel is promised within 2 s, and a lease is at least twice as long as this
HEARTBEAT_S = 10.0  # RQ's, for its dashboard
AWAKE_S = 0.5  # after a request the thread stays awake for so long: under load nobody has to wake it


class LeaseRenewer:
    """Serves one group after another. heartbeat: told now and then, for RQ's own record of the worker."""

    def __init__(self, context: ExecutionContext, heartbeat: Callable[[], None]) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._batch: Batch | None = None
        self._seen: Attempt | None = None
        self._look_at = self._heartbeat_at = self._awake_until = 0.0
        self._note_at = time.monotonic() + worker_heartbeats.INTERVAL_S  # it was noted at its start
        self._is_shown = False
        self._stored: AttemptRecord | None = None  # what is known of the attempt, as it was stored last
        self._current: Sequence[LogLine] = ()  # its lines without an end, as they were stored last
        self._news = threading.Event()
        self._sleeps = True  # it waits for longer than the patience that a group's members need
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    @contextmanager
    def renewing(self, batch: Batch) -> Iterator[None]:
        """Extends the lease of the member that runs until the block ends."""
        self._batch = batch
        if self._sleeps:
            self._news.set()
        try:
            yield
        finally:
            with batch.write_lock:  # no look is under way
                self._batch = None

    def interrupt(self, reason: BaseException) -> None:
        """Ends the attempt that is under way, if there is one."""
        batch = self._batch
        attempt = batch.running if batch is not None else None
        if attempt is not None:
            attempt.interruption = attempt.interruption or reason

    def _run(self) -> None:
        while True:
            batch = self._batch
            try:
                wait_s = max(0.0, self._turn(batch, time.monotonic()))
            except Exception:
                log.exception("the keeper failed; it goes on")  # without it, each request would lose its lease
                wait_s = FIRST_LOOK_S
            self._sleeps = wait_s > SLOW_AFTER_S
            if self._sleeps and self._batch is not batch:
                continue  # it came before it could know that we sleep
            self._news.wait(wait_s)
            self._news.clear()

    def _turn(self, batch: Batch | None, now: float) -> float:
        """Does what is due; gives the seconds until something may be."""
        if now >= self._note_at:
            self._note_at = now + worker_heartbeats.INTERVAL_S
            worker_heartbeats.beat(
                self._context.engine, self._context.clock, self._context.worker, self._context.queues
            )
            metric_store.flush(self._context.engine, self._context.counters)
        attempt = batch.running if batch is not None else None
        if batch is None or attempt is None:
            return SLOW_AFTER_S if batch is not None or now < self._awake_until else self._note_at - now
        self._awake_until = now + AWAKE_S
        is_new = attempt is not self._seen
        if is_new:
            self._seen, self._look_at, self._is_shown, self._stored = attempt, now + FIRST_LOOK_S, False, None
            self._current = ()
        if not batch.write_lock.acquire(blocking=False):
            return SLOW_AFTER_S  # the worker writes itself: nothing runs
        try:
            if is_new and batch.is_flush_overdue():
                self._write(batch, completion.finish_completed)
            elif not is_new and batch.running is attempt:
                self._look(batch, attempt, now)
        finally:
            batch.write_lock.release()
        return SLOW_AFTER_S if is_new else min(self._look_at, self._note_at) - time.monotonic()

    def _look(self, batch: Batch, attempt: Attempt, now: float) -> None:
        """It has been running for a while."""
        if now >= self._look_at:
            self._look_at = now + EVERY_S
            self._keep(attempt, now)
        if batch.has_blocked_members():
            self._write(batch, completion.flush_and_release)

    def _keep(self, attempt: Attempt, now: float) -> None:
        try:
            self._extend(attempt)
            self._show(attempt, now)
        except LeaseLostError as lost:
            attempt.interruption = attempt.interruption or lost
        except Exception as error:  # noqa: BLE001 - this thread must live as long as its worker
            # The lease may still hold: whoever finishes will see.
            self._look_at = now + FIRST_LOOK_S
            log.warning("the lease was not extended", extra=attempt.log_fields() | {"error": error_summary(error)})

    def _write(self, batch: Batch, write: Callable[[ExecutionContext, Batch, completion.RetryMode], None]) -> None:
        try:
            write(self._context, batch, completion.single_attempt)
            handle_rejected(self._context, batch, completion.single_attempt)
        except Exception as error:  # noqa: BLE001 - tried again at the next look
            log.warning("the neighbours still wait", extra={"error": error_summary(error)})

    def _show(self, attempt: Attempt, now: float) -> None:
        if not self._is_shown:
            self._is_shown = True
            log.info("started", extra=attempt.log_fields())  # what is short is told of once, when it has ended
            self._context.rq_status.report_started(attempt.claim.job)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_S
            self._heartbeat()

    def _extend(self, attempt: Attempt) -> None:
        context, begun, lines = self._context, attempt.snapshot(), attempt.log_buffer.take_unstored()
        news = begun if begun != self._stored else None  # of a phase that lasts only its beginning
        current = attempt.log_buffer.partial_lines()
        changed = current if current != self._current else None
        standing = AttemptProgress(attempt.phase, attempt.progress, lines, news, changed)
        try:
            cancelled = lifecycle.extend(context.engine, attempt.claim, context.lease_s, standing)
        except Exception:
            attempt.log_buffer.put_back(lines)  # stored with the next extension
            raise
        self._stored, self._current = begun, current
        if cancelled:
            attempt.interruption = attempt.interruption or CancelledError()
