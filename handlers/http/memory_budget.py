"""Bound the memory of one web process: a call that needs much waits a moment for its share, or gets 503."""

import threading

from flask import Flask, g

from handlers.http.problems import OverloadedError

CAPACITY_BYTES = 64 * 1024 * 1024
WAIT_S, LONG_WAIT_S = 2.0, 20.0
FREE_BYTES = 64 * 1024  # a smaller share is not counted


class MemoryBudget:
    """Bytes that calls of this process may take together; its methods may be called from any thread."""

    def __init__(self, capacity: int = CAPACITY_BYTES) -> None:
        self._capacity = self._left = capacity
        self._changed = threading.Condition()

    def acquire(self, size: int, wait_s: float) -> int:
        """Wait for `size` bytes, and return the number taken. Raises OverloadedError.

        A call that needs more than the whole budget gets all of it, and runs alone.
        """
        size = min(size, self._capacity)
        with self._changed:
            if not self._changed.wait_for(lambda: self._left >= size, wait_s):
                raise OverloadedError("This server's memory is in use; try again.")
            self._left -= size
        return size

    def release(self, size: int) -> None:
        with self._changed:
            self._left += size
            self._changed.notify_all()


budget = MemoryBudget()  # one per process, as the memory is


def reserve(size: int, wait_s: float = WAIT_S) -> None:
    """Take memory for the rest of this call. Raises OverloadedError while other calls have it.

    A call that needs more first gives back its share: two calls that wait for each other would never end.
    """
    if size > FREE_BYTES:
        held = g.pop("reserved_bytes", 0)
        budget.release(held)
        g.reserved_bytes = budget.acquire(held + size, wait_s)


def install(app: Flask) -> None:
    app.teardown_request(_release)


def _release(_: BaseException | None) -> None:
    if taken := g.pop("reserved_bytes", 0):
        budget.release(taken)
