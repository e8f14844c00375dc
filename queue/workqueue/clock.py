"""The one clock: the database's time, carried forward by this machine's monotonic clock.

Leases and due times are compared across machines, so all must read the same clock; and a step of the
local wall clock (NTP, a person) must neither expire a lease nor fire a schedule twice.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text


class Clock:
    """Tells the time. Until the first `synchronise` it is this machine's own."""

    def __init__(self) -> None:
        self._set(datetime.now(UTC), time.monotonic())

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return self._base + timedelta(seconds=time.monotonic() - self._taken_at)

    def in_seconds(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)

    def synchronise(self, engine: Engine) -> None:
        """Takes over the database's time; half the round trip is what the answer is old by."""
        with engine.connect() as connection:
            before = time.monotonic()
            database_now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            after = time.monotonic()
        self._set(database_now.astimezone(UTC), (before + after) / 2)

    def _set(self, base: datetime, taken_at: float) -> None:
        self._base, self._taken_at = base, taken_at
