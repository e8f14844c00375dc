"""Keeps the lease of a running attempt, from a thread: the loop that drives the sandbox must never wait for a database.

Each extension also stores phase, progress and log lines so far, and brings back whether a cancel was requested.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workqueue import lifecycle, presence
from workqueue.attempt import Attempt, Runtime
from workqueue.errors import LeaseLostError
from workqueue.interruptions import CancelledError
from workqueue.persist import first_line

log = logging.getLogger(__name__)

FIRST_LOOK_S = 0.25  # short requests end before it and cost the keeper nothing
EVERY_S = 0.9  # cancel is promised within 2 s, and a lease is at least twice as long as this
HEARTBEAT_S = 10.0  # RQ's, for its dashboard


class Keeper:
    """Serves one attempt after another. heartbeat: told at every look, for RQ's own record of the worker."""

    def __init__(self, runtime: Runtime, heartbeat: Callable[[], None]) -> None:
        self._runtime = runtime
        self._heartbeat = heartbeat
        self._attempt: Attempt | None = None
        self.host_is_lost = False
        self._heartbeat_at = self._note_at = 0.0
        self._lock = threading.Lock()  # held while extending, so that `release` waits for it
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    @contextmanager
    def holding(self, attempt: Attempt) -> Iterator[None]:
        """Extends the attempt's lease until the block ends or `release` is called."""
        self._attempt = attempt
        self._ended.clear()
        self._begun.set()
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """No extension is under way or follows: the next write to the request is the attempt's last."""
        self._begun.clear()
        self._ended.set()
        with self._lock:
            self._attempt = None

    def interrupt(self, reason: BaseException) -> None:
        """Ends the attempt that is under way, if there is one."""
        attempt = self._attempt
        if attempt is not None:
            attempt.interruption = attempt.interruption or reason

    def _run(self) -> None:
        wait_s = FIRST_LOOK_S
        while True:
            if time.monotonic() >= self._note_at:
                self._note_at = time.monotonic() + presence.EVERY_S
                presence.note(self._runtime)
            if not self._begun.wait(presence.EVERY_S):
                continue
            if self._ended.wait(wait_s):
                wait_s = FIRST_LOOK_S
                continue
            began = time.monotonic()
            with self._lock:
                if self._attempt is not None and not self._ended.is_set():
                    self._look(self._attempt)
            # A look that hung wrote a lease that was computed before: the next one follows at once.
            wait_s = EVERY_S if time.monotonic() - began < EVERY_S else 0.0

    def _look(self, attempt: Attempt) -> None:
        runtime = self._runtime
        lines = attempt.logbook.take()
        try:
            expires_at = runtime.clock.in_seconds(runtime.lease_s)
            cancelled = lifecycle.extend(
                runtime.engine, attempt.claim, expires_at, attempt.phase, attempt.progress, lines
            )
            if time.monotonic() >= self._heartbeat_at:
                self._heartbeat_at = time.monotonic() + HEARTBEAT_S
                self._heartbeat()
        except LeaseLostError as lost:
            attempt.interruption = attempt.interruption or lost
        except Exception as error:  # noqa: BLE001 - this thread must live as long as its worker
            # The lease may still hold: whoever finishes will see. The lines are stored with the next extension.
            attempt.logbook.put_back(lines)
            log.warning(
                "the lease was not extended",
                extra=attempt.log_fields() | {"error": first_line(error)},
            )
        else:
            if cancelled:
                attempt.interruption = attempt.interruption or CancelledError()
