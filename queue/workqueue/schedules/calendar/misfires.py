"""Which of the ticks that are due make a request, and which is the next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from schema.schedule_policies import Misfire
from workqueue.schedules.calendar.timetable import MICROSECOND, Timetable, first_after, latest_between, ticks_between

MAX_TICKS = 100  # of one schedule, made at one look; the rest follows at the next
MIN_GRACE_S = 2.0  # what the clock itself may be late by misses nothing


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule that is due. since: the ticks of its table later than this are still to be made.

    kept: a tick that was due when the row was edited, by the table of then; it comes first.
    """

    timetable: Timetable
    after: datetime
    misfire: Misfire
    grace_s: float
    pending_tick: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueTicks:
    """ticks: those to make requests for, ascending. next: the tick to wait for then, perhaps past already, or None."""

    ticks: tuple[datetime, ...]
    next: datetime | None


def select_due_ticks(waiting: DueSchedule, now: datetime, most: int = MAX_TICKS) -> DueTicks:
    """What a schedule has to do at `now`, when its first tick has come.

    A tick is missed when it is later than the grace. Of missed ones `skip` makes none, `all` makes each, and `once`
    makes one for the whole time, that of the latest.
    """
    on_time = now - timedelta(seconds=max(waiting.grace_s, MIN_GRACE_S))
    first = next(_pending_ticks(waiting, waiting.after, now), None)
    if first is None:
        return DueTicks((), _first_future_tick(waiting, now))
    if waiting.misfire is Misfire.ALL or first >= on_time:
        return _first_ticks(waiting, _pending_ticks(waiting, waiting.after, now), now, most)
    if waiting.misfire is Misfire.SKIP:
        return _first_ticks(waiting, _pending_ticks(waiting, on_time - MICROSECOND, now), now, most)
    return DueTicks((latest_between(waiting.timetable, waiting.after, now) or first,), _first_future_tick(waiting, now))


def _pending_ticks(waiting: DueSchedule, low: datetime, now: datetime) -> Iterator[datetime]:
    """Those later than `low` that are due, the kept one before all."""
    if waiting.pending_tick is not None and (waiting.pending_tick > low or low == waiting.after):
        yield waiting.pending_tick
    yield from ticks_between(waiting.timetable, max(waiting.after, low), now)


def _first_ticks(waiting: DueSchedule, ticks: Iterator[datetime], now: datetime, most: int) -> DueTicks:
    made = tuple(islice(ticks, most))
    left = next(ticks, None)
    return DueTicks(made, _first_future_tick(waiting, now) if left is None else left)


def _first_future_tick(waiting: DueSchedule, now: datetime) -> datetime | None:
    return first_after(waiting.timetable, max(now, waiting.after))
