"""Decide which requests get a thread: each class has its own threads, so no class blocks another."""

import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeVar

from infra.http_server.request_head import Head

MAX_QUEUED_S = 15.0  # limit for a request to wait for a thread


class RequestClass(Enum):
    """PROBE: health endpoints. READY: the body is complete. WAITING: the client waits for the end of a request.

    INCOMING: the body is incomplete. SLOW: the body arrived late, or the client receives a large response slowly.
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
# An incoming request may become a slow one: both classes share the threads of SLOW.
ALL_THREADS = sum(THREADS.values()) - THREADS[RequestClass.INCOMING]

Item = TypeVar("Item")


class ThreadAllocator(Generic[Item]):
    """Count running requests and queue others by class. Only the event loop uses it."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(RequestClass, 0)
        self._queues: dict[RequestClass, deque[tuple[float, Item]]] = {kind: deque() for kind in RequestClass}

    def classify(self, head: Head, received: int) -> RequestClass:
        """Return the class of a request of which this number of bytes has been received."""
        if not head.is_complete(received):
            return RequestClass.INCOMING
        if head.is_probe and received == head.size:  # pipelined requests are not a probe
            return RequestClass.PROBE
        may_wait = head.waits and self.has_free_thread(RequestClass.WAITING)
        return RequestClass.WAITING if may_wait else RequestClass.READY

    def add(self, kind: RequestClass, item: Item) -> None:
        """Queue a request that has no thread yet."""
        self._queues[kind].append((time.monotonic() + MAX_QUEUED_S, item))

    def start(self) -> Iterator[tuple[RequestClass, Item]]:
        """Yield the queued requests that may run now, and count them as running."""
        for kind, queue in self._queues.items():
            while queue and self.has_free_thread(kind):
                self.count(kind)
                yield kind, queue.popleft()[1]

    def has_free_thread(self, kind: RequestClass) -> bool:
        """Return True if another request of this class may run."""
        running = self._running[kind]
        if kind is RequestClass.SLOW or (kind is RequestClass.INCOMING and running < THREADS[kind]):
            return self._running[RequestClass.INCOMING] + self._running[RequestClass.SLOW] < THREADS[RequestClass.SLOW]
        return running < THREADS[kind]

    def count(self, kind: RequestClass) -> None:
        """Count a request as running."""
        self._running[kind] += 1

    def end(self, kind: RequestClass) -> None:
        """Stop counting a request as running."""
        self._running[kind] -= 1

    def expire(self) -> Iterator[Item]:
        """Yield and drop the requests that have waited too long."""
        now = time.monotonic()
        for queue in self._queues.values():
            while queue and queue[0][0] <= now:
                yield queue.popleft()[1]
