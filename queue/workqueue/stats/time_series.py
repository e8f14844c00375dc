"""Aggregate function minutes for charts and lists. Pure."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from workqueue.stats.histogram import Histogram, merge_histograms, percentiles_ms
from workqueue.stats.minute_rollup import FunctionMinute, floor_to_minute

RECENT_MINUTES = 60
DAY_HOURS = 24
Key = TypeVar("Key", bound=Hashable)
Percentiles = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """The last hour by minute, oldest first; the last minute is not over yet.

    waits, runs: percentiles of each minute. failures: by function, without functions that had none. Cancelled requests
    count only as cancelled.
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
    """A function's last 24 hours. completed, failed: by hour, oldest first; the last hour is not over yet.

    count: completed and failed requests, without cancelled ones.
    """

    count: int
    failures: int
    cancelled: int
    waits: Percentiles
    runs: Percentiles
    hours: list[datetime]
    completed: list[int]
    failed: list[int]


def merge_minutes(
    minutes: Iterable[FunctionMinute], period: Callable[[FunctionMinute], datetime]
) -> list[FunctionMinute]:
    """Merge minutes of the same function and period. period: returns the start of a minute's period."""
    groups = _group_by(minutes, lambda each: (period(each), each.function))
    return [
        FunctionMinute(
            moment,
            function,
            sum(each.completed for each in group),
            sum(each.failed for each in group),
            merge_histograms(each.waits for each in group),
            merge_histograms(each.runs for each in group),
            sum(each.cancelled for each in group),
        )
        for (moment, function), group in groups.items()
    ]


def hour_of(minute: FunctionMinute) -> datetime:
    return minute.minute.replace(minute=0)


def recent_series(minutes: Iterable[FunctionMinute], now: datetime) -> Series:
    """Return the last hour of all functions."""
    last = floor_to_minute(now)
    times = [last - timedelta(minutes=back) for back in reversed(range(RECENT_MINUTES))]
    recent_minutes = [each for each in minutes if times[0] <= each.minute <= last]
    by_time = _group_by(recent_minutes, lambda each: each.minute)
    groups = [by_time.get(time, []) for time in times]
    return Series(
        times=times,
        completed=[sum(each.completed for each in group) for group in groups],
        failed=[sum(each.failed for each in group) for group in groups],
        cancelled=[sum(each.cancelled for each in group) for group in groups],
        waits=[percentiles_ms(wait_histogram(group)) for group in groups],
        runs=[percentiles_ms(run_histogram(group)) for group in groups],
        failures={
            function: _failures_by_time(group, times)
            for function, group in sorted(_group_by(recent_minutes, lambda each: each.function).items())
            if any(each.failed for each in group)
        },
    )


def function_health(minutes: Sequence[FunctionMinute], now: datetime) -> Health:
    """Return the last 24 hours of one function. minutes: its minutes or its hours."""
    last = floor_to_minute(now).replace(minute=0)
    hours = [last - timedelta(hours=back) for back in reversed(range(DAY_HOURS))]
    recent_minutes = [each for each in minutes if each.minute >= hours[0]]
    by_hour = _group_by(recent_minutes, hour_of)
    groups = [by_hour.get(each, []) for each in hours]
    completed = [sum(each.completed for each in group) for group in groups]
    failed = [sum(each.failed for each in group) for group in groups]
    return Health(
        count=sum(completed) + sum(failed),
        failures=sum(failed),
        cancelled=sum(each.cancelled for each in recent_minutes),
        waits=percentiles_ms(wait_histogram(recent_minutes)),
        runs=percentiles_ms(run_histogram(recent_minutes)),
        hours=hours,
        completed=completed,
        failed=failed,
    )


def wait_histogram(minutes: Iterable[FunctionMinute]) -> Histogram:
    return merge_histograms(each.waits for each in minutes)


def run_histogram(minutes: Iterable[FunctionMinute]) -> Histogram:
    return merge_histograms(each.runs for each in minutes)


def _failures_by_time(minutes: Iterable[FunctionMinute], times: Sequence[datetime]) -> list[int]:
    failed_by_minute = {each.minute: each.failed for each in merge_minutes(minutes, lambda each: each.minute)}
    return [failed_by_minute.get(time, 0) for time in times]


def _group_by(
    minutes: Iterable[FunctionMinute], key: Callable[[FunctionMinute], Key]
) -> dict[Key, list[FunctionMinute]]:
    groups: dict[Key, list[FunctionMinute]] = {}
    for each in minutes:
        groups.setdefault(key(each), []).append(each)
    return groups
