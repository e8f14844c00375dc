"""The one clock: the database's time, carried forward by a clock of this machine that nobody sets.

Leases and due times are compared across machines, so all must read the same clock; and a step of the
local wall clock (NTP, a person) must neither expire a lease nor fire a schedule twice.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from schema.session import at_once

# Goes on while the machine is suspended, where the system can tell (Linux); the plain one stands still then.
TICKS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

TRIES, QUICK_S = 5, 0.0005


class Clock:
    """Tells the time. Until the first `synchronise` it is this machine's own."""

    def __init__(self) -> None:
        self._point = (datetime.now(UTC), time.clock_gettime(TICKS))  # one value: threads read it without a lock
        self._synchronised_at = float("-inf")

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        base, taken_at = self._point
        return base + timedelta(seconds=time.clock_gettime(TICKS) - taken_at)

    def of(self, monotonic: float) -> datetime:
        """What it was when `time.monotonic()`, in whatever process of this machine, gave this."""
        return self.now() - timedelta(seconds=time.monotonic() - monotonic)

    def in_seconds(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)

    def synchronise(self, engine: Engine) -> None:
        """Takes over the database's time; half the round trip is what the answer is old by.

        Of a few answers the quickest is taken: on a busy machine one may come late, by tens of milliseconds.
        """
        quickest_s = float("inf")
        with at_once(engine) as connection:
            for _ in range(TRIES):
                before = time.clock_gettime(TICKS)
                database_now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
                after = time.clock_gettime(TICKS)
                if after - before < quickest_s:
                    quickest_s, point = after - before, (database_now.astimezone(UTC), (before + after) / 2)
                if quickest_s <= QUICK_S:
                    break
        self._point, self._synchronised_at = point, after

    def refresh(self, engine: Engine, every_s: float = 60.0) -> None:
        """Synchronises when the last time is long ago: two crystals drift apart by milliseconds a minute."""
        if time.clock_gettime(TICKS) - self._synchronised_at >= every_s:
            self.synchronise(engine)
