"""Decide which requests get a thread: each kind has threads of its own, so that no kind keeps the others out."""

import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeVar

MAX_QUEUED_S = 15.0  # that a request waits for a thread


class RequestClass(Enum):
    """PROBE: health endpoints. READY: the body is here. WAITING: the client waits for the end of a request.

    INCOMING: the body is still to come. SLOW: it came late and is here, or the client takes a large answer slowly.
    """

    PROBE = "probe"
    READY = "ready"
    WAITING = "waiting"
    INCOMING = "incoming"
    SLOW = "slow"


THREADS = {
    RequestClass.PROBE: 2,
    RequestClass.READY: 24,
    RequestClass.WAITING: 48,
    RequestClass.INCOMING: 16,
    RequestClass.SLOW: 32,
}
# An incoming request may become a slow one: both kinds share the threads of SLOW.
ALL_THREADS = sum(THREADS.values()) - THREADS[RequestClass.INCOMING]

Item = TypeVar("Item")


class ThreadAllocator(Generic[Item]):
    """Counts of running requests and queues of others, by lane; used by the event loop only."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(RequestClass, 0)
        self._queues: dict[RequestClass, deque[tuple[float, Item]]] = {lane: deque() for lane in RequestClass}

    def add(self, lane: RequestClass, item: Item) -> None:
        """Queue a request that has no thread yet."""
        self._queues[lane].append((time.monotonic() + MAX_QUEUED_S, item))

    def start(self) -> Iterator[tuple[RequestClass, Item]]:
        """Take out those that may run now, and count them as running."""
        for lane, queue in self._queues.items():
            while queue and self.has_room(lane):
                self.count(lane)
                yield lane, queue.popleft()[1]

    def has_room(self, lane: RequestClass) -> bool:
        """Tell whether one more may run in this lane."""
        taken = self._running[lane]
        if lane is RequestClass.SLOW or (lane is RequestClass.INCOMING and taken < THREADS[lane]):
            return self._running[RequestClass.INCOMING] + self._running[RequestClass.SLOW] < THREADS[RequestClass.SLOW]
        return taken < THREADS[lane]

    def count(self, lane: RequestClass) -> None:
        """Count one more as running."""
        self._running[lane] += 1

    def end(self, lane: RequestClass) -> None:
        """Count one less as running."""
        self._running[lane] -= 1

    def expire(self) -> Iterator[Item]:
        """Take out those that have waited too long."""
        now = time.monotonic()
        for queue in self._queues.values():
            while queue and queue[0][0] <= now:
                yield queue.popleft()[1]
