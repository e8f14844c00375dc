"""A Redis that is away, or there and silent: who waited for it in vain keeps the others of its process from waiting.

What it is asked here can be left out: bells are rung again by the reconciler, and who waits looks by itself.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Answer = TypeVar("Answer")

TIMEOUT_S = 1.0  # how long a client should wait for one answer
OPEN_S = 2.0  # so long nobody asks one that gave none


CAUSES = {  # of a Redis that answers and takes no writes: by words of its answer
    "maxmemory": "its memory is full (maxmemory)",
    "read only replica": "it is a read-only replica",
    "MISCONF": "it cannot save to its disk",
    "NOREPLICAS": "it has too few replicas",
}


def write_refusal(error: RedisError) -> str | None:
    """Return why Redis refuses writes; None for an error of another kind."""
    if not isinstance(error, ResponseError):
        return None
    return next((cause for words, cause in CAUSES.items() if words in str(error)), None)


def describe_error(error: RedisError) -> str:
    """Return what an error of Redis is called in a log."""
    cause = write_refusal(error)
    if cause:
        return f"Redis refuses writes: {cause}"
    return "Redis is away" if isinstance(error, (RedisConnectionError, RedisTimeoutError)) else "Redis failed"


class CircuitOpenError(RedisConnectionError):
    """Redis gave no answer a moment ago, and is not asked again yet."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


class CircuitBreaker:
    """What the threads of a process know together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_at = float("-inf")

    def call(self, question: Callable[[], Answer]) -> Answer:
        """What `question` gives. Raises RedisError: at once, and unasked, while there was no answer a moment ago."""
        if self._ends_at > float("-inf"):
            self._reject_if_open()
        try:
            answer = question()
        except (RedisConnectionError, RedisTimeoutError):
            self._ends_at = time.monotonic() + OPEN_S
            raise
        self._ends_at = float("-inf")
        return answer

    def _reject_if_open(self) -> None:
        """All but one, who finds out whether it is back."""
        with self._lock:
            now = time.monotonic()
            if now < self._ends_at:
                raise CircuitOpenError
            self._ends_at = now + OPEN_S
