"""The reconciler: a loop that makes true what a crash left half done. Any number of copies may run; one leads.

Pending and due but not rung, or rung and not answered: it rings. A lease that lapsed: the request is given back
for the next attempt, or failed when none is left. It also notices when the database's clock was set, and makes up for
it: no live lease is lost, and nothing waits for a time that went away.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Engine

from schema.advisory_locks import Lock
from workqueue import lifecycle
from workqueue.backoff import Backoff
from workqueue.clock import Clock, steady_s
from workqueue.lifecycle import ExpiredLease
from workqueue.maintenance.leader import run_as_leader
from workqueue.maintenance.periodic import PeriodicTask
from workqueue.telemetry import Observers, metrics
from workqueue.telemetry.counters import Counters
from workqueue.transport.circuit_breaker import describe_error
from workqueue.transport.doorbell import Bell, Doorbell, bell_log_fields

log = logging.getLogger(__name__)

UNANSWERED_S = 3.0  # a bell that was rung so long ago and waits in no queue was lost
FRESH_S = 1.5  # a process that just started waits so long before it takes a lease for lapsed
OUTAGE_S = 3.0  # a pause this long between two good looks was an outage
MANY = 1000  # bells that wait: to read such a queue from end to end is dear, and done at longer intervals
FIRST_DELAY_S, MAX_DELAY_S = 1.0, 24.0


@dataclass(slots=True)
class Reconciler:
    """One copy. lease_s: what leases last; after an outage of the database they get as much once more.

    clock: its own: that it was set is told once, to whoever synchronises it. queues: those that workers serve, whose
    keys in Redis are repaired.
    """

    engine: Engine
    doorbell: Doorbell
    clock: Clock
    lease_s: float
    queues: tuple[str, ...] = ()
    spare_until: float = 0.0  # of the monotonic clock, as ask_at: workers have time to extend while machines are awake
    looked_at: float | None = None  # by the clock's ticks, which go on while a machine sleeps
    era: str = ""  # of Redis
    ask_at: float = 0.0  # when unanswered bells are looked for next
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_DELAY_S, MAX_DELAY_S))
    counters: Counters = field(default_factory=Counters)
    observers: Observers = field(default_factory=Observers)

    def run_iteration(self) -> None:
        """Puts right what there is now."""
        now = self._ask_time()
        if time.monotonic() >= self.spare_until:
            self._expire(now)
        self._ring(now)
        self.looked_at = steady_s()

    def begin(self) -> None:
        """At the start of a lead: the clock may have been set back while nobody looked."""
        log.info("leading")
        lifecycle.adjust_for_clock_step(self.engine, self._ask_time(), 0.0, self.lease_s)

    def on_standby(self) -> None:
        """Somebody else leads, and the database is there."""
        self._notice_setting(self.clock.synchronise(self.engine))
        self.looked_at = steady_s()

    def _ask_time(self) -> datetime:
        """What the database's clock shows; leases are compared with this, however late their turn comes."""
        set_by_s = self.clock.synchronise(self.engine)
        now = self.clock.now()
        self._notice_outage()
        self._notice_setting(set_by_s)
        if set_by_s < 0:
            lifecycle.adjust_for_clock_step(self.engine, now, -set_by_s, self.lease_s)
        return now

    def _notice_outage(self) -> None:
        """While the database was away no worker could extend: that is no sign of its death."""
        if self.looked_at is None:  # just started: perhaps everything was, after an outage that we did not see
            self._spare(FRESH_S)
        elif steady_s() - self.looked_at > OUTAGE_S:
            self._spare(self.lease_s)

    def _notice_setting(self, set_by_s: float) -> None:
        """A lease that lapsed because the clock was set forward is no sign of a death either."""
        if set_by_s:
            log.warning("the database's clock was set", extra={"by_s": round(set_by_s, 1)})
        if set_by_s > 0:
            self._spare(self.lease_s)

    def _spare(self, seconds: float) -> None:
        """Until then every worker that lives has extended its lease."""
        self.spare_until = max(self.spare_until, time.monotonic() + seconds)

    def _expire(self, now: datetime) -> None:
        lapsed = lifecycle.expire_leases(self.engine, now)
        for each in lapsed:
            log.warning("worker lost", extra=_facts(each))
            self.doorbell.announce(each.request_id)
        self.observers.lost(lapsed, now)

    def _ring(self, now: datetime) -> None:
        bells = lifecycle.find_unqueued(self.engine, now) + self._lost(now)
        if bells and self.doorbell.ring(bells):
            lifecycle.mark_rung(self.engine, bells, now)
            log.info("rang", extra=bell_log_fields(bells))
            self.counters.count(metrics.RECONCILER, "rang", by=len(bells))

    def _lost(self, now: datetime) -> list[Bell]:
        """Bells that were rung, and not answered, and wait in no queue."""
        try:
            self.doorbell.repair(self.queues)
            era = self.doorbell.generation()
            if time.monotonic() < self.ask_at and era == self.era:
                return []
            grace_s = UNANSWERED_S if era == self.era else 0.0  # what was lost with all others is not waited for
            bells = lifecycle.find_stale_queued(self.engine, now - timedelta(seconds=grace_s))
            waiting = self.doorbell.queued_job_ids(sorted({bell.queue for bell in bells}))
        except RedisError as error:
            log.debug("%s; no bell was looked for", describe_error(error), extra={"error": str(error)})
            return []
        patient = [bell for bell in bells if bell.job_id in waiting]  # it only has not been their turn
        lifecycle.mark_rung(self.engine, patient, now)
        if len(patient) < MANY:
            self.backoff.reset()
        delay_s = self.backoff.next_s() if len(patient) >= MANY else 0.0
        self.era, self.ask_at = era, time.monotonic() + delay_s
        return [bell for bell in bells if bell.job_id not in waiting]


def _facts(lapsed: ExpiredLease) -> dict[str, object]:
    return {
        "request_id": str(lapsed.request_id),
        "attempt": lapsed.attempt,
        "function": lapsed.function_name,
        "worker": lapsed.worker,
        "outcome": lapsed.record.outcome,
        "status": lapsed.status,
    }


def run(reconciler: Reconciler, tasks: Sequence[PeriodicTask], stopping: threading.Event) -> None:
    """Looks again and again while it leads; else waits to lead. Ends when `stopping` is set.

    tasks: quick ones only, since lost work waits for their end. The others have loops of their own (chores.py).
    """
    steps = [PeriodicTask("reconciler", 0.0, reconciler.run_iteration), *tasks]

    def turn() -> None:
        for step in steps:
            step.run_if_due()

    run_as_leader(
        reconciler.engine, Lock.RECONCILER, turn, stopping, begin=reconciler.begin, follow=reconciler.on_standby
    )
