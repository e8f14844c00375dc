"""Holds an event against its function's JSON Schema, in the worker, in bounded time.

A pattern can take longer than the universe lasts, and in it Python neither switches threads nor looks at a deadline;
only a signal gets through. So the check has an alarm, early enough for the lease to be extended after it, unless the
machine has much else to do: then the lease may lapse and another attempt begin, but no event is refused for that, since
processor time is what counts.
"""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

from workqueue.functions import input_validation
from workqueue.outcomes import InvalidError

LONGEST_S = 4.0  # half a lease; events of a megabyte took from 1.1 to 2.4 s on a slow machine


class ValidationTimeoutError(Exception):
    """The check was not done in time."""


def check(event: Any, schema: dict[str, Any], limit_s: float) -> None:
    """Raises InvalidError with the first mismatch and where it is. Only in a process's main thread.

    limit_s: processor time; what takes longer is refused, too.
    """
    input_validation.load()  # before the alarm: it may take a while, once
    try:
        with _alarm(limit_s):
            mismatch = input_validation.mismatch(event, schema)
    except ValidationTimeoutError:
        raise InvalidError(
            f"The event could not be held against the input schema within {limit_s:g} s: simplify the schema "
            "(patterns, uniqueItems), or check in a validate hook, which has the function's timeout.",
            error_type="ValidationTooLong",
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a schema raises is its fault
        raise InvalidError(
            f"The input schema cannot be used: {type(error).__name__.lstrip('_')}: {error}", error_type="SchemaError"
        ) from None
    if mismatch is not None:
        raise InvalidError(mismatch, error_type="ValidationError")


@contextlib.contextmanager
def _alarm(limit_s: float) -> Iterator[None]:
    """Raises ValidationTimeoutError in the block, wherever it is."""

    def ring(*_: object) -> NoReturn:
        raise ValidationTimeoutError

    before = signal.signal(signal.SIGPROF, ring)
    try:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
