"""The stats of the installation: counts, series of the last hour, and problems."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from handlers.openapi.component import component, format_second, format_time
from handlers.openapi.json_schema import array, date_time, enum, integer, map_of, nullable, number, string
from handlers.resources.workers import QUEUE, serialize_queue
from schema.statuses import End, Status
from workqueue.stats import time_series
from workqueue.stats.histogram import percentiles_ms
from workqueue.stats.overview import Snapshot
from workqueue.stats.problem_texts import Problem
from workqueue.stats.time_series import Percentiles, Series

RESULTS = (*Status, End.CANCELLED)
PERCENTILE_NAMES = ("p50", "p95", "p99")
# The SPA polls the stats every two seconds: bound their size, however many functions exist.
MAX_COUNTED_FUNCTIONS, MAX_FAILING_FUNCTIONS = 100, 20

COUNT = integer(minimum=0)
CANCELLED = integer("ended by a cancel; their status is failed, but failed does not count them", minimum=0)
MINUTES = array(date_time(), "minutes, the oldest first")
MILLISECONDS = nullable(number("ms; null without a request"))
PERCENTILES = component("Percentiles", **dict.fromkeys(PERCENTILE_NAMES, MILLISECONDS))
PERCENTILE_SERIES = component("PercentileSeries", **dict.fromkeys(PERCENTILE_NAMES, array(MILLISECONDS)))
COUNT_BY_STATUS = component("CountByStatus", **{str(status): COUNT for status in Status}, cancelled=CANCELLED)
INSTALLATION_PROBLEM = component(
    "InstallationProblem",
    "Something that needs attention.",
    code=string(examples=["no_worker"]),
    severity=enum(("error", "warning", "info")),
    text=string(),
    since=nullable(date_time()),
    subject=nullable(component("ProblemSubject", kind=string(), name=string("empty if count is above 1"))),
    count=integer("how many objects have the problem", minimum=1),
)
STATS = component(
    "Stats",
    time=date_time(),
    counts=component(
        "Counts",
        by_status=COUNT_BY_STATUS,
        by_function=map_of(COUNT_BY_STATUS, f"the {MAX_COUNTED_FUNCTIONS} functions with the most requests"),
        ended_within_s=integer("the period in which ended requests are counted, in seconds"),
    ),
    throughput=component(
        "Throughput",
        per_minute=integer("requests that completed or failed in the last whole minute"),
        times=MINUTES,
        completed=array(COUNT),
        failed=array(COUNT),
        cancelled=array(CANCELLED),
    ),
    latency=component(
        "Latency",
        within_s=integer("the period that the percentiles cover, in seconds"),
        wait_ms=PERCENTILES,
        run_ms=PERCENTILES,
    ),
    latency_series=component("LatencySeries", times=MINUTES, wait_ms=PERCENTILE_SERIES, run_ms=PERCENTILE_SERIES),
    failures=component(
        "Failures",
        times=MINUTES,
        by_function=map_of(
            array(COUNT), f"the {MAX_FAILING_FUNCTIONS} functions with the most failed requests, the worst first"
        ),
    ),
    queue_depth=map_of(COUNT),
    queue_depth_series=component(
        "QueueDepths", times=MINUTES, by_queue=map_of(array(nullable(COUNT), "null for a minute without a sample"))
    ),
    queues=array(QUEUE),
    workers=component("WorkerCounts", alive=COUNT, busy=COUNT),
    problems=array(INSTALLATION_PROBLEM),
)


def serialize_stats(snapshot: Snapshot) -> dict[str, Any]:
    counts = _count_by_function(snapshot)
    hour = time_series.recent_series(snapshot.recent, snapshot.now)
    times = [format_second(time) for time in hour.times]
    by_failures = sorted(hour.failures, key=lambda name: sum(hour.failures[name]), reverse=True)
    return {
        "time": format_time(snapshot.now),
        "counts": {
            "by_status": {result: sum(count[result] for count in counts.values()) for result in RESULTS},
            "by_function": {name: counts[name] for name in sorted(_most_requested(counts))},
            "ended_within_s": 24 * 3600,
        },
        "throughput": _serialize_throughput(hour, times),
        "latency": {
            "within_s": 3600,
            "wait_ms": percentiles_ms(time_series.wait_histogram(snapshot.recent)),
            "run_ms": percentiles_ms(time_series.run_histogram(snapshot.recent)),
        },
        "latency_series": {"times": times, "wait_ms": _by_percentile(hour.waits), "run_ms": _by_percentile(hour.runs)},
        "failures": {
            "times": times,
            "by_function": {name: hour.failures[name] for name in by_failures[:MAX_FAILING_FUNCTIONS]},
        },
        "queue_depth": {queue.name: queue.depth.due for queue in snapshot.queues},
        "queue_depth_series": {"times": times, "by_queue": _depths_by_queue(snapshot, hour.times)},
        "queues": [serialize_queue(queue, snapshot.now) for queue in snapshot.queues],
        "workers": {
            "alive": sum(worker.is_alive for worker in snapshot.workers),
            "busy": sum(worker.state == "busy" for worker in snapshot.workers),
        },
        "problems": [_serialize_problem(problem) for problem in snapshot.problems],
    }


def _count_by_function(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return for each function its pending and running requests, and those that ended within 24 hours."""
    counts = {name: dict.fromkeys(RESULTS, 0) | snapshot.live[name] for name in snapshot.live}
    for minute in snapshot.hours:
        count = counts.setdefault(minute.function, dict.fromkeys(RESULTS, 0))
        count[Status.COMPLETED] += minute.completed
        count[Status.FAILED] += minute.failed
        count[End.CANCELLED] += minute.cancelled
    return counts


def _most_requested(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    return sorted(counts, key=lambda name: (-sum(counts[name].values()), name))[:MAX_COUNTED_FUNCTIONS]


def _serialize_throughput(hour: Series, times: Sequence[str | None]) -> dict[str, Any]:
    return {
        "per_minute": hour.completed[-2] + hour.failed[-2],  # the last minute is not over
        "times": times,
        "completed": hour.completed,
        "failed": hour.failed,
        "cancelled": hour.cancelled,
    }


def _by_percentile(minutes: Sequence[Percentiles]) -> dict[str, list[float | None]]:
    return {name: [minute[name] for minute in minutes] for name in PERCENTILE_NAMES}


def _depths_by_queue(snapshot: Snapshot, times: Sequence[datetime]) -> dict[str, list[int | None]]:
    """Return the depth of each queue by minute: None without a sample; a sample leaves out empty queues."""
    samples: dict[datetime, dict[str, int]] = {}
    for time, name, depth in snapshot.depths:
        samples.setdefault(time, {})[name] = depth
    return {
        queue.name: [samples[time].get(queue.name, 0) if time in samples else None for time in times]
        for queue in snapshot.queues
    }


def _serialize_problem(problem: Problem) -> dict[str, Any]:
    subject = {"kind": problem.subject[0], "name": problem.subject[1]} if problem.subject else None
    return INSTALLATION_PROBLEM.serialize(problem, subject=subject)
