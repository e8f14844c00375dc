"""Waiting for something to become true, instead of sleeping and hoping."""

import time
from collections.abc import Callable
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
