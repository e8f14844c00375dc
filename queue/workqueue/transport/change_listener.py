"""Lets a client wait for a request to change without asking again and again.

Workers announce changes through Redis; one thread per process listens and wakes whoever waits. An announcement may
be lost (Redis is away, a worker died): so those who wait look for themselves every second.
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

LOOK_EVERY_S = 1.0
LISTEN_S = 5.0
PAUSE_S = 1.0
MAX_WAITERS = 48  # who comes then is answered at once: each holds a thread, and others want one, too


class ChangeListener:
    """The clients of this process that wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiters: dict[str, set[threading.Event]] = defaultdict(set)
        self._count = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait_for(
        self, request_id: UUID, look: Callable[[], Found | None], timeout_s: float
    ) -> tuple[Found | None, bool]:
        """Wait until `look()` returns something, or for the timeout.

        Return what it returned last, and whether there was room to wait: without, it is asked once.
        """
        ends_at = time.monotonic() + timeout_s
        woken = self._enter(str(request_id))
        if woken is None:
            return look(), False
        try:
            while (found := look()) is None:
                remaining_s = ends_at - time.monotonic()
                if remaining_s <= 0:
                    break
                woken.wait(min(remaining_s, LOOK_EVERY_S))
                woken.clear()
            return found, True
        finally:
            self._leave(str(request_id), woken)

    def _enter(self, request_id: str) -> threading.Event | None:
        """What wakes one more client; None when too many wait already."""
        woken = threading.Event()
        with self._lock:
            if self._count >= MAX_WAITERS:
                return None
            self._count += 1
            self._waiters[request_id].add(woken)
            if self._thread is None:  # not in __init__: a thread would not survive gunicorn's fork
                self._thread = threading.Thread(target=self._listen, name="waiting", daemon=True)
                self._thread.start()
        return woken

    def _leave(self, request_id: str, woken: threading.Event) -> None:
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
                log.debug("%s; not listening", describe_error(error), extra={"error": str(error)})
                time.sleep(PAUSE_S)
            except Exception:
                log.exception("not listening; those who wait look for themselves")  # the thread must not end
                time.sleep(PAUSE_S)

    def _wake(self, data: bytes) -> None:
        with self._lock:
            for request_id in data.decode(errors="replace").split():
                for woken in self._waiters.get(request_id, ()):
                    woken.set()
