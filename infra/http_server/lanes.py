"""Decide which requests get a thread: each kind has threads of its own, so that no kind keeps the others out."""

import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeVar

THREADS = 64  # for requests whose body is here; a client that waits (`Prefer: wait`) holds one of them
INCOMING_THREADS = 16  # for requests whose body is still to come
PROBE_THREADS = 2  # for /healthz and /readyz
ALL_THREADS = THREADS + INCOMING_THREADS + PROBE_THREADS
MAX_QUEUED_S = 10.0  # that a request waits for a thread

Item = TypeVar("Item")


class Lane(Enum):
    PROBE = "probe"
    READY = "ready"
    INCOMING = "incoming"


class Lanes(Generic[Item]):
    """Counts of running requests and queues of waiting ones, by lane; used by the event loop only."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(Lane, 0)
        self._queues: dict[Lane, deque[tuple[float, Item]]] = {lane: deque() for lane in Lane}

    def add(self, lane: Lane, item: Item) -> None:
        self._queues[lane].append((time.monotonic() + MAX_QUEUED_S, item))

    def start(self) -> Iterator[Item]:
        """Take out those that may run now, and count them as running."""
        for lane, queue in self._queues.items():
            while queue and self._has_room(lane):
                self._running[lane] += 1
                yield queue.popleft()[1]

    def _has_room(self, lane: Lane) -> bool:
        running = self._running
        if lane is Lane.PROBE:
            return running[lane] < PROBE_THREADS
        if lane is Lane.READY:
            return running[lane] < THREADS
        # Those whose body has arrived since are READY now: together they must not want more threads than there are.
        return running[lane] < INCOMING_THREADS and running[lane] + running[Lane.READY] < THREADS + INCOMING_THREADS

    def end(self, lane: Lane) -> None:
        """Count one less as running."""
        self._running[lane] -= 1

    def move(self, before: Lane, now: Lane) -> None:
        """Count a running request in another lane."""
        self._running[before] -= 1
        self._running[now] += 1

    def expire(self) -> Iterator[Item]:
        """Take out those that have waited too long."""
        now = time.monotonic()
        for queue in self._queues.values():
            while queue and queue[0][0] <= now:
                yield queue.popleft()[1]
