"""How many workers a pool has: decided here, purely, from how long each has been busy or idle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BUSY_S = 0.1  # a worker busy for less will soon be free: more workers would only take its core away
IDLE_S = 30.0  # a worker idle for so long is one too many
MOST_AT_ONCE = 4  # a start costs a third of a second of one core


@dataclass(frozen=True, slots=True)
class Bounds:
    """The fewest workers, kept while nothing happens, and the most."""

    minimum: int
    maximum: int


def to_start(busy_for_s: Sequence[float], idle: int, waiting: int, bounds: Bounds) -> int:
    """How many workers to start now. waiting: requests in the queues."""
    workers = len(busy_for_s) + idle
    if workers < bounds.minimum:
        return bounds.minimum - workers
    if idle or not waiting or min(busy_for_s, default=0.0) < BUSY_S:
        return 0
    return max(0, min(waiting, MOST_AT_ONCE, bounds.maximum - workers))


def to_stop(idle_for_s: Mapping[str, float], workers: int, bounds: Bounds) -> list[str]:
    """Which idle workers to stop now, the longest idle first."""
    tired = sorted((name for name, idle_s in idle_for_s.items() if idle_s >= IDLE_S), key=lambda n: -idle_for_s[n])
    return tired[: max(0, workers - bounds.minimum)]
