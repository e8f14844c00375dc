"""The scheduler's loop: compute the next run of edited schedules, fire due ones, and mirror them to rq-scheduler."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError
from sqlalchemy import Engine, text

from schema.advisory_locks import Lock
from schema.engine import autocommit
from workqueue.clock import Clock
from workqueue.database import error_summary, is_outage
from workqueue.files.disk_space import Disk
from workqueue.maintenance.leader import LeaderSession, run_as_leader
from workqueue.schedules import firing, next_run
from workqueue.telemetry import metrics
from workqueue.telemetry.counters import Counters
from workqueue.transport.circuit_breaker import CircuitOpenError, describe_error
from workqueue.transport.doorbell import Doorbell, bell_log_fields
from workqueue.transport.rq_scheduler import NextRun, RqSchedulerMirror, diff

log = logging.getLogger(__name__)

Result = TypeVar("Result")

INTERVAL_S = 1.0  # docs promise that an edit is noticed within 2 s
OFFSET_S = 0.003  # start iterations right after a full second, because ticks are at full seconds
OVERDUE_S = 1.0  # a row that is due for longer fires even if rq-scheduler does not name it
MAX_PLAN_BATCHES = 4  # batches of edited rows per iteration
COMPARE_EVERY_S = 5.0  # a row deleted by SQL stays in the mirror for at most this long
HEARTBEAT_EVERY_S = 3.0

# One statement while there is nothing to do. ORDER BY makes PostgreSQL read the partial indexes.
FIND_WORK = text(
    """
    SELECT EXISTS (SELECT FROM schedule WHERE edited_at IS NOT NULL ORDER BY edited_at LIMIT 1) AS is_edited,
        EXISTS (SELECT FROM schedule WHERE enabled AND next_run_at <= :now ORDER BY next_run_at LIMIT 1) AS is_due
    """
)


@dataclass(slots=True)
class Ticker:
    """Fire schedules, one iteration at a time.

    mirror: uses the doorbell's client with its short timeouts, so that an unresponsive Redis does not delay ticks.
    disk: the database's disk, if it is on this machine. While it is full no schedule fires; missed ticks are misfires.
    """

    engine: Engine
    doorbell: Doorbell
    clock: Clock
    mirror: RqSchedulerMirror
    mirrored_count: int = 0  # schedules in the mirror at the last comparison
    compare_at: float = 0.0
    heartbeat_at: float = 0.0
    counters: Counters = field(default_factory=Counters)
    disk: Disk | None = None
    is_stopped_by_full_disk: bool = False

    def run_iteration(self) -> None:
        """Do one iteration. After an error the next iteration starts from the rows again."""
        self.clock.refresh(self.engine)
        now = self.clock.now()
        if self._is_disk_full():
            return
        with autocommit(self.engine) as connection:
            found = connection.execute(FIND_WORK, {"now": now}).one()
        if found.is_edited:
            self._plan_edited()
        if found.is_edited or found.is_due:
            due = self._try_redis(self.mirror.due)
            # Without rq-scheduler all due rows fire.
            overdue = now if due is None else now - timedelta(seconds=OVERDUE_S)
            self._fire(now, overdue, due or ())
        self._maintain_mirror()

    def _is_disk_full(self) -> bool:
        is_full = self.disk is not None and self.disk.is_full()
        if is_full and not self.is_stopped_by_full_disk:
            log.warning("schedules stopped because the database's disk is full")
        self.is_stopped_by_full_disk = is_full
        return is_full

    def _plan_edited(self) -> None:
        """Compute the next run of edited rows; limit the batches, so that many edits do not delay ticks."""
        for _ in range(MAX_PLAN_BATCHES):
            planned = next_run.plan_edited_schedules(self.engine)
            self._mirror_runs(planned)
            if len(planned) < next_run.BATCH:
                return

    def _fire(self, now: datetime, overdue: datetime, names: Sequence[str]) -> None:
        while True:
            fired = firing.fire(self.engine, now, overdue, names)
            for late_s in fired.late_s:
                self.counters.observe(metrics.LATENESS, late_s)
            if fired.bells:
                self.doorbell.ring(fired.bells)
                log.info("schedules fired", extra=bell_log_fields(fired.bells))
            self._mirror_runs(fired.next_runs)
            if len(fired.next_runs) < firing.BATCH:
                return

    def _mirror_runs(self, next_runs: Sequence[NextRun]) -> None:
        if next_runs:
            self._try_redis(partial(self.mirror.write, next_runs))

    def _maintain_mirror(self) -> None:
        """Compare the mirror with the rows periodically, and at the next heartbeat if Redis has lost its data."""
        is_emptied = False
        if time.monotonic() >= self.heartbeat_at and self._try_redis(self.mirror.refresh_heartbeat):
            self.heartbeat_at = time.monotonic() + HEARTBEAT_EVERY_S
            is_emptied = self.mirrored_count > 0 and self._try_redis(self.mirror.count) == 0
        if is_emptied or time.monotonic() >= self.compare_at:
            self._try_redis(self._compare_mirror)

    def _compare_mirror(self) -> None:
        next_runs = next_run.list_next_runs(self.engine)
        self.mirror.write(diff(next_runs, self.mirror.read()))
        self.mirrored_count, self.compare_at = len(next_runs), time.monotonic() + COMPARE_EVERY_S

    def _try_redis(self, call: Callable[[], Result]) -> Result | None:
        """Call Redis. Return None if it is unavailable or its circuit breaker is open: then overdue rows fire."""
        try:
            return self.doorbell.call(call)
        except CircuitOpenError:
            return None
        except RedisError as error:
            log.warning("call to Redis failed", extra={"reason": describe_error(error), "error": str(error)})
            return None

    def start_leading(self) -> None:
        """Prepare to lead: the state of the mirror is unknown."""
        log.info("leadership of schedules acquired")
        self.clock.synchronise(self.engine)
        self.compare_at = 0.0

    def deregister(self) -> None:
        """Remove this scheduler from rq-scheduler's registry."""
        if self.heartbeat_at:
            self._try_redis(self.mirror.register_death)

    def pause_s(self) -> float:
        """Return the seconds until the next iteration."""
        return INTERVAL_S - self.clock.now().timestamp() % INTERVAL_S + OFFSET_S

    def run_guarded_iteration(self) -> None:
        """Log errors of an iteration, so that they stop neither the next one nor the reconciler in this process."""
        try:
            self.run_iteration()
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("iteration of schedules failed", extra={"error": error_summary(error)})


def run(
    ticker: Ticker, session: LeaderSession, stopping: threading.Event, *, on_turn: Callable[[], None] = lambda: None
) -> None:
    """Fire schedules while this process leads; else wait to lead. Return when `stopping` is set.

    on_turn: as in `run_as_leader`.
    """
    run_as_leader(
        session,
        Lock.SCHEDULE_TICKER,
        ticker.run_guarded_iteration,
        stopping,
        on_elected=ticker.start_leading,
        pause_s=ticker.pause_s,
        on_turn=on_turn,
    )
    ticker.deregister()
