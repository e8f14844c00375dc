"""Why a database cannot take a statement now, rather than ever."""

from enum import StrEnum

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Outage(StrEnum):
    """What keeps PostgreSQL from a statement. Reads go on in the first two."""

    FULL = "full"
    """Its disk has no room."""

    READ_ONLY = "read_only"
    """It is a standby, or was told to write nothing."""

    OVERLOADED = "overloaded"
    """It has no connection, or no memory, left."""

    SLOW = "slow"
    """All connections of this process have waited for it too long."""

    UNAVAILABLE = "unavailable"
    """It does not answer, starts, or stops."""


# PostgreSQL's manual, appendix A.
OUTAGE_OF_STATE = {"53100": Outage.FULL, "25006": Outage.READ_ONLY}
RESOURCES_CLASS = "53"  # insufficient resources
LIMITS_CLASS = "54"  # too large or too complex: a retry changes nothing
# A refused connection has no code in psycopg; the server's words are all there is.
OUTAGE_OF_MESSAGE = {
    "No space left on device": Outage.FULL,
    "too many clients already": Outage.OVERLOADED,
    "remaining connection slots": Outage.OVERLOADED,
    "too many connections": Outage.OVERLOADED,
}
MESSAGES = {
    Outage.FULL: "the disk of PostgreSQL is full",
    Outage.READ_ONLY: "PostgreSQL takes no writes: it is read-only",
    Outage.OVERLOADED: "PostgreSQL has no free connection",
    Outage.SLOW: "PostgreSQL does not answer in time",
    Outage.UNAVAILABLE: "PostgreSQL is away",
}


def outage_of(error: Exception) -> Outage | None:
    """Return what keeps the database from this statement now; None for an error that it would give at any time."""
    if isinstance(error, PoolTimeoutError):
        return Outage.SLOW
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in OUTAGE_OF_STATE:
        return OUTAGE_OF_STATE[state]
    # psycopg raises OperationalError for all that concerns the connection or the server's state.
    if not (error.connection_invalidated or (isinstance(error, OperationalError) and state[:2] != LIMITS_CLASS)):
        return None
    if state.startswith(RESOURCES_CLASS):
        return Outage.OVERLOADED
    said = str(error.orig)
    return next((outage for words, outage in OUTAGE_OF_MESSAGE.items() if words in said), Outage.UNAVAILABLE)
