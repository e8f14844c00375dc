"""The loop that fires schedules: what was edited is planned, what is due becomes requests, Redis gets its copy."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError
from sqlalchemy import Engine

from schema.advisory_locks import Lock
from workqueue.clock import Clock
from workqueue.database import error_summary, is_outage
from workqueue.files.disk_space import Disk
from workqueue.maintenance.leader import run_as_leader
from workqueue.schedules import firing, next_run
from workqueue.telemetry import metrics
from workqueue.telemetry.counters import Counters
from workqueue.transport.circuit_breaker import CircuitOpenError, describe_error
from workqueue.transport.doorbell import Doorbell, bell_log_fields
from workqueue.transport.rq_scheduler import NextRun, RqSchedulerMirror, diff

log = logging.getLogger(__name__)

Result = TypeVar("Result")

INTERVAL_S = 0.5  # an edit is promised to be noticed within 2 s
OFFSET_S = 0.003  # a look comes right after the full second, which is when ticks are
OVERDUE_S = 1.0  # a row so long due that the clock did not name fires all the same
MAX_PLAN_BATCHES = 4  # batches planned at one look
COMPARE_EVERY_S = 5.0  # rows removed by plain SQL stay in the copy for so long
HEARTBEAT_EVERY_S = 3.0


@dataclass(slots=True)
class Ticker:
    """One copy. mirror: by the doorbell's client, which should not wait long: a deaf Redis must not hold up a tick.

    disk: of the database, where it lies on this machine. While it is full no tick fires; what is missed then is a
    misfire like any other.
    """

    engine: Engine
    doorbell: Doorbell
    clock: Clock
    mirror: RqSchedulerMirror
    mirrored_count: int = 0  # how many schedules the copy held when it was last compared
    compare_at: float = 0.0
    heartbeat_at: float = 0.0
    counters: Counters = field(default_factory=Counters)
    disk: Disk | None = None
    is_stopped_by_full_disk: bool = False

    def run_iteration(self) -> None:
        """Does what there is to do now. An error ends the turn, and the next one begins from the rows."""
        self.clock.refresh(self.engine)
        now = self.clock.now()
        if self._is_disk_full():
            return
        self._plan_edited()
        due = self._try_redis(self.mirror.due)
        # Without the clock every row speaks for itself.
        overdue = now if due is None else now - timedelta(seconds=OVERDUE_S)
        self._fire(now, overdue, due or ())
        self._maintain_mirror()

    def _is_disk_full(self) -> bool:
        is_full = self.disk is not None and self.disk.is_full()
        if is_full and not self.is_stopped_by_full_disk:
            log.warning("the disk is full; no schedule fires")
        self.is_stopped_by_full_disk = is_full
        return is_full

    def _plan_edited(self) -> None:
        """What was edited; of very much only a part, so that no tick waits for long."""
        for _ in range(MAX_PLAN_BATCHES):
            planned = next_run.plan_edited(self.engine)
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
        """Now and then, and at once when Redis was emptied, the copy is compared with the rows."""
        if time.monotonic() >= self.heartbeat_at and self._try_redis(self.mirror.refresh_heartbeat):
            self.heartbeat_at = time.monotonic() + HEARTBEAT_EVERY_S
        is_emptied = self.mirrored_count > 0 and self._try_redis(self.mirror.count) == 0
        if is_emptied or time.monotonic() >= self.compare_at:
            self._try_redis(self._compare_mirror)

    def _compare_mirror(self) -> None:
        next_runs = next_run.list_next_runs(self.engine)
        self.mirror.write(diff(next_runs, self.mirror.read()))
        self.mirrored_count, self.compare_at = len(next_runs), time.monotonic() + COMPARE_EVERY_S

    def _try_redis(self, question: Callable[[], Result]) -> Result | None:
        """None when Redis is away, or was a moment ago: then the rows are the clock."""
        try:
            return self.doorbell.call(question)
        except CircuitOpenError:
            return None
        except RedisError as error:
            log.warning("%s; the rows are the clock", describe_error(error), extra={"error": str(error)})
            return None

    def start_leading(self) -> None:
        """At the start of a lead nothing is known of the copy."""
        log.info("leading the schedules")
        self.clock.synchronise(self.engine)
        self.compare_at = 0.0

    def deregister(self) -> None:
        if self.heartbeat_at:
            self._try_redis(self.mirror.register_death)

    def pause_s(self) -> float:
        """Until the next look."""
        return INTERVAL_S - self.clock.now().timestamp() % INTERVAL_S + OFFSET_S

    def run_guarded_iteration(self) -> None:
        """An error in one turn is no matter of the next, nor of the reconciler in the same process."""
        try:
            self.run_iteration()
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("schedules: a turn failed", extra={"error": error_summary(error)})


def run(ticker: Ticker, stopping: threading.Event) -> None:
    """Fires schedules while it leads; else waits to lead. Ends when `stopping` is set."""
    run_as_leader(
        ticker.engine,
        Lock.SCHEDULE_TICKER,
        ticker.run_guarded_iteration,
        stopping,
        begin=ticker.start_leading,
        pause_s=ticker.pause_s,
    )
    ticker.deregister()
