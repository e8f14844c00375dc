"""Define the functions that each contestant runs, by the names in its requests."""

import time
from collections.abc import Callable
from typing import Any

NAP_S, LONG_NAP_S = 0.001, 0.01
LINES = 3  # that a printing function prints


def noop(event: Any) -> Any:
    return event


def nap(event: Any) -> Any:
    time.sleep(NAP_S)
    return event


def long_nap(event: Any) -> Any:
    time.sleep(LONG_NAP_S)
    return event


def say(event: Any) -> Any:
    for number in range(LINES):
        print(f"line {number} of {event}", flush=True)
    return event


FUNCTIONS: dict[str, Callable[[Any], Any]] = {"noop": noop, "nap": nap, "long_nap": long_nap, "say": say}
