"""Holds an event against its function's JSON Schema, in the worker, in bounded time.

A pattern can take longer than the universe lasts, and in it Python neither switches threads nor looks at a deadline;
only a signal gets through. So the check has an alarm, early enough for the lease to be extended after it.
"""

from typing import Any

from rq.timeouts import BaseTimeoutException, UnixSignalDeathPenalty

from workqueue import input_schema
from workqueue.invocation.interruptions import InvalidError


class TookTooLongError(BaseTimeoutException):
    """The check was not done in time."""


def check(event: Any, schema: dict[str, Any], limit_s: int) -> None:
    """Raises InvalidError with the first mismatch and where it is. Only in a process's main thread.

    limit_s: whole seconds, at least one; what takes longer is refused, too.
    """
    try:
        with UnixSignalDeathPenalty(limit_s, TookTooLongError):  # type: ignore[no-untyped-call]
            mismatch = input_schema.mismatch(event, schema)
    except TookTooLongError:
        raise InvalidError(
            f"The event could not be held against the input schema within {limit_s} s: simplify the schema (patterns, "
            "uniqueItems), or check in a validate hook, which has the function's timeout.",
            error_type="ValidationTooLong",
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a schema raises is its fault
        raise InvalidError(
            f"The input schema cannot be used: {type(error).__name__.lstrip('_')}: {error}", error_type="SchemaError"
        ) from None
    if mismatch is not None:
        raise InvalidError(mismatch, error_type="ValidationError")
