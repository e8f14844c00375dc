"""Let clients wait for a request to change.

Workers announce changes through Redis; one thread per process listens and wakes the waiting threads. An announcement
may be lost (Redis is unavailable, a worker died), so each waiting thread also polls every second.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
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


class ChangeListener:
    """The waiting clients of this process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiters: dict[str, set[threading.Event]] = defaultdict(set)
        self._count = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait_for(
        self, request_id: UUID, poll: Callable[[], Found | None], timeout_s: float
    ) -> tuple[Found | None, bool]:
        """Wait until `poll()` returns a value, or for the timeout.

        Return the last result of `poll()`, and whether the client could wait: with too many clients, poll only once.
        """
        ends_at = time.monotonic() + timeout_s
        woken = self._register(str(request_id))
        if woken is None:
            return poll(), False
        try:
            while (found := poll()) is None:
                remaining_s = ends_at - time.monotonic()
                if remaining_s <= 0:
                    break
                woken.wait(min(remaining_s, POLL_S))
                woken.clear()
            return found, True
        finally:
            self._unregister(str(request_id), woken)

    def _register(self, request_id: str) -> threading.Event | None:
        """Return the event that wakes this client; None when too many clients wait."""
        woken = threading.Event()
        with self._lock:
            if self._count >= MAX_WAITERS:
                return None
            self._count += 1
            self._waiters[request_id].add(woken)
            if self._thread is None:  # not in __init__: a thread would not survive gunicorn's fork
                self._thread = threading.Thread(target=self._listen, name="change listener", daemon=True)
                self._thread.start()
        return woken

    def _unregister(self, request_id: str, woken: threading.Event) -> None:
        with self._lock:
            self._count -= 1
            self._waiters[request_id].discard(woken)
            if not self._waiters[request_id]:
                del self._waiters[request_id]

    def _listen(self) -> None:
        while True:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(CHANNEL)
                    while True:
                        message = pubsub.get_message(timeout=LISTEN_S)
                        if message:
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
                for woken in self._waiters.get(request_id, ()):
                    woken.set()
