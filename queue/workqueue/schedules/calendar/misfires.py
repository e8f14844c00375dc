"""Decide which of the due ticks create a request, and which tick is next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from schema.schedule_policies import Misfire
from workqueue.schedules.calendar.timetable import MICROSECOND, Timetable, first_after, latest_between, ticks_between

MAX_TICKS = 100  # of one schedule per iteration; the next iteration continues
MIN_GRACE_S = 2.0  # the scheduler itself may be late by this much; that is not a misfire


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A due schedule. after: ticks of the timetable later than this have not fired yet.

    pending_tick: a tick that was already due, by the old timetable, when the row was edited; it fires first.
    """

    timetable: Timetable
    after: datetime
    misfire: Misfire
    grace_s: float
    pending_tick: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueTicks:
    """Ticks that create requests, ascending. next: the tick to wait for, possibly in the past; None at the end."""

    ticks: tuple[datetime, ...]
    next: datetime | None


def select_due_ticks(waiting: DueSchedule, now: datetime, most: int = MAX_TICKS) -> DueTicks:
    """Return the ticks of a due schedule that fire at `now`, at most `most` of them.

    A tick is missed when its delay exceeds the grace. Of the missed ticks `skip` fires none, `all` fires each, and
    `once` fires the latest.
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
    """Yield the due ticks later than `low`, the pending one first."""
    if waiting.pending_tick is not None and (waiting.pending_tick > low or low == waiting.after):
        yield waiting.pending_tick
    yield from ticks_between(waiting.timetable, max(waiting.after, low), now)


def _first_ticks(waiting: DueSchedule, ticks: Iterator[datetime], now: datetime, most: int) -> DueTicks:
    first = tuple(islice(ticks, most))
    following = next(ticks, None)
    return DueTicks(first, _first_future_tick(waiting, now) if following is None else following)


def _first_future_tick(waiting: DueSchedule, now: datetime) -> datetime | None:
    return first_after(waiting.timetable, max(now, waiting.after))
