"""All states of a request and all transitions between them.

Each state's docstring names the operations that enter and leave it, and how the runtime recovers from a crash in it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The four statuses of a request. A client that polls for completed or failed always ends."""

    PENDING = "pending"
    """In: submit, retry, give back. Out: claim, cancel. After a crash the reconciler rings the doorbell again."""

    PROCESSING = "processing"
    """In: claim, with a lease. Out: finish, fail, give back. After a crash the lease lapses: the reconciler acts."""

    COMPLETED = "completed"
    """In: finish, in the transaction that stores the result. Out: never."""

    FAILED = "failed"
    """In: fail, cancel, or the reconciler when no attempt is left. Out: a user's retry."""


TRANSITIONS: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.PENDING, Status.PROCESSING),  # claim
        (Status.PENDING, Status.FAILED),  # cancel while pending
        (Status.PROCESSING, Status.COMPLETED),  # finish
        (Status.PROCESSING, Status.PENDING),  # give back: retry, lost worker, graceful stop
        (Status.PROCESSING, Status.FAILED),  # fail: no attempt left, invalid input, cancelled
        (Status.FAILED, Status.PENDING),  # a user's retry: a new series of attempts
    }
)

CANCELLED = "Cancelled"
"""The error type of a cancelled request."""

# A cancelled request is not a failure of the function. Check cancel_requested as well, because a function can raise
# its own class named Cancelled.
IS_CANCELLED = f"(status = 'failed' AND cancel_requested AND coalesce(error_type, '') = '{CANCELLED}')"
IS_FAILURE = f"(status = 'failed' AND NOT (cancel_requested AND coalesce(error_type, '') = '{CANCELLED}'))"


class End(StrEnum):
    """How a request ended, for all statistics: a cancelled request counts neither as completed nor as failed."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_AS = f"(CASE WHEN {IS_CANCELLED} THEN '{End.CANCELLED}' ELSE status END)"
"""The End of a request, as an SQL expression."""


def is_cancelled(row: Mapping[Any, Any]) -> bool:
    """Return True if this row of processing_request is cancelled; the same condition as IS_CANCELLED."""
    return row["status"] == Status.FAILED and row["error_type"] == CANCELLED and bool(row["cancel_requested"])


LIVE = (Status.PENDING, Status.PROCESSING)
ENDED = (Status.COMPLETED, Status.FAILED)


class Phase(StrEnum):
    """The phases of an attempt, in order."""

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
    """Return the End of a request. status: its final status; outcome: the outcome of its last attempt."""
    return End.CANCELLED if outcome is Outcome.CANCELLED else End(status)
