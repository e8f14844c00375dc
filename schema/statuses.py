"""The states of a request and the moves between them: all there are.

Each state's sentence says who moves a row into it and out of it, and what a crash there does.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Four statuses, as in the seed: a client that polls for completed or failed always ends."""

    PENDING = "pending"
    """In: submit, retry, give back. Out: claim, cancel. A crash changes nothing: the reconciler rings again."""

    PROCESSING = "processing"
    """In: claim, with a lease. Out: finish, fail, give back. A crash lets the lease lapse: the reconciler moves it."""

    COMPLETED = "completed"
    """In: finish, in the transaction that stores the result. Out: never."""

    FAILED = "failed"
    """In: fail, cancel, or the reconciler when no attempt is left. Out: a person's retry."""


TRANSITIONS: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.PENDING, Status.PROCESSING),  # claim
        (Status.PENDING, Status.FAILED),  # cancel while it waits
        (Status.PROCESSING, Status.COMPLETED),  # finish
        (Status.PROCESSING, Status.PENDING),  # give back: retry, lost worker, graceful stop
        (Status.PROCESSING, Status.FAILED),  # fail: no attempt left, refused, cancelled
        (Status.FAILED, Status.PENDING),  # a person's retry: a new series of attempts
    }
)

CANCELLED = "Cancelled"
"""The error type of a request that was cancelled."""

# A cancel is no failure of the function. The error type alone does not tell: a function may raise a class of that name.
IS_CANCELLED = f"(status = 'failed' AND cancel_requested AND coalesce(error_type, '') = '{CANCELLED}')"
IS_FAILURE = f"(status = 'failed' AND NOT (cancel_requested AND coalesce(error_type, '') = '{CANCELLED}'))"


class End(StrEnum):
    """How a request ended, as every figure counts it: a cancelled one is neither completed nor failed."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_AS = f"(CASE WHEN {IS_CANCELLED} THEN '{End.CANCELLED}' ELSE status END)"
"""The End of a request, in SQL."""


def is_cancelled(row: Mapping[Any, Any]) -> bool:
    """Return IS_CANCELLED for a row of processing_request."""
    return row["status"] == Status.FAILED and row["error_type"] == CANCELLED and bool(row["cancel_requested"])


LIVE = (Status.PENDING, Status.PROCESSING)
ENDED = (Status.COMPLETED, Status.FAILED)


class Phase(StrEnum):
    """What an attempt is doing, in this order."""

    VALIDATE = "validate"
    PROCESS = "process"
    SAVE = "save"
    CLEANUP = "cleanup"


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    LOST = "lost"
    GIVEN_BACK = "given_back"


def end_of(status: Status, outcome: Outcome) -> End:
    """Return the End of a request. status: it has ended; outcome: how its last attempt ended."""
    return End.CANCELLED if outcome is Outcome.CANCELLED else End(status)
