"""A circuit breaker for Redis: after one timeout, the other threads of the process do not wait for Redis.

Each command sent through it is optional: the reconciler rings lost bells again, and waiting clients also poll.

`schema.connection_watchdog.ServerMonitor` differs: statements to PostgreSQL are not optional, so it does not fail fast
after one slow answer, but first probes the server with a new connection beside the waiting one.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Answer = TypeVar("Answer")

TIMEOUT_S = 1.0  # for one answer: the timeout that clients should set
OPEN_S = 2.0  # how long the breaker stays open after a timeout or a lost connection


CAUSES = {  # why Redis rejects writes, by a text in its answer
    "maxmemory": "its memory is full (maxmemory)",
    "read only replica": "it is a read-only replica",
    "MISCONF": "it cannot save to its disk",
    "NOREPLICAS": "it has too few replicas",
}


def write_refusal(error: RedisError) -> str | None:
    """Return why Redis rejects writes; None for any other error."""
    if not isinstance(error, ResponseError):
        return None
    return next((cause for text, cause in CAUSES.items() if text in str(error)), None)


def describe_error(error: RedisError) -> str:
    """Return the log message for an error of Redis."""
    cause = write_refusal(error)
    if cause:
        return f"Redis rejects writes: {cause}"
    return "Redis is unavailable" if isinstance(error, (RedisConnectionError, RedisTimeoutError)) else "Redis failed"


class CircuitOpenError(RedisConnectionError):
    """Redis did not answer a moment ago; no command is sent until the circuit breaker closes."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


class CircuitBreaker:
    """The state that all threads of a process share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open_until = float("-inf")

    def call(self, command: Callable[[], Answer]) -> Answer:
        """Call `command`, return its result. Raises RedisError; CircuitOpenError at once while the breaker is open."""
        if self._open_until > float("-inf"):
            self._reject_if_open()
        try:
            answer = command()
        except (RedisConnectionError, RedisTimeoutError):
            self._open_until = time.monotonic() + OPEN_S
            raise
        self._open_until = float("-inf")
        return answer

    def _reject_if_open(self) -> None:
        """Raise CircuitOpenError. Once the time is over, let one thread through, which finds out if Redis is back."""
        with self._lock:
            now = time.monotonic()
            if now < self._open_until:
                raise CircuitOpenError
            self._open_until = now + OPEN_S
