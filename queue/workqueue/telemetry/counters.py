"""Counts in the memory of one process, in plain numbers: an observation costs a microsecond, not a write.

prometheus_client's own counters take four to ten here, and there are some eight per request. What is counted is handed
over as a whole now and then (totals.py).
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime

from schema.statuses import ENDED, End, Outcome, Status, end_of
from workqueue.lifecycle import ExpiredLease
from workqueue.telemetry import AttemptFinished, metrics
from workqueue.telemetry.metrics import BUCKETS, CAUSES, Metric

MAX_FUNCTIONS = 200  # names as labels; a process that meets more calls the rest OTHER
OTHER = "other"
LIVING = (Outcome.COMPLETED, Outcome.FAILED, Outcome.INVALID)  # the sandbox lived on: a MemoryError ends none

Key = tuple[str, tuple[str, ...]]  # metric, labels


class Counters:
    """Of one process. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Key, list[float]] = {}
        self._functions: set[str] = set()

    def ended(self, settled: Sequence[AttemptFinished], now: datetime) -> None:
        with self._lock:
            for each in settled:
                self._attempt(each, now)

    def lost(self, lapsed: Sequence[ExpiredLease], now: datetime) -> None:  # noqa: ARG002 - an observer's
        with self._lock:
            for each in lapsed:
                function, is_failed = self._label(each.function_name), each.status is Status.FAILED
                self._count(metrics.LEASES_LOST, ())
                self._count(metrics.RECONCILER, ("failed" if is_failed else "rerun",))
                self._count(metrics.ATTEMPTS, (function, each.record.outcome))
                if is_failed:
                    self._count(metrics.REQUESTS, (function, end_of(each.status, each.record.outcome)))

    def cancelled(self, functions: Iterable[str]) -> None:
        """Requests that ended while they waited: no attempt tells of them."""
        with self._lock:
            for function in functions:
                self._count(metrics.REQUESTS, (self._label(function), End.CANCELLED))

    def close(self) -> None:
        """What was counted is handed over by whoever has a connection."""

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        with self._lock:
            self._count(metric, labels, by)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        with self._lock:
            self._observe(metric, labels, seconds)

    def take(self) -> dict[Key, list[float]]:
        """What was counted since the last time. A counter is one number; a histogram its buckets, then the sum."""
        with self._lock:
            taken, self._values = self._values, {}
        return taken

    def put_back(self, taken: dict[Key, list[float]]) -> None:
        """It could not be handed over: it is part of the next."""
        with self._lock:
            for key, values in taken.items():
                mine = self._values.get(key)
                self._values[key] = values if mine is None else [a + b for a, b in zip(mine, values, strict=True)]

    def _attempt(self, settled: AttemptFinished, now: datetime) -> None:
        claim, record = settled.claim, settled.record
        function = self._label(claim.function_name)
        one = (function,)
        self._count(metrics.ATTEMPTS, (function, record.outcome))
        if settled.status in ENDED:
            self._count(metrics.REQUESTS, (function, end_of(settled.status, record.outcome)))
        if record.outcome not in LIVING and record.error_type in CAUSES:
            self._count(metrics.KILLS, (CAUSES[record.error_type],))
        if record.cold_start:
            self._count(metrics.COLD_STARTS, one)
        if record.init_ms is not None:
            self._observe(metrics.INIT, one, record.init_ms / 1000)
        self._observe(metrics.QUEUE_WAIT, one, (claim.claimed_at - claim.available_at).total_seconds())
        if record.outcome is Outcome.CANCELLED:
            return  # a person chose when it ended: its times say nothing of the function
        self._observe(metrics.RUN, one, (now - claim.claimed_at).total_seconds())
        for phase in record.phases:
            if (duration_ms := phase.get("duration_ms")) is not None:
                self._observe(metrics.PHASE, (function, phase["phase"]), duration_ms / 1000)

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
        seconds = max(seconds, 0.0)  # two machines' clocks
        values = self._values.get((metric.name, labels))
        if values is None:
            self._values[metric.name, labels] = values = [0.0] * (len(BUCKETS) + 2)
        values[bisect_left(BUCKETS, seconds)] += 1
        values[-1] += seconds
