"""The stats of functions over the last 24 hours."""

from collections.abc import Sequence
from typing import Any

from handlers.openapi.component import component, format_second, format_time
from handlers.openapi.json_schema import array, date_time, integer, map_of
from handlers.resources.stats import CANCELLED, COUNT, MILLISECONDS
from schema.statuses import End, Status
from workqueue.stats import time_series
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.overview import Snapshot

HOURLY_COUNTS: dict[str, Any] = {"completed": array(COUNT), "failed": array(COUNT)}
FIELDS: dict[str, Any] = {
    **{str(status): COUNT for status in Status},
    "cancelled": CANCELLED,
    "count": integer("requests that completed or failed", minimum=0),
    "failures": COUNT,
    **dict.fromkeys(("p50_ms", "p95_ms", "wait_p95_ms"), MILLISECONDS),
}
FUNCTION_STATS = component(
    "FunctionStats",
    "Pending and running requests now, and requests that ended in the last 24 hours.",
    **FIELDS,
    sparkline=component("Sparkline", times=array(date_time(), "hours, the oldest first"), **HOURLY_COUNTS),
)
FUNCTIONS_STATS = component(
    "FunctionsStats",
    "The stats of every function that has requests now or had some in the last 24 hours.",
    time=date_time(),
    times=array(date_time(), "the hours of all sparklines, the oldest first"),
    functions=map_of(component("FunctionHealth", **FIELDS, sparkline=component("SparklineCounts", **HOURLY_COUNTS))),
)


def serialize_function_stats(snapshot: Snapshot, name: str) -> dict[str, Any]:
    stats = _serialize_one(snapshot, name, [minute for minute in snapshot.hours if minute.function == name])
    return stats | {"sparkline": {"times": _hours(snapshot)} | stats["sparkline"]}


def serialize_functions_stats(snapshot: Snapshot) -> dict[str, Any]:
    """Return the stats of all functions. The hours are the same for all, so they are included once."""
    by_function: dict[str, list[FunctionMinute]] = {}
    for minute in snapshot.hours:
        by_function.setdefault(minute.function, []).append(minute)
    names = sorted({*by_function, *snapshot.live})
    return {
        "time": format_time(snapshot.now),
        "times": _hours(snapshot),
        "functions": {name: _serialize_one(snapshot, name, by_function.get(name, ())) for name in names},
    }


def _hours(snapshot: Snapshot) -> list[str | None]:
    return [format_second(time) for time in time_series.function_health((), snapshot.now).hours]


def _serialize_one(snapshot: Snapshot, name: str, minutes: Sequence[FunctionMinute]) -> dict[str, Any]:
    health = time_series.function_health(minutes, snapshot.now)
    live = snapshot.live.get(name, {})
    return {
        Status.PENDING: live.get(Status.PENDING, 0),
        Status.PROCESSING: live.get(Status.PROCESSING, 0),
        Status.COMPLETED: health.count - health.failures,
        Status.FAILED: health.failures,
        End.CANCELLED: health.cancelled,
        "count": health.count,
        "failures": health.failures,
        "p50_ms": health.runs["p50"],
        "p95_ms": health.runs["p95"],
        "wait_p95_ms": health.waits["p95"],
        "sparkline": {"completed": health.completed, "failed": health.failed},
    }
