"""Decide which requests get a thread: each kind has threads of its own, so that no kind keeps the others out."""

import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeVar

MAX_QUEUED_S = 15.0  # that a request waits for a thread


class Lane(Enum):
    """PROBE: health endpoints. READY: the body is here. WAITING: the client waits for the end of a request.

    INCOMING: the body is still to come. SLOW: it came late and is here, or the client takes a large answer slowly.
    """

    PROBE = "probe"
    READY = "ready"
    WAITING = "waiting"
    INCOMING = "incoming"
    SLOW = "slow"


THREADS = {Lane.PROBE: 2, Lane.READY: 24, Lane.WAITING: 48, Lane.INCOMING: 16, Lane.SLOW: 32}
# An incoming request may become a slow one: both kinds share the threads of SLOW.
ALL_THREADS = sum(THREADS.values()) - THREADS[Lane.INCOMING]

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """Counts of running requests and queues of others, by lane; used by the event loop only."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(Lane, 0)
        self._queues: dict[Lane, deque[tuple[float, Item]]] = {lane: deque() for lane in Lane}

    def add(self, lane: Lane, item: Item) -> None:
        """Queue a request that has no thread yet."""
        self._queues[lane].append((time.monotonic() + MAX_QUEUED_S, item))

    def start(self) -> Iterator[tuple[Lane, Item]]:
        """Take out those that may run now, and count them as running."""
        for lane, queue in self._queues.items():
            while queue and self.has_room(lane):
                self.count(lane)
                yield lane, queue.popleft()[1]

    def has_room(self, lane: Lane) -> bool:
        """Tell whether one more may run in this lane."""
        taken = self._running[lane]
        if lane is Lane.SLOW or (lane is Lane.INCOMING and taken < THREADS[lane]):
            return self._running[Lane.INCOMING] + self._running[Lane.SLOW] < THREADS[Lane.SLOW]
        return taken < THREADS[lane]

    def count(self, lane: Lane) -> None:
        """Count one more as running."""
        self._running[lane] += 1

    def end(self, lane: Lane) -> None:
        """Count one less as running."""
        self._running[lane] -= 1

    def expire(self) -> Iterator[Item]:
        """Take out those that have waited too long."""
        now = time.monotonic()
        for queue in self._queues.values():
            while queue and queue[0][0] <= now:
                yield queue.popleft()[1]
