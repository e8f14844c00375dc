"""Wait for conditions instead of sleeping, and measure stalls of the machine."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Answer = TypeVar("Answer")
Found = TypeVar("Found")

PAUSE_S = 0.01


def wait_until(predicate: Callable[[], Found | None], timeout_s: float = 10.0, what: str = "") -> Found:
    """Return the first true value of the predicate. Raises AssertionError, with `what`, after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = predicate()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or predicate}")
        time.sleep(PAUSE_S)


class Stalls:
    """Measure how late the machine runs a thread that wakes each hundredth of a second, summed in seconds."""

    def __init__(self) -> None:
        self.lasted_s = 0.0
        self._over = threading.Event()

    def watch(self) -> None:
        """Measure until `end` is called."""
        while not self._over.is_set():
            began = time.monotonic()
            time.sleep(PAUSE_S)
            self.lasted_s += time.monotonic() - began - PAUSE_S

    def end(self) -> None:
        self._over.set()


@contextmanager
def measure_stalls() -> Iterator[Stalls]:
    """Measure stalls of the machine during the block, so that a test can subtract them from a measured time."""
    stalls = Stalls()
    thread = threading.Thread(target=stalls.watch, name="witness", daemon=True)
    thread.start()
    try:
        yield stalls
    finally:
        stalls.end()
        thread.join()


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine in a thread of its own: a browser's driver keeps the event loop of the main thread running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
