"""Minutes of the tally as charts and lists show them. Pure."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from workqueue.stats.histogram import Histogram, added, percentiles_ms
from workqueue.stats.minute_rollup import Minute, floor

RECENT_MINUTES = 60
DAY_HOURS = 24
Key = TypeVar("Key", bound=Hashable)
Percentiles = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """The last hour, minute by minute, oldest first; the last one is still under way.

    waits, runs: percentiles of each minute. failures: by function, those that had none left out.
    cancelled: in no other of these.
    """

    times: list[datetime]
    completed: list[int]
    failed: list[int]
    cancelled: list[int]
    waits: list[Percentiles]
    runs: list[Percentiles]
    failures: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Health:
    """A function's last 24 hours. completed, failed: by the hour, oldest first; the last one is still under way.

    count: of both; cancelled ones come on top.
    """

    count: int
    failures: int
    cancelled: int
    waits: Percentiles
    runs: Percentiles
    hours: list[datetime]
    completed: list[int]
    failed: list[int]


def merged(minutes: Iterable[Minute], place: Callable[[Minute], datetime]) -> list[Minute]:
    """Those of one function and one place in one. place: the time that a minute counts for."""
    groups = _grouped(minutes, lambda each: (place(each), each.function))
    return [
        Minute(
            moment,
            function,
            sum(each.completed for each in group),
            sum(each.failed for each in group),
            added(each.waits for each in group),
            added(each.runs for each in group),
            sum(each.cancelled for each in group),
        )
        for (moment, function), group in groups.items()
    ]


def hour(minute: Minute) -> datetime:
    return minute.minute.replace(minute=0)


def recent(minutes: Iterable[Minute], now: datetime) -> Series:
    """The last hour of all functions."""
    last = floor(now)
    times = [last - timedelta(minutes=back) for back in reversed(range(RECENT_MINUTES))]
    shown = [each for each in minutes if times[0] <= each.minute <= last]
    by_time = _grouped(shown, lambda each: each.minute)
    groups = [by_time.get(time, []) for time in times]
    return Series(
        times=times,
        completed=[sum(each.completed for each in group) for group in groups],
        failed=[sum(each.failed for each in group) for group in groups],
        cancelled=[sum(each.cancelled for each in group) for group in groups],
        waits=[percentiles_ms(waits(group)) for group in groups],
        runs=[percentiles_ms(runs(group)) for group in groups],
        failures={
            function: _failures(group, times)
            for function, group in sorted(_grouped(shown, lambda each: each.function).items())
            if any(each.failed for each in group)
        },
    )


def health(minutes: Sequence[Minute], now: datetime) -> Health:
    """The last 24 hours of one function's minutes, or of its hours."""
    last = floor(now).replace(minute=0)
    hours = [last - timedelta(hours=back) for back in reversed(range(DAY_HOURS))]
    shown = [each for each in minutes if each.minute >= hours[0]]
    by_hour = _grouped(shown, hour)
    groups = [by_hour.get(each, []) for each in hours]
    completed = [sum(each.completed for each in group) for group in groups]
    failed = [sum(each.failed for each in group) for group in groups]
    return Health(
        count=sum(completed) + sum(failed),
        failures=sum(failed),
        cancelled=sum(each.cancelled for each in shown),
        waits=percentiles_ms(waits(shown)),
        runs=percentiles_ms(runs(shown)),
        hours=hours,
        completed=completed,
        failed=failed,
    )


def waits(minutes: Iterable[Minute]) -> Histogram:
    return added(each.waits for each in minutes)


def runs(minutes: Iterable[Minute]) -> Histogram:
    return added(each.runs for each in minutes)


def _failures(minutes: Iterable[Minute], times: Sequence[datetime]) -> list[int]:
    found = {each.minute: each.failed for each in merged(minutes, lambda each: each.minute)}
    return [found.get(time, 0) for time in times]


def _grouped(minutes: Iterable[Minute], key: Callable[[Minute], Key]) -> dict[Key, list[Minute]]:
    groups: dict[Key, list[Minute]] = {}
    for each in minutes:
        groups.setdefault(key(each), []).append(each)
    return groups
