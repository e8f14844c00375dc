"""The states of a request and the moves between them: all there are.

Each state's sentence says who moves a row into it and out of it, and what a crash there does.
"""

from enum import StrEnum


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


MOVES: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.PENDING, Status.PROCESSING),  # claim
        (Status.PENDING, Status.FAILED),  # cancel while it waits
        (Status.PROCESSING, Status.COMPLETED),  # finish
        (Status.PROCESSING, Status.PENDING),  # give back: retry, lost worker, graceful stop
        (Status.PROCESSING, Status.FAILED),  # fail: no attempt left, refused, cancelled
        (Status.FAILED, Status.PENDING),  # a person's retry: a new series of attempts
    }
)

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
