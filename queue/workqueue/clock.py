"""The one clock: the database's time, carried forward by a clock of this machine that nobody sets.

Due times are compared across machines, so all must read the same clock; and a step of the local wall clock (NTP, a
person) must not fire a schedule twice. The database's own clock may be set, too: with the embedded one it is this
machine's. Who decides about leases therefore lets the database tell the time in the statement itself (lifecycle);
everybody else notices a step at the next `refresh`, and the reconciler makes up for it (upkeep/reconcile.py).
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from schema.engine import autocommit

# Goes on while the machine is suspended, where the system can tell (Linux); the plain one stands still then.
STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

TRIES, QUICK_S = 5, 0.0005
STEP_S = 0.5  # between two looks no clock goes wrong by so much, unless it is set


def steady_s() -> float:
    """Seconds of the clock that nobody sets."""
    return time.clock_gettime(STEADY_CLOCK)


class Clock:
    """Tells the time. Until the first `synchronise` it is this machine's own."""

    def __init__(self) -> None:
        self._point = (datetime.now(UTC), steady_s())  # one value: threads read it without a lock
        self._synchronised_at = float("-inf")
        self._doubt_s = 0.0  # by how much the point may be wrong
        self._wall_s = 0.0  # what this machine's wall clock was ahead of its ticks then

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        base, taken_at = self._point
        return base + timedelta(seconds=steady_s() - taken_at)

    def at_monotonic(self, monotonic: float) -> datetime:
        """What it was when `time.monotonic()`, in whatever process of this machine, gave this."""
        return self.now() - timedelta(seconds=time.monotonic() - monotonic)

    def seconds_from_now(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)

    def synchronise(self, engine: Engine) -> float:
        """Takes over the database's time; half the round trip is what the answer is old by.

        Of a few answers the quickest is taken: on a busy machine one may come late, by tens of milliseconds.
        Gives by how many seconds the database's clock was set since the last time, as far as that is beyond doubt; 0
        where it was not, and at the first time.
        """
        quickest_s = float("inf")
        with autocommit(engine) as connection:
            for _ in range(TRIES):
                before = steady_s()
                database_now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
                after = steady_s()
                if after - before < quickest_s:
                    quickest_s, point = after - before, (database_now.astimezone(UTC), (before + after) / 2)
                if quickest_s <= QUICK_S:
                    break
        (base, taken_at), is_first = self._point, self._synchronised_at == float("-inf")
        set_by_s = (point[0] - base).total_seconds() - (point[1] - taken_at)
        # Of both points: the late answers of a busy machine must not look like a clock that was set.
        doubt_s = self._doubt_s + quickest_s / 2
        self._point, self._synchronised_at, self._wall_s = point, after, time.time() - after
        self._doubt_s = quickest_s / 2
        return 0.0 if is_first or abs(set_by_s) < STEP_S + doubt_s else set_by_s

    def refresh(self, engine: Engine, every_s: float = 10.0) -> None:
        """Synchronises when the last time is a while ago: that the database's clock was set is known so soon.

        And at once when this machine's was: perhaps it is the database's.
        """
        now = steady_s()
        if now - self._synchronised_at >= every_s or abs(time.time() - now - self._wall_s) >= STEP_S:
            self.synchronise(engine)
