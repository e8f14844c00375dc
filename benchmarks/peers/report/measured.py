"""Define the functions that each contestant runs, by the names in its requests."""

import time
from collections.abc import Callable
from typing import Any

NAP_S = 0.001


def noop(event: Any) -> Any:
    return event


def nap(event: Any) -> Any:
    time.sleep(NAP_S)
    return event


FUNCTIONS: dict[str, Callable[[Any], Any]] = {"noop": noop, "nap": nap}
