"""Decide how many workers a pool runs, from how long each has been busy or idle. Pure, but for CpuMonitor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import psutil

LONG_S = 0.5  # a request that runs this long may run for an hour: waiting requests need another worker
IO_BOUND_S = 0.06  # a request that runs this long and leaves the CPU idle waits for I/O
IDLE_S = 30.0  # a worker idle for this long is stopped
SETTLE_S = 0.2  # the effect of new workers is visible after this time
MIN_IDLE_CPU = 0.25  # with this share of the machine's CPU idle, more workers raise the throughput

CPU_WEIGHT = 0.5  # of the newest sample: the system counts in 10 ms, and a sample covers only 50 ms


@dataclass(frozen=True, slots=True)
class Bounds:
    """The minimum number of workers, kept while the queues are empty, and the maximum."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a pool.

    busy_for_s: for each busy worker, how long its current request has run. idle: the number of idle workers.
    newest_s: seconds since the last start of a worker. waiting: requests in the queues.
    idle_cpu: the idle share of the machine's CPU lately, from 0 to 1.
    """

    busy_for_s: Sequence[float]
    idle: int
    newest_s: float
    waiting: int
    idle_cpu: float


def to_start(load: Load, bounds: Bounds) -> int:
    """Return how many workers to start now.

    While all workers run long requests, each waiting request gets a worker. While requests are short, more workers help
    only if the CPU is idle: then start as many as the CPU can serve, and at most double the number.
    """
    workers = len(load.busy_for_s) + load.idle
    if workers < bounds.minimum:
        return bounds.minimum - workers
    if load.idle or not load.waiting:
        return 0
    spare, has_cpu = max(0, bounds.maximum - workers), load.idle_cpu >= MIN_IDLE_CPU
    shortest_s = min(load.busy_for_s, default=0.0)
    if shortest_s >= LONG_S or (shortest_s >= IO_BOUND_S and has_cpu):
        return min(load.waiting, spare)
    if not has_cpu or load.newest_s < SETTLE_S or load.waiting <= workers:
        return 0
    target = ceil(workers / max(1.0 - load.idle_cpu, 0.1))  # would use the whole CPU
    return min(target - workers, workers, spare)


def to_stop(idle_for_s: Mapping[str, float], workers: int, bounds: Bounds) -> list[str]:
    """Return the idle workers to stop now, the longest idle first."""
    candidates = sorted((name for name, idle_s in idle_for_s.items() if idle_s >= IDLE_S), key=lambda n: -idle_for_s[n])
    return candidates[: max(0, workers - bounds.minimum)]


class CpuMonitor:
    """Measure the idle share of the CPU. Each sample covers the time since the one before."""

    def __init__(self) -> None:
        psutil.cpu_percent(interval=None)  # the first sample has nothing to compare with
        self._idle = 0.0

    def idle_share(self) -> float:
        """Return the idle share, from 0 to 1, averaged over the last few samples."""
        now = 1.0 - float(psutil.cpu_percent(interval=None)) / 100.0
        self._idle += CPU_WEIGHT * (now - self._idle)
        return self._idle
