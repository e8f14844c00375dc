"""Bound the memory of one web process: a large call waits briefly for its share, or is answered with 503."""

import threading

from flask import Flask, g

from handlers.http.problems import OverloadedError

CAPACITY_BYTES = 64 * 1024 * 1024
WAIT_S, LONG_WAIT_S = 2.0, 20.0
FREE_BYTES = 64 * 1024  # smaller reservations are not counted


class MemoryBudget:
    """Share a number of bytes between the calls of this process; safe for threads."""

    def __init__(self, capacity: int = CAPACITY_BYTES) -> None:
        self._capacity = self._left = capacity
        self._changed = threading.Condition()

    def acquire(self, size: int, wait_s: float) -> int:
        """Wait for `size` bytes, and return the number acquired. Raises OverloadedError after `wait_s`.

        A call that needs more than the whole budget gets all of it and runs alone.
        """
        size = min(size, self._capacity)
        with self._changed:
            if not self._changed.wait_for(lambda: self._left >= size, wait_s):
                raise OverloadedError("The memory budget of the server is used up; try again.")
            self._left -= size
        return size

    def release(self, size: int) -> None:
        with self._changed:
            self._left += size
            self._changed.notify_all()


budget = MemoryBudget()  # one for the process


def reserve(size: int, wait_s: float = WAIT_S) -> None:
    """Reserve memory until the end of this call. Raises OverloadedError while other calls hold it.

    A call that needs more first releases its share: two calls that wait for each other would deadlock.
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
