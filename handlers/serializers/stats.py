"""How queues, workers, sandboxes and statistics look in JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from handlers.serializers.resources import moment, second
from schema.statuses import End, Status
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats import time_series
from workqueue.stats.histogram import percentiles_ms
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.overview import Snapshot
from workqueue.stats.problem_texts import Problem
from workqueue.stats.queue_depth import Queue
from workqueue.stats.time_series import Health, Percentiles, Series

KINDS = (*Status, End.CANCELLED)
# However many functions there are, an answer that is asked for every two seconds stays small.
MOST_COUNTED, MOST_FAILING = 100, 20


def stats(found: Snapshot) -> dict[str, Any]:
    """counts: what waits and runs now, and what ended in the last 24 hours; cancelled ones are not among the failed."""
    counts = _counts(found)
    hour = time_series.recent_series(found.recent, found.now)
    failing = sorted(hour.failures, key=lambda name: sum(hour.failures[name]), reverse=True)[:MOST_FAILING]
    return {
        "time": moment(found.now),
        "counts": {
            "by_status": {kind: sum(each[kind] for each in counts.values()) for kind in KINDS},
            "by_function": {name: counts[name] for name in sorted(_largest(counts, MOST_COUNTED))},
            "ended_within_s": 24 * 3600,
        },
        "throughput": _throughput(hour),
        "latency": {
            "within_s": 3600,
            "wait_ms": percentiles_ms(time_series.wait_histogram(found.recent)),
            "run_ms": percentiles_ms(time_series.run_histogram(found.recent)),
        },
        "latency_series": {
            "times": [second(time) for time in hour.times],
            "wait_ms": _columns(hour.waits),
            "run_ms": _columns(hour.runs),
        },
        "failures": {
            "times": [second(time) for time in hour.times],
            "by_function": {name: hour.failures[name] for name in failing},
        },
        "queue_depth": {item.name: item.depth.due for item in found.queues},
        "queue_depth_series": _depths(found, hour.times),
        "queues": [queue(item, found.now) for item in found.queues],
        "workers": {
            "alive": sum(each.is_alive for each in found.workers),
            "busy": sum(each.state == "busy" for each in found.workers),
        },
        "problems": [problem(each) for each in found.problems],
    }


def _counts(found: Snapshot) -> dict[str, dict[str, int]]:
    """What waits and runs of each function now, and what ended of it within 24 hours."""
    counts = {name: dict.fromkeys(KINDS, 0) | found.live[name] for name in found.live}
    for each in found.hours:
        ended = counts.setdefault(each.function, dict.fromkeys(KINDS, 0))
        ended[Status.COMPLETED] += each.completed
        ended[Status.FAILED] += each.failed
        ended[End.CANCELLED] += each.cancelled
    return counts


def _largest(counts: Mapping[str, Mapping[str, int]], most: int) -> list[str]:
    return sorted(counts, key=lambda name: (-sum(counts[name].values()), name))[:most]


def functions_stats(found: Snapshot) -> dict[str, Any]:
    """Every function's last 24 hours, without the hours themselves, which are the same for all."""
    hours = _by_function(found.hours)
    names = sorted({*hours, *found.live})
    told = {name: _stats(found, name, hours.get(name, ())) for name in names}
    return {"time": moment(found.now), "times": _hours(found), "functions": told}


def _hours(found: Snapshot) -> list[str | None]:
    """The hours of every sparkline."""
    return [second(time) for time in time_series.function_health((), found.now).hours]


def _by_function(minutes: Iterable[FunctionMinute]) -> dict[str, list[FunctionMinute]]:
    groups: dict[str, list[FunctionMinute]] = {}
    for each in minutes:
        groups.setdefault(each.function, []).append(each)
    return groups


def function_stats(found: Snapshot, name: str) -> dict[str, Any]:
    """What waits and runs of it now, and its last 24 hours."""
    told = _stats(found, name, [each for each in found.hours if each.function == name])
    return told | {"sparkline": {"times": _hours(found)} | told["sparkline"]}


def _stats(found: Snapshot, name: str, hours: Sequence[FunctionMinute]) -> dict[str, Any]:
    health = time_series.function_health(hours, found.now)
    live = found.live.get(name, {})
    return {
        Status.PENDING: live.get(Status.PENDING, 0),
        Status.PROCESSING: live.get(Status.PROCESSING, 0),
        Status.COMPLETED: health.count - health.failures,
        Status.FAILED: health.failures,
        End.CANCELLED: health.cancelled,
    } | _health(health)


def _health(health: Health) -> dict[str, Any]:
    return {
        "count": health.count,
        "failures": health.failures,
        "p50_ms": health.runs["p50"],
        "p95_ms": health.runs["p95"],
        "wait_p95_ms": health.waits["p95"],
        "sparkline": {
            "completed": health.completed,
            "failed": health.failed,
        },
    }


def _names(found: Snapshot) -> list[str]:
    return sorted({each.function for each in found.hours} | set(found.live))


def _throughput(hour: Series) -> dict[str, Any]:
    """per_minute: completed and failed in the last whole minute."""
    return {
        "per_minute": hour.completed[-2] + hour.failed[-2],
        "times": [second(time) for time in hour.times],
        "completed": hour.completed,
        "failed": hour.failed,
        "cancelled": hour.cancelled,
    }


def _columns(percentiles: Sequence[Percentiles]) -> dict[str, list[float | None]]:
    return {name: [each[name] for each in percentiles] for name in ("p50", "p95", "p99")}


def _depths(found: Snapshot, times: Sequence[datetime]) -> dict[str, Any]:
    """null where nobody looked; a look that found nothing in a queue noted none of it."""
    samples: dict[datetime, dict[str, int]] = {}
    for time, name, depth in found.depths:
        samples.setdefault(time, {})[name] = depth
    names = [item.name for item in found.queues]
    values = {name: [samples[time].get(name, 0) if time in samples else None for time in times] for name in names}
    return {"times": [second(time) for time in times], "by_queue": values}


def queue(item: Queue, now: datetime) -> dict[str, Any]:
    """depth: what is due; scheduled: what has a later time."""
    oldest = item.depth.oldest
    return {
        "name": item.name,
        "depth": item.depth.due,
        "scheduled": item.depth.later,
        "oldest_age_s": round(max((now - oldest).total_seconds(), 0.0), 1) if oldest else None,
        "paused": item.paused_at is not None,
        "paused_at": moment(item.paused_at),
        "workers": item.workers,
    }


def worker(found: WorkerInfo) -> dict[str, Any]:
    return {
        "name": found.name,
        "host": found.hostname,
        "pid": found.pid,
        "queues": list(found.queues),
        "state": found.state,
        "started_at": moment(found.started_at),
        "seen_at": moment(found.seen_at),
        "request_id": found.request_id,
        "function": found.function,
        "phase": found.phase,
        "since": moment(found.since),
        "held": found.held,
    }


def sandbox(note: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "host", "pid", "function", "state", "worker", "memory_mb", "age_s")
    return {name: note.get(name) for name in names}


def highlight(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "function": row["function"],
        "status": row["status"],
        "phase": row["phase"],
        "progress": {"fraction": row["progress_fraction"], "message": row["progress_message"]},
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "error_type": row["error_type"],
        "error_message": row["error_message"],
    }


def problem(found: Problem) -> dict[str, Any]:
    subject = {"kind": found.subject[0], "name": found.subject[1]} if found.subject else None
    return asdict(found) | {"since": moment(found.since), "subject": subject}
