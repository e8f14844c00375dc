"""How many workers a pool has: decided here, purely, from how long each has been busy or idle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import psutil

LONG_S = 0.5  # a worker busy with one request for so long may be so for an hour: whoever waits needs another one
WAITING_S = 0.06  # one that is at it for so long and leaves the processors idle waits for something itself
IDLE_S = 30.0  # a worker idle for so long is one too many
SETTLE_S = 0.2  # what more workers bring shows after so long
ROOM = 0.25  # of the machine's processors idle: short requests that wait for something leave room for more workers

CPU_WEIGHT = 0.5  # of the newest look: the system counts in hundredths of a second, and a look covers only five


@dataclass(frozen=True, slots=True)
class Bounds:
    """The fewest workers, kept while nothing happens, and the most."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a pool sees of itself.

    busy_for_s: for each worker that is busy, since when it is at the same request. idle: how many others there are.
    newest_s: how long ago the last one was started. waiting: requests in the queues.
    idle_cpu: the part of the machine's processors that had nothing to do lately, from 0 to 1.
    """

    busy_for_s: Sequence[float]
    idle: int
    newest_s: float
    waiting: int
    idle_cpu: float


def to_start(load: Load, bounds: Bounds) -> int:
    """How many workers to start now.

    While all are at long requests, whoever waits gets a worker. While requests are short, more workers help only if
    those that there are leave the processors idle: then as many as have room, at most twice as many at a time.
    """
    workers = len(load.busy_for_s) + load.idle
    if workers < bounds.minimum:
        return bounds.minimum - workers
    if load.idle or not load.waiting:
        return 0
    room, has_cpu = max(0, bounds.maximum - workers), load.idle_cpu >= ROOM
    shortest_s = min(load.busy_for_s, default=0.0)
    if shortest_s >= LONG_S or (shortest_s >= WAITING_S and has_cpu):
        return min(load.waiting, room)
    if not has_cpu or load.newest_s < SETTLE_S or load.waiting <= workers:
        return 0
    could_be = ceil(workers / max(1.0 - load.idle_cpu, 0.1))  # as many as would leave nothing idle
    return min(could_be - workers, workers, room)


def to_stop(idle_for_s: Mapping[str, float], workers: int, bounds: Bounds) -> list[str]:
    """Which idle workers to stop now, the longest idle first."""
    tired = sorted((name for name, idle_s in idle_for_s.items() if idle_s >= IDLE_S), key=lambda n: -idle_for_s[n])
    return tired[: max(0, workers - bounds.minimum)]


class CpuMonitor:
    """Looked at regularly: each look covers the time since the last."""

    def __init__(self) -> None:
        psutil.cpu_percent(interval=None)  # the first one has nothing to compare with
        self._idle = 0.0

    def idle_count(self) -> float:
        """A part from 0 to 1, averaged over the last few looks."""
        now = 1.0 - float(psutil.cpu_percent(interval=None)) / 100.0
        self._idle += CPU_WEIGHT * (now - self._idle)
        return self._idle
