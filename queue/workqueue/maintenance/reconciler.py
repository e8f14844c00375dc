"""The reconciler: a loop that repairs unfinished work after a crash. Any number of copies may run; one leads.

It rings for requests that are pending and due, but not rung, or whose bell was not answered. It gives back requests
whose lease expired, or fails them when no attempt is left. It also corrects for a step of the database's clock, so that
no live lease is lost, and no request waits for a time that the clock skipped.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Engine, text

from schema.advisory_locks import Lock
from schema.engine import autocommit
from workqueue import lifecycle
from workqueue.backoff import Backoff
from workqueue.clock import Clock, steady_s
from workqueue.maintenance.leader import ITERATION_S, LeaderSession, run_as_leader
from workqueue.maintenance.periodic import PeriodicTask
from workqueue.telemetry import Observers, metrics
from workqueue.telemetry.counters import Counters
from workqueue.transport.circuit_breaker import describe_error
from workqueue.transport.doorbell import Bell, Doorbell, bell_log_fields

log = logging.getLogger(__name__)

LOST_BELL_S = 3.0  # a bell that was rung this long ago and is in no queue was lost
STARTUP_GRACE_S = 1.5  # a process that has just started expires no lease for this long
OUTAGE_S = 3.0  # a gap this long between two successful iterations was an outage
LONG_QUEUE = 1000  # waiting bells; such a queue is slow to read, and is read less often
FIRST_DELAY_S, MAX_DELAY_S = 1.0, 24.0
IDLE_PAUSE_S = 1.0  # between iterations while no request is pending or processing

# One statement for an idle runtime. ORDER BY makes PostgreSQL read the partial indexes, whatever its statistics say.
FIND_LIVE = text(
    """
    SELECT clock_timestamp() AS now,
        EXISTS (SELECT FROM processing_request WHERE status = 'pending' ORDER BY queue LIMIT 1) AS has_pending,
        EXISTS (SELECT FROM processing_request WHERE status = 'processing' ORDER BY lease_expires_at LIMIT 1)
            AS has_processing
    """
)


@dataclass(slots=True)
class Reconciler:
    """One copy of the reconciler.

    clock: not shared with other threads, because `synchronise` reports a clock step only once. lease_s: the length of
    leases; after an outage of PostgreSQL no lease expires for this long. queues: their keys in Redis are repaired.
    """

    engine: Engine
    doorbell: Doorbell
    clock: Clock
    lease_s: float
    queues: tuple[str, ...] = ()
    expire_from: float = 0.0  # monotonic, as search_at: workers renew their leases only while their machine is awake
    iterated_at: float | None = None  # as `steady_s`, which includes the time while the machine sleeps
    generation: str = ""  # of Redis
    search_at: float = 0.0  # when to search for lost bells next
    is_idle: bool = False  # at the last iteration no request was pending or processing
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_DELAY_S, MAX_DELAY_S))
    counters: Counters = field(default_factory=Counters)
    observers: Observers = field(default_factory=Observers)

    def run_iteration(self) -> None:
        """Expire leases and ring bells once."""
        with autocommit(self.engine) as connection:
            before = steady_s()
            live = connection.execute(FIND_LIVE).one()
            step_s = self.clock.take_over(live.now, before, steady_s())
        now = self._handle_new_time(step_s)
        if live.has_processing and time.monotonic() >= self.expire_from:
            self._expire(now)
        if live.has_pending:
            self._ring(now)
        else:
            self._repair_redis()
        self.is_idle = not (live.has_pending or live.has_processing)
        self.iterated_at = steady_s()

    def pause_s(self) -> float:
        """Return the seconds until the next iteration."""
        return IDLE_PAUSE_S if self.is_idle else ITERATION_S

    def start_leading(self) -> None:
        """Correct for a clock step that happened while no copy led."""
        log.info("leadership acquired")
        now = self._handle_new_time(self.clock.synchronise(self.engine))
        lifecycle.adjust_for_clock_step(self.engine, now, 0.0, self.lease_s)
        self.is_idle = False

    def on_standby(self) -> None:
        """Watch for outages and clock steps while another copy leads."""
        self._handle_clock_step(self.clock.synchronise(self.engine))
        self.iterated_at = steady_s()

    def _handle_new_time(self, step_s: float) -> datetime:
        """Return the database's time, to which all leases of this iteration are compared.

        step_s: the seconds by which the database's clock was set since the last iteration.
        """
        now = self.clock.now()
        self._handle_outage()
        self._handle_clock_step(step_s)
        if step_s < 0:
            lifecycle.adjust_for_clock_step(self.engine, now, -step_s, self.lease_s)
        return now

    def _handle_outage(self) -> None:
        """Expire no lease for a while after an outage of PostgreSQL, because no worker could renew its leases."""
        if self.iterated_at is None:  # just started, perhaps together with the workers after an outage
            self._delay_expiry(STARTUP_GRACE_S)
        elif steady_s() - self.iterated_at > OUTAGE_S:
            self._delay_expiry(self.lease_s)

    def _handle_clock_step(self, step_s: float) -> None:
        """Log a clock step. Expire no lease for a while after a step forward, because its worker may be alive."""
        if step_s:
            log.warning("database clock set", extra={"by_s": round(step_s, 1)})
        if step_s > 0:
            self._delay_expiry(self.lease_s)

    def _delay_expiry(self, seconds: float) -> None:
        """Expire no lease for this time, in which every live worker renews its leases."""
        self.expire_from = max(self.expire_from, time.monotonic() + seconds)

    def _expire(self, now: datetime) -> None:
        expired = lifecycle.expire_leases(self.engine, now)
        for each in expired:
            log.warning("worker lost", extra=each.log_fields())
            self.doorbell.announce(each.request_id)
        self.observers.on_lost(expired, now)

    def _ring(self, now: datetime) -> None:
        bells = lifecycle.find_unqueued(self.engine, now) + self._find_lost(now)
        if bells and self.doorbell.ring(bells):
            lifecycle.mark_rung(self.engine, bells, now)
            log.info("bells rung", extra=bell_log_fields(bells))
            self.counters.count(metrics.RECONCILER, "rang", by=len(bells))

    def _repair_redis(self) -> None:
        try:
            self.doorbell.repair(self.queues)
        except RedisError as error:
            log.debug("Redis not repaired", extra={"reason": describe_error(error), "error": str(error)})

    def _find_lost(self, now: datetime) -> list[Bell]:
        """Return bells that were rung and not answered, and that are in no queue."""
        try:
            self.doorbell.repair(self.queues)
            generation = self.doorbell.generation()
            if time.monotonic() < self.search_at and generation == self.generation:
                return []
            # A new generation of Redis has lost all bells: do not wait for answers.
            grace_s = LOST_BELL_S if generation == self.generation else 0.0
            bells = lifecycle.find_stale_queued(self.engine, now - timedelta(seconds=grace_s))
            waiting = self.doorbell.queued_job_ids(sorted({bell.queue for bell in bells}))
        except RedisError as error:
            log.debug("lost bells not searched", extra={"reason": describe_error(error), "error": str(error)})
            return []
        queued = [bell for bell in bells if bell.job_id in waiting]
        lifecycle.mark_rung(self.engine, queued, now)
        if len(queued) < LONG_QUEUE:
            self.backoff.reset()
        delay_s = self.backoff.next_s() if len(queued) >= LONG_QUEUE else 0.0
        self.generation, self.search_at = generation, time.monotonic() + delay_s
        return [bell for bell in bells if bell.job_id not in waiting]


def run(
    reconciler: Reconciler,
    session: LeaderSession,
    tasks: Sequence[PeriodicTask],
    stopping: threading.Event,
    on_turn: Callable[[], None] = lambda: None,
) -> None:
    """Run the reconciler while this process leads. Return when `stopping` is set.

    tasks: only quick ones, because they delay the recovery. Slow ones have their own loops (periodic.py). on_turn: as
    in `run_as_leader`.
    """
    steps = [PeriodicTask("reconciler", 0.0, reconciler.run_iteration), *tasks]

    def run_iteration() -> None:
        for step in steps:
            step.run_if_due()

    run_as_leader(
        session,
        Lock.RECONCILER,
        run_iteration,
        stopping,
        on_elected=reconciler.start_leading,
        on_standby=reconciler.on_standby,
        pause_s=reconciler.pause_s,
        on_turn=on_turn,
    )
