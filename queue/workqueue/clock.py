"""The clock of the runtime: PostgreSQL's time, carried forward by this machine's steady clock.

Due times are compared across machines, so all read one clock. A step of the local wall clock (NTP, an operator) must
not fire a schedule twice, so the steady clock carries the time forward. PostgreSQL's own clock may be set, too: with
the embedded server it is the wall clock of this machine. Leases are therefore decided by the time that PostgreSQL reads
in the statement itself (lifecycle). All other code sees a step at the next `refresh`, and the reconciler repairs stored
times (maintenance/reconciler.py).
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from schema.engine import autocommit

# CLOCK_BOOTTIME (Linux) includes the time that the machine is suspended; CLOCK_MONOTONIC does not.
STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

MAX_QUERIES, GOOD_ROUND_TRIP_S = 5, 0.002  # half of it is the error that is accepted at once
MIN_STEP_S = 0.5  # a clock drifts by less between two synchronisations: a larger difference means that it was set


def steady_s() -> float:
    """Return the seconds of a clock that cannot be set."""
    return time.clock_gettime(STEADY_CLOCK)


class Clock:
    """Return PostgreSQL's time; until the first `synchronise`, that of this machine."""

    def __init__(self) -> None:
        self._reference = (datetime.now(UTC), steady_s())  # a pair in one attribute: threads read it without a lock
        self._synchronised_at = float("-inf")
        self._uncertainty_s = 0.0  # of that point
        self._wall_offset_s = 0.0  # of this machine's wall clock to its steady clock, at that point

    def now(self) -> datetime:
        """Return the current time in UTC, as an aware datetime."""
        base, taken_at = self._reference
        return base + timedelta(seconds=steady_s() - taken_at)

    def at_monotonic(self, monotonic: float) -> datetime:
        """Return the time at which `time.monotonic()` had this value, in any process of this machine."""
        return self.now() - timedelta(seconds=time.monotonic() - monotonic)

    def seconds_from_now(self, seconds: float) -> datetime:
        """Return the time that is `seconds` after now."""
        return self.now() + timedelta(seconds=seconds)

    def synchronise(self, engine: Engine) -> float:
        """Take over PostgreSQL's time. Return the seconds by which its clock was set since the last call, else 0.

        The answer is taken to be half a round trip old. Of a few queries the quickest counts: on a busy machine an
        answer may come tens of milliseconds late. A step within this uncertainty is not reported, nor one before the
        first call.
        """
        quickest_s = float("inf")
        with autocommit(engine) as connection:
            for _ in range(MAX_QUERIES):
                before = steady_s()
                found = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
                after = steady_s()
                if after - before < quickest_s:
                    quickest_s, answer = after - before, (found, before, after)
                if quickest_s <= GOOD_ROUND_TRIP_S:
                    break
        return self.take_over(*answer)

    def take_over(self, database_now: datetime, before: float, after: float) -> float:
        """Take over a time that PostgreSQL returned, between two values of `steady_s`. Return as `synchronise`."""
        point, half_s = (database_now.astimezone(UTC), (before + after) / 2), (after - before) / 2
        (base, taken_at), is_first = self._reference, self._synchronised_at == float("-inf")
        set_by_s = (point[0] - base).total_seconds() - (point[1] - taken_at)
        # The uncertainty of both points: late answers on a busy machine must not look like a step.
        uncertainty_s = self._uncertainty_s + half_s
        self._reference, self._synchronised_at, self._wall_offset_s = point, after, time.time() - after
        self._uncertainty_s = half_s
        return 0.0 if is_first or abs(set_by_s) < MIN_STEP_S + uncertainty_s else set_by_s

    def refresh(self, engine: Engine, every_s: float = 10.0) -> None:
        """Synchronise if the last time is `every_s` seconds ago, which bounds how late a step is noticed.

        Synchronise at once if the wall clock of this machine was set: PostgreSQL may run on the same machine.
        """
        now = steady_s()
        if now - self._synchronised_at >= every_s or abs(time.time() - now - self._wall_offset_s) >= MIN_STEP_S:
            self.synchronise(engine)
