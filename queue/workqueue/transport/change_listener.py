"""Let clients wait for a request to change.

Workers announce changes through Redis; one thread per process listens and wakes the waiting threads. An announcement
may be lost (Redis is unavailable, a worker died), so each waiting thread also polls every second.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from workqueue.transport.circuit_breaker import describe_error
from workqueue.transport.doorbell import CHANNEL

log = logging.getLogger(__name__)

Found = TypeVar("Found")

POLL_S = 1.0
LISTEN_S = 5.0
RETRY_S = 1.0
MAX_WAITERS = 48  # each holds a thread of the web process; further clients get an answer at once


class Waiter:
    """A client that waits for one request."""

    def __init__(self, listener: "ChangeListener", request_id: UUID) -> None:
        self._listener, self.request_id = listener, str(request_id)
        self.woken = threading.Event()

    def move_to(self, request_id: UUID) -> None:
        """Wait for this request instead."""
        self._listener.move(self, str(request_id))

    def wait_for(self, poll: Callable[[], Found | None], timeout_s: float, *, poll_first: bool = True) -> Found | None:
        """Wait until `poll()` returns a value, for the timeout, or until this process stops.

        Return the last result of `poll()`.

        poll_first: False if the request cannot have changed before the client began to wait; saves a query.
        """
        ends_at = time.monotonic() + timeout_s
        if poll_first and (found := poll()) is not None:
            return found
        while (remaining_s := ends_at - time.monotonic()) > 0 and not self._listener.is_closed:
            self.woken.wait(min(remaining_s, POLL_S))
            self.woken.clear()
            if (found := poll()) is not None:
                return found
        return None


class ChangeListener:
    """The waiting clients of this process."""

    def __init__(self, redis: Redis) -> None:
        self.is_closed = False
        self._redis = redis
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)
        self._count = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def enter(self, request_id: UUID) -> Iterator[Waiter | None]:
        """Provide a waiter that notices all changes of the request from now on; None if this client cannot wait.

        That is when too many clients wait already, or when this process stops.
        """
        waiter = Waiter(self, request_id)
        with self._lock:
            can_wait = self._count < MAX_WAITERS and not self.is_closed
            if can_wait:
                self._add(waiter)
        if not can_wait:
            yield None
            return
        try:
            yield waiter
        finally:
            with self._lock:
                self._count -= 1
                self._remove(waiter)

    def move(self, waiter: Waiter, request_id: str) -> None:
        """Let the client wait for another request."""
        with self._lock:
            self._remove(waiter)
            waiter.request_id = request_id
            self._waiters[request_id].add(waiter)

    def close(self) -> None:
        """Let no client wait any more: this process stops."""
        self.is_closed = True
        self._wake_all()

    def _add(self, waiter: Waiter) -> None:
        self._count += 1
        self._waiters[waiter.request_id].add(waiter)
        if self._thread is None:  # not in __init__: a thread would not survive gunicorn's fork
            self._thread = threading.Thread(target=self._listen, name="change listener", daemon=True)
            self._thread.start()

    def _remove(self, waiter: Waiter) -> None:
        self._waiters[waiter.request_id].discard(waiter)
        if not self._waiters[waiter.request_id]:
            del self._waiters[waiter.request_id]

    def _listen(self) -> None:
        while True:
            try:
                with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(CHANNEL)
                    while True:
                        message = pubsub.get_message(timeout=LISTEN_S)
                        if message and message["type"] == "subscribe":
                            self._wake_all()  # announcements before this moment were missed
                        elif message:
                            self._wake(message["data"])
            except RedisError as error:
                log.debug("change listener disconnected", extra={"reason": describe_error(error), "error": str(error)})
                time.sleep(RETRY_S)
            except Exception:
                log.exception("change listener failed; waiting clients poll")  # the thread must not end
                time.sleep(RETRY_S)

    def _wake(self, data: bytes) -> None:
        with self._lock:
            for request_id in data.decode(errors="replace").split():
                for waiter in self._waiters.get(request_id, ()):
                    waiter.woken.set()

    def _wake_all(self) -> None:
        with self._lock:
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.woken.set()
