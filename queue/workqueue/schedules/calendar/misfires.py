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


def select_due_ticks(due_schedule: DueSchedule, now: datetime, max_ticks: int = MAX_TICKS) -> DueTicks:
    """Return the ticks of a due schedule that fire at `now`, at most `most` of them.

    A tick is missed when its delay exceeds the grace. Of the missed ticks `skip` fires none, `all` fires each, and
    `once` fires the latest.
    """
    on_time = now - timedelta(seconds=max(due_schedule.grace_s, MIN_GRACE_S))
    first = next(_pending_ticks(due_schedule, due_schedule.after, now), None)
    if first is None:
        return DueTicks((), _first_future_tick(due_schedule, now))
    if due_schedule.misfire is Misfire.ALL or first >= on_time:
        return _first_ticks(due_schedule, _pending_ticks(due_schedule, due_schedule.after, now), now, max_ticks)
    if due_schedule.misfire is Misfire.SKIP:
        return _first_ticks(due_schedule, _pending_ticks(due_schedule, on_time - MICROSECOND, now), now, max_ticks)
    return DueTicks(
        (latest_between(due_schedule.timetable, due_schedule.after, now) or first,),
        _first_future_tick(due_schedule, now),
    )


def _pending_ticks(due_schedule: DueSchedule, low: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the due ticks later than `low`, the pending one first."""
    if due_schedule.pending_tick is not None and (due_schedule.pending_tick > low or low == due_schedule.after):
        yield due_schedule.pending_tick
    yield from ticks_between(due_schedule.timetable, max(due_schedule.after, low), now)


def _first_ticks(due_schedule: DueSchedule, ticks: Iterator[datetime], now: datetime, max_ticks: int) -> DueTicks:
    first = tuple(islice(ticks, max_ticks))
    following = next(ticks, None)
    return DueTicks(first, _first_future_tick(due_schedule, now) if following is None else following)


def _first_future_tick(due_schedule: DueSchedule, now: datetime) -> datetime | None:
    return first_after(due_schedule.timetable, max(now, due_schedule.after))
