"""The functions that every contestant runs, under the names that requests carry."""

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
