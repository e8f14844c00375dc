"""Which of the ticks that are due make a request, and which is the next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from schema.policies import Misfire
from workqueue.schedules.timetable import INSTANT, Timetable, between, first_after, latest

MOST_TICKS = 100  # of one schedule, made at one look; the rest follows at the next
LEAST_GRACE_S = 2.0  # what the clock itself may be late by misses nothing


@dataclass(frozen=True, slots=True)
class Waiting:
    """A schedule that is due. first: the tick that it waits for. follows: the moment after which its table goes on.

    They differ when the row was edited while a tick was due: that one stays, what follows is the new table's.
    """

    table: Timetable
    first: datetime
    follows: datetime
    misfire: Misfire
    grace_s: float


@dataclass(frozen=True, slots=True)
class Due:
    """ticks: those to make requests for, ascending. next: the tick to wait for then, perhaps past already, or None."""

    ticks: tuple[datetime, ...]
    next: datetime | None


def due(waiting: Waiting, now: datetime, most: int = MOST_TICKS) -> Due:
    """What a schedule has to do at `now`, when its first tick has come.

    A tick is missed when it is later than the grace. Of missed ones `skip` makes none, `all` makes each, and `once`
    makes one for the whole time, that of the latest.
    """
    on_time = now - timedelta(seconds=max(waiting.grace_s, LEAST_GRACE_S))
    if waiting.misfire is Misfire.ALL or waiting.first >= on_time:
        return _up_to(waiting, _from(waiting, waiting.first, now), now, most)
    if waiting.misfire is Misfire.SKIP:
        return _up_to(waiting, _from(waiting, on_time, now), now, most)
    last = latest(waiting.table, waiting.follows, now) or waiting.first
    return Due((last,), first_after(waiting.table, max(now, waiting.follows)))


def _from(waiting: Waiting, low: datetime, now: datetime) -> Iterator[datetime]:
    if low <= waiting.first:
        yield waiting.first
    yield from between(waiting.table, max(waiting.follows, low - INSTANT), now)


def _up_to(waiting: Waiting, ticks: Iterator[datetime], now: datetime, most: int) -> Due:
    made = tuple(islice(ticks, most))
    left = next(ticks, None)
    return Due(made, first_after(waiting.table, max(now, waiting.follows)) if left is None else left)
