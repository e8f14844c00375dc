"""Waiting for something to become true, instead of sleeping and hoping."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Found = TypeVar("Found")

PAUSE_S = 0.01


def wait_until(predicate: Callable[[], Found | None], timeout_s: float = 10.0, what: str = "") -> Found:
    """Return the predicate's first true answer. Raises AssertionError, with `what`, after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = predicate()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or predicate}")
        time.sleep(PAUSE_S)


class Stalls:
    """How late the machine was with a thread that wanted to run each hundredth of a second, in seconds altogether."""

    def __init__(self) -> None:
        self.lasted_s = 0.0
        self._over = threading.Event()

    def watch(self) -> None:
        """Until `end`."""
        while not self._over.is_set():
            began = time.monotonic()
            time.sleep(PAUSE_S)
            self.lasted_s += time.monotonic() - began - PAUSE_S

    def end(self) -> None:
        self._over.set()


@contextmanager
def witnessed() -> Iterator[Stalls]:
    """For a test that measures a time: what the machine did in it is not what is tested did."""
    stalls = Stalls()
    thread = threading.Thread(target=stalls.watch, name="witness", daemon=True)
    thread.start()
    try:
        yield stalls
    finally:
        stalls.end()
        thread.join()
