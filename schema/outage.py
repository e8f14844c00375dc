"""Classify database errors: temporary outages, as opposed to errors of the statement itself."""

from enum import StrEnum

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Outage(StrEnum):
    """Why PostgreSQL cannot run a statement now. With FULL and READ_ONLY, reads still work."""

    FULL = "full"
    """PostgreSQL's disk is full."""

    READ_ONLY = "read_only"
    """PostgreSQL is a standby, or is configured to be read-only."""

    OVERLOADED = "overloaded"
    """PostgreSQL has no free connection or no free memory."""

    SLOW = "slow"
    """All connections of this process are busy, and none became free in time."""

    UNAVAILABLE = "unavailable"
    """PostgreSQL does not answer, or is starting or stopping."""


# PostgreSQL's manual, appendix A.
OUTAGE_OF_STATE = {"53100": Outage.FULL, "25006": Outage.READ_ONLY}
RESOURCES_CLASS = "53"  # insufficient resources
LIMITS_CLASS = "54"  # statement too large or too complex: a retry cannot succeed
# psycopg gives no code for a rejected connection, only the server's message.
OUTAGE_OF_MESSAGE = {
    "No space left on device": Outage.FULL,
    "too many clients already": Outage.OVERLOADED,
    "remaining connection slots": Outage.OVERLOADED,
    "too many connections": Outage.OVERLOADED,
}
MESSAGES = {
    Outage.FULL: "the disk of PostgreSQL is full",
    Outage.READ_ONLY: "PostgreSQL is read-only",
    Outage.OVERLOADED: "PostgreSQL has no free connection",
    Outage.SLOW: "PostgreSQL does not answer in time",
    Outage.UNAVAILABLE: "PostgreSQL is unavailable",
}


def outage_of(error: Exception) -> Outage | None:
    """Return the outage behind this error; None if the statement itself is at fault, so that a retry cannot succeed."""
    if isinstance(error, PoolTimeoutError):
        return Outage.SLOW
    is_invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return Outage.UNAVAILABLE if is_invalidated else None
    state = cause.sqlstate or ""
    if state in OUTAGE_OF_STATE:
        return OUTAGE_OF_STATE[state]
    # psycopg raises OperationalError for every problem of the connection or of the server's state.
    if not (is_invalidated or (isinstance(cause, psycopg.OperationalError) and state[:2] != LIMITS_CLASS)):
        return None
    if state.startswith(RESOURCES_CLASS):
        return Outage.OVERLOADED
    message = str(cause)
    return next((outage for words, outage in OUTAGE_OF_MESSAGE.items() if words in message), Outage.UNAVAILABLE)
