"""Compute the ticks of a schedule: its rule in its time zone, within its bounds. Pure.

The ticks depend only on the row, not on the time of the call, so all schedulers compute the same ticks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from workqueue.schedules.calendar.cron import local_times
from workqueue.schedules.calendar.expression import At, Rate, Rule
from workqueue.schedules.calendar.time_zones import ClockChange, to_utc_times, walk_start

MICROSECOND = timedelta(microseconds=1)
LOOKBACKS = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 366))


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a schedule is due.

    anchor: the start of a rate's intervals. start_at, end_at: inclusive bounds of the ticks; None for no bound.
    All times, and so all ticks, are UTC and whole seconds.
    """

    rule: Rule
    zone: ZoneInfo
    anchor: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None


def ticks_after(table: Timetable, moment: datetime) -> Iterator[datetime]:
    """Yield the ticks later than `moment`, ascending; the iterator can be infinite."""
    low = moment if table.start_at is None else max(moment, table.start_at - MICROSECOND)
    ticks = _ticks_without_end(table, low)
    end_at = table.end_at
    return ticks if end_at is None else takewhile(lambda tick: tick <= end_at, ticks)


def first_after(table: Timetable, moment: datetime) -> datetime | None:
    """Return the first tick later than `moment`; None if the schedule has ended."""
    return next(ticks_after(table, moment), None)


def next_ticks(table: Timetable, moment: datetime, count: int) -> list[datetime]:
    """Return at most `count` ticks later than `moment`."""
    return list(islice(ticks_after(table, moment), count))


def ticks_between(table: Timetable, low: datetime, high: datetime) -> Iterator[datetime]:
    """Yield the ticks later than `low` and not later than `high`."""
    return takewhile(lambda tick: tick <= high, ticks_after(table, low))


def latest_between(table: Timetable, low: datetime, high: datetime) -> datetime | None:
    """Return the last tick of `ticks_between`.

    Try short periods before `high` first, because a schedule for every minute has half a million ticks a year.
    """
    for lookback in LOOKBACKS:
        since = max(low, high - lookback)
        ticks = list(ticks_between(table, since, high))
        if ticks or since == low:
            return ticks[-1] if ticks else None
    return max(ticks_between(table, low, high), default=None)


def _ticks_without_end(table: Timetable, low: datetime) -> Iterator[datetime]:
    rule, zone = table.rule, table.zone
    if isinstance(rule, Rate):
        yield from _rate_ticks(table.anchor, rule.every, low)
        return
    local = [rule.local] if isinstance(rule, At) else local_times(rule, walk_start(low, zone))
    change = ClockChange.SHOWN if isinstance(rule, At) else rule.change
    # The walk can start with times at or before `low`.
    yield from (tick for tick in to_utc_times(local, zone, change) if tick > low)


def _rate_ticks(anchor: datetime, every: timedelta, low: datetime) -> Iterator[datetime]:
    anchor, low = anchor.astimezone(UTC), low.astimezone(UTC)
    tick = anchor + ((low - anchor) // every + 1) * every
    while True:
        yield tick
        tick += every
