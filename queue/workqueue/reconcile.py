"""The reconciler: a loop that makes true what a crash left half done. Any number of copies may run; one leads.

Pending and due but not rung, or rung and not answered: it rings. A lease that lapsed: the request is given back
for the next attempt, or failed when none is left.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.doorbell import Bell, Doorbell
from workqueue.persist import first_line

log = logging.getLogger(__name__)

LEADER_LOCK = 0x6C6F636C  # "locl"
EVERY_S = 0.5
FROZEN_S = 4.0  # a leader that asked nothing for so long leads no more
UNANSWERED_S = 3.0  # a bell that was rung so long ago and waits in no queue was lost
FRESH_S = 1.5  # a process that just started waits so long before it takes a lease for lapsed
OUTAGE_S = 3.0  # a pause this long between two good looks was an outage


@dataclass(slots=True)
class Reconciler:
    """One copy. lease_s: what leases last; after an outage of the database they get as much once more."""

    engine: Engine
    doorbell: Doorbell
    clock: Clock
    lease_s: float
    spare_until: datetime | None = None
    looked_at: datetime | None = None

    def look(self) -> None:
        """Puts right what there is now."""
        now = self.clock.now()
        self._notice_outage(now)
        if self.spare_until is None or now >= self.spare_until:
            for lapsed in lifecycle.expire(self.engine, now):
                log.warning("worker lost", extra={"request_id": str(lapsed.request_id), "attempt": lapsed.attempt})
                self.doorbell.announce(lapsed.request_id)
        self._ring(now)
        self.looked_at = self.clock.now()

    def _notice_outage(self, now: datetime) -> None:
        """While the database was away no worker could extend: that is no sign of its death."""
        if self.looked_at is None:  # just started: perhaps everything was, after an outage that we did not see
            self.spare_until = now + timedelta(seconds=FRESH_S)
        elif now - self.looked_at > timedelta(seconds=OUTAGE_S):
            self.spare_until = now + timedelta(seconds=self.lease_s)

    def _ring(self, now: datetime) -> None:
        bells = lifecycle.due_bells(self.engine, now, now - timedelta(seconds=UNANSWERED_S))
        if not bells:
            return
        try:
            waiting = self.doorbell.waiting(sorted({bell.queue for bell in bells}))
        except RedisError as error:
            log.warning("Redis is away: nothing was rung", extra={"error": str(error)})
            return
        # A bell that still waits in its queue needs no second one; it only has not been its turn.
        silent: list[Bell] = [bell for bell in bells if bell.job_id not in waiting]
        if not silent or self.doorbell.ring(silent):
            lifecycle.mark_rung(self.engine, bells, now)
        if silent:
            log.info("rang", extra={"count": len(silent)})


@dataclass(slots=True)
class Chore:
    """Something that the leader does now and then; an error of one is no matter of the others."""

    name: str
    every_s: float
    do: Callable[[], object]
    due_at: float = 0.0

    def do_if_due(self) -> None:
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + self.every_s
        try:
            self.do()
        except Exception as error:  # noqa: BLE001 - the leader's own work must go on, whatever it is
            log.warning("a chore failed", extra={"chore": self.name, "error": first_line(error)})


def run(reconciler: Reconciler, chores: Sequence[Chore], stopping: threading.Event) -> None:
    """Looks again and again while it leads; else waits to lead. Ends when `stopping` is set."""
    while not stopping.is_set():
        try:
            with reconciler.engine.connect() as connection:
                if _leads(connection):
                    try:
                        _lead(connection, reconciler, chores, stopping)
                    finally:
                        connection.invalidate()  # back in the pool it would keep the lock
                else:
                    reconciler.looked_at = reconciler.clock.now()  # somebody else leads, and the database is there
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("PostgreSQL is away", extra={"error": first_line(error)})
        stopping.wait(EVERY_S)


def _leads(connection: Connection) -> bool:
    """The lock belongs to the connection's session: it ends with the process, or with the connection.

    PostgreSQL ends the session of a leader that is frozen, so that another one leads.
    """
    connection.execute(text(f"SET idle_session_timeout = {int(FROZEN_S * 1000)}"))
    statement = text("SELECT pg_try_advisory_lock(:lock)")
    led = bool(connection.execute(statement, {"lock": LEADER_LOCK}).scalar_one())
    connection.commit()
    return led


def _lead(connection: Connection, reconciler: Reconciler, chores: Sequence[Chore], stopping: threading.Event) -> None:
    log.info("leading")
    reconciler.clock.synchronise(reconciler.engine)
    while not stopping.wait(EVERY_S):
        connection.execute(text("SELECT 1"))  # raises when the session, and with it the lock, is gone
        connection.commit()
        reconciler.look()
        for chore in chores:
            chore.do_if_due()
