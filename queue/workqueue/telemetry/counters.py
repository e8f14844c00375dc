"""Count in the memory of one process: an observation costs a microsecond and no write.

A counter of prometheus_client takes 4 to 10 µs here, and a request needs about eight. The counts are flushed to
PostgreSQL together, at intervals (metric_store.py).
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime

from schema.statuses import ENDED, End, Outcome, Status, end_of
from workqueue.lifecycle import ExpiredLease
from workqueue.telemetry import AttemptFinished, metrics
from workqueue.telemetry.metrics import BUCKETS, CAUSES, Metric

MAX_FUNCTIONS = 200  # names used as labels; a process labels all further functions OTHER
OTHER = "other"
# Outcomes after which the sandbox still runs: a MemoryError does not end it.
SANDBOX_SURVIVED = (
    Outcome.COMPLETED,
    Outcome.FAILED,
    Outcome.INVALID,
)

Key = tuple[str, tuple[str, ...]]  # metric, labels


class Counters:
    """The counters of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Key, list[float]] = {}
        self._functions: set[str] = set()

    def on_finished(self, finished: Sequence[AttemptFinished], now: datetime) -> None:
        """Count finished attempts."""
        with self._lock:
            for each in finished:
                self._count_attempt(each, now)

    def on_lost(self, expired: Sequence[ExpiredLease], now: datetime) -> None:  # noqa: ARG002 - Observer's signature
        """Count the attempts of lost workers."""
        with self._lock:
            for each in expired:
                function, is_failed = self._label(each.function_name), each.status is Status.FAILED
                self._count(metrics.LEASES_LOST, ())
                self._count(metrics.RECONCILER, ("failed" if is_failed else "rerun",))
                self._count(metrics.ATTEMPTS, (function, each.record.outcome))
                if is_failed:
                    self._count(metrics.REQUESTS, (function, end_of(each.status, each.record.outcome)))

    def on_cancelled(self, functions: Iterable[str]) -> None:
        """Count requests that were cancelled while they waited, without an attempt."""
        with self._lock:
            for function in functions:
                self._count(metrics.REQUESTS, (self._label(function), End.CANCELLED))

    def on_unknown(self, functions: Iterable[str]) -> None:
        """Count requests that failed without an attempt, because no pool has their function."""
        with self._lock:
            for function in functions:
                self._count(metrics.RECONCILER, ("failed",))
                self._count(metrics.REQUESTS, (self._label(function), End.FAILED))

    def close(self) -> None:
        """Do nothing: the owner of a connection flushes the counts."""

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Increase a counter."""
        with self._lock:
            self._count(metric, labels, by)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Add an observation to a histogram."""
        with self._lock:
            self._observe(metric, labels, seconds)

    def take(self) -> dict[Key, list[float]]:
        """Take the counts since the last call: one number of a counter; the buckets and the sum of a histogram."""
        with self._lock:
            taken, self._values = self._values, {}
        return taken

    def put_back(self, taken: dict[Key, list[float]]) -> None:
        """Add counts that could not be flushed to the next ones."""
        with self._lock:
            for key, values in taken.items():
                newer = self._values.get(key)
                self._values[key] = values if newer is None else [a + b for a, b in zip(newer, values, strict=True)]

    def _count_attempt(self, finished: AttemptFinished, now: datetime) -> None:
        claim, record = finished.claim, finished.record
        function = self._label(claim.function_name)
        labels = (function,)
        self._count(metrics.ATTEMPTS, (function, record.outcome))
        if finished.status in ENDED:
            self._count(metrics.REQUESTS, (function, end_of(finished.status, record.outcome)))
        if record.outcome not in SANDBOX_SURVIVED and record.error_type in CAUSES:
            self._count(metrics.KILLS, (CAUSES[record.error_type],))
        if record.cold_start:
            self._count(metrics.COLD_STARTS, labels)
        if record.init_ms is not None:
            self._observe(metrics.INIT, labels, record.init_ms / 1000)
        self._observe(metrics.QUEUE_WAIT, labels, (claim.claimed_at - claim.available_at).total_seconds())
        if record.outcome is Outcome.CANCELLED:
            return  # a user chose the end: the times do not describe the function
        self._observe(metrics.RUN, labels, (now - claim.claimed_at).total_seconds())
        for phase in record.phases:
            if phase.duration_us is not None:
                self._observe(metrics.PHASE, (function, phase.phase), phase.duration_us / 1_000_000)

    def _label(self, function: str) -> str:
        if function in self._functions:
            return function
        if len(self._functions) >= MAX_FUNCTIONS:
            return OTHER
        self._functions.add(function)
        return function

    def _count(self, metric: Metric, labels: tuple[str, ...], by: float = 1) -> None:
        values = self._values.get((metric.name, labels))
        if values is None:
            self._values[metric.name, labels] = [by]
        else:
            values[0] += by

    def _observe(self, metric: Metric, labels: tuple[str, ...], seconds: float) -> None:
        seconds = max(seconds, 0.0)  # clocks of two machines may differ
        values = self._values.get((metric.name, labels))
        if values is None:
            self._values[metric.name, labels] = values = [0.0] * (len(BUCKETS) + 2)
        values[bisect_left(BUCKETS, seconds)] += 1
        values[-1] += seconds
